"""One asynchronous request: what InvokeEndpointAsync asks for, where its answer goes, and how it is kept."""

import base64
import dataclasses
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker.hosting.request_headers import number

LARGEST_INLINE_BYTES = 128_000
_PREFIX = "x-amzn-sagemaker-"
_PASSED = {
    "content-type": f"{_PREFIX}content-type",
    "accept": f"{_PREFIX}accept",
    f"{_PREFIX}custom-attributes": f"{_PREFIX}custom-attributes",
    f"{_PREFIX}inference-id": f"{_PREFIX}inference-id",
}


@dataclass(frozen=True)
class Request:
    """A request in the queue.

    Attributes:
        received: epoch seconds.
        headers: what the model is given.
        source: S3 URI of the input; None: it is `body`.
        output, failure: S3 URIs of the answer and of what the model says when it fails (None: nowhere).
        ttl: seconds it may wait, timeout: seconds it may be worked on.
        config: the endpoint's AsyncInferenceConfig.OutputConfig when it was received.
    """

    id: str
    inference_id: str
    endpoint: str
    received: float
    headers: Mapping[str, str]
    source: str | None
    body: bytes
    output: str
    failure: str | None
    ttl: int
    timeout: int
    config: Mapping[str, Any]

    @property
    def key(self) -> str:
        """Its name in the store: names sort as requests came."""
        return f"{self.endpoint}/{self.received:017.6f}/{self.id}"

    def expired(self, now: float) -> bool:
        """Whether it has waited too long at `now`."""
        return now - self.received > self.ttl

    def to_document(self) -> dict[str, Any]:
        """The request as a JSON object."""
        return {**dataclasses.asdict(self), "body": base64.b64encode(self.body).decode()}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Request":
        """The request `to_document` wrote."""
        return cls(**{**document, "body": base64.b64decode(document["body"])})


def read(
    endpoint: str, output: Mapping[str, Any], headers: Mapping[str, str], body: bytes, now: float
) -> Request:
    """The request of an InvokeEndpointAsync whose headers were checked; raises ServiceError.

    `output` is the AsyncInferenceConfig's OutputConfig.
    """
    source = _source(headers, body)
    own = str(uuid.uuid4())
    inference = headers.get(f"{_PREFIX}inference-id") or str(uuid.uuid4())
    passed = {name: headers[given] for name, given in _PASSED.items() if given in headers}
    failure = output.get("S3FailurePath")
    return Request(
        id=own,
        inference_id=inference,
        endpoint=endpoint,
        received=now,
        headers={**passed, f"{_PREFIX}inference-id": inference},
        source=source,
        body=body,
        output=_output(output["S3OutputPath"], headers, own),
        failure=f"{failure.rstrip('/')}/{own}-error.out" if failure else None,
        ttl=number(headers, f"{_PREFIX}requestttlseconds", "requestTTLSeconds", (60, 21600), 21600),
        timeout=number(
            headers, f"{_PREFIX}invocationtimeoutseconds", "invocationTimeoutSeconds", (1, 3600), 900
        ),
        config=output,
    )


def _source(headers: Mapping[str, str], body: bytes) -> str | None:
    """Where the input is, None: in the request."""
    source = headers.get(f"{_PREFIX}inputlocation")
    if (source is None) == (not body):
        raise _invalid("Provide exactly one of Body and InputLocation.")
    if len(body) > LARGEST_INLINE_BYTES:
        raise _invalid(
            "1 validation error detected: Value at 'body' failed to satisfy constraint: "
            f"Member must have length less than or equal to {LARGEST_INLINE_BYTES}"
        )
    if source is not None and not source.startswith("s3://"):
        raise _invalid(f"InputLocation {source} must be an S3 URI such as s3://bucket/key.")
    return source


def _output(path: str, headers: Mapping[str, str], own: str) -> str:
    """Where the answer goes: below the configured path, then the extension, under the name asked for or one of ours."""
    extension = headers.get(f"{_PREFIX}s3outputpathextension", "").strip("/")
    if ".." in extension.split("/"):
        raise _invalid(f"S3OutputPathExtension {extension} must not lead out of the output path.")
    name = headers.get(f"{_PREFIX}filename") or f"{own}.out"
    return "/".join(part for part in (path.rstrip("/"), extension, name) if part)


def _invalid(what: str) -> ServiceError:
    return ServiceError("ValidationError", what)
