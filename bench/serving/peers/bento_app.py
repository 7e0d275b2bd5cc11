"""BentoML: a service of two workers."""

import bentoml
from model import load


@bentoml.service(workers=2, http={"cors": {"enabled": False}})
class Model:
    """The model."""

    def __init__(self):
        self.model = load()

    @bentoml.api(route="/invocations")
    def invocations(self, text: str | None = None, instances: list[list[float]] | None = None) -> dict:
        """Predict."""
        return self.model.answer({"text": text, "instances": instances})
