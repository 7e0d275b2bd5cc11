"""MLServer: a runtime of our own with a route for the request all servers get; two parallel workers for inference."""

import sys
from pathlib import Path

from mlserver import MLModel
from mlserver.handlers import custom_handler

sys.path.insert(0, str(Path(__file__).parents[1]))
from model import load


class Runtime(MLModel):
    """The model."""

    async def load(self):
        """Load."""
        self.model = load()
        return True

    @custom_handler(rest_path="/invocations")
    async def invocations(self, document: dict) -> dict:
        """Predict. A dict comes and goes: it is handed to a worker process, where a Request could not be."""
        return self.model.answer(document)
