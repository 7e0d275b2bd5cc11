"""MLServer: a runtime of our own with a route for the request all servers get; two parallel workers for inference."""

import json
import sys
from pathlib import Path

from mlserver import MLModel
from mlserver.handlers import custom_handler
from starlette.requests import Request
from starlette.responses import Response

sys.path.insert(0, str(Path(__file__).parents[1]))
from model import load


class Runtime(MLModel):
    """The model."""

    async def load(self):
        """Load."""
        self.model = load()
        return True

    @custom_handler(rest_path="/invocations")
    async def invocations(self, request: Request) -> Response:
        """Predict."""
        return Response(json.dumps(self.model.answer(await request.json())), media_type="application/json")
