"""SageMaker as one more service: control plane by target header, runtime by credential scope.

Touches `ministack.app.SERVICE_HANDLERS` and `ministack.core.router.SERVICE_PATTERNS`, MiniStack's two tables of
services. botocore signs `sagemaker` and `sagemaker-runtime` alike with the scope "sagemaker"; the one sends
`X-Amz-Target: SageMaker.*`, the other `POST /endpoints/{name}/invocations`, and the plane tells them apart by path.
Checked on MiniStack 1.5.33.

Bodies and answers pass as raw bytes. Header names are handed on in lower case: MiniStack's dispatcher rewrites
`Content-Type` (so spelled) to what the service's protocol would use, but what an endpoint answers is the model's.
"""

from collections.abc import Awaitable
from typing import Any, Protocol

from ministack import app
from ministack.core import router

from penstock.localaws.extension import pin

Response = tuple[int, dict[str, str], bytes]


class Plane(Protocol):
    """What this hook needs of the SageMaker plane."""

    def handle_request(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]
    ) -> Awaitable[Response]:
        """Answer one HTTP request."""
        ...


def install(plane: Plane) -> None:
    """Register the service."""
    pin.require(__name__)

    async def handle(
        method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]
    ) -> Response:
        status, answered, content = await plane.handle_request(method, path, headers, body, query_params)
        return status, {name.lower(): value for name, value in answered.items()}, content

    app.SERVICE_HANDLERS["sagemaker"] = handle
    router.SERVICE_PATTERNS["sagemaker"] = {
        "target_prefixes": ["SageMaker."],
        "credential_scope": "sagemaker",
    }
