"""LitServe: one API, two workers."""

import os

import litserve
from model import load


class Api(litserve.LitAPI):
    """The model."""

    def setup(self, device):  # noqa: ARG002 - its contract
        """Load."""
        self.model = load()

    def predict(self, document):
        """Predict."""
        return self.model.answer(document)


if __name__ == "__main__":
    server = litserve.LitServer(
        Api(api_path="/invocations"), accelerator="cpu", workers_per_device=2, healthcheck_path="/ping"
    )
    server.run(
        host="127.0.0.1", port=int(os.environ["PORT"]), generate_client_file=False, log_level="warning"
    )
