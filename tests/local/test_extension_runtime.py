"""InvokeEndpoint reaches the SageMaker plane byte for byte, and its answer comes back as the model gave it."""

import asyncio
from collections.abc import Iterator
from typing import Any

import ministack.app
import pytest
from ministack.core import router

from penstock.localaws.extension import sagemaker_service

SIGNED = "AWS4-HMAC-SHA256 Credential=test/20261121/us-east-1/sagemaker/aws4_request, SignedHeaders=host, Signature=x"


class Echo:
    """A plane that answers what it got, as CSV and with headers of its own."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str]]] = []

    async def handle_request(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query_params: dict[str, Any]
    ) -> tuple[int, dict[str, str], bytes]:
        self.seen.append((method, path, headers))
        answer = {
            "Content-Type": "text/csv; charset=utf-8",
            "x-Amzn-Invoked-Production-Variant": "blue",
            "X-Amzn-SageMaker-Custom-Attributes": "a=1",
        }
        return 200, answer, body


@pytest.fixture
def echo() -> Iterator[Echo]:
    before = ministack.app.SERVICE_HANDLERS.get("sagemaker")
    plane = Echo()
    sagemaker_service.install(plane)
    yield plane
    ministack.app.SERVICE_HANDLERS.pop("sagemaker")
    router.SERVICE_PATTERNS.pop("sagemaker")
    if before is not None:
        ministack.app.SERVICE_HANDLERS["sagemaker"] = before


async def post(path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
    """One request to MiniStack's application, as a server would hand it on."""
    sent: list[dict[str, Any]] = []
    raw = [
        (name.encode(), value.encode())
        for name, value in {"content-length": str(len(body)), **headers}.items()
    ]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "headers": raw,
        "query_string": b"",
        "scheme": "http",
    }
    await ministack.app.app(scope, receive, send)
    answered = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], answered, b"".join(message.get("body", b"") for message in sent[1:])


@pytest.mark.parametrize(
    "body", [b"", b"\x00\xff\r\n" * 10, b"x" * 25 * 1024 * 1024], ids=["empty", "binary", "25 MB"]
)
def test_bodies_and_headers_pass_unchanged(echo: Echo, body: bytes) -> None:
    headers = {
        "authorization": SIGNED,
        "host": "127.0.0.1:4566",
        "content-type": "application/octet-stream",
        "accept": "text/csv",
        "x-amzn-sagemaker-inference-id": "me",
    }
    status, answered, content = asyncio.run(
        post("/endpoints/penstock-local-churn/invocations", headers, body)
    )
    assert status == 200
    assert content == body
    assert answered["content-type"] == "text/csv; charset=utf-8"
    assert answered["x-amzn-invoked-production-variant"] == "blue"
    assert answered["x-amzn-sagemaker-custom-attributes"] == "a=1"
    ((method, path, seen),) = echo.seen
    assert (method, path) == ("POST", "/endpoints/penstock-local-churn/invocations")
    assert (seen["accept"], seen["x-amzn-sagemaker-inference-id"]) == ("text/csv", "me")


def test_the_control_plane_goes_by_its_target(echo: Echo) -> None:
    headers = {"authorization": SIGNED, "host": "127.0.0.1:4566", "x-amz-target": "SageMaker.ListModels"}
    assert asyncio.run(post("/", headers, b"{}"))[2] == b"{}"
    assert echo.seen[0][2]["x-amz-target"] == "SageMaker.ListModels"
