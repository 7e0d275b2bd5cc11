"""What SNS is told of asynchronous requests that are done: AWS's InferenceResult message."""

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from penstock.localaws.execution.place import Place
from penstock.localaws.sagemaker.hosting.async_requests import Request

_LARGEST_RESPONSE = 128 * 1024
_HINT = "Check S3 path location(if configured) or Cloudwatch for additional details."
_PARAMETERS = {
    "accept": "accept",
    "contentType": "content-type",
    "customAttributes": "x-amzn-sagemaker-custom-attributes",
}


@dataclass(frozen=True)
class Result:
    """How a request ended.

    Attributes:
        reason: why it failed, None when it did not.
        content_type: of what the model answered.
        content: what the model answered, None when that is too long for a message (or nothing came).
    """

    reason: str | None = None
    content_type: str | None = None
    content: bytes | None = None


def may_be_included(size: int) -> bool:
    """Whether an answer of that many bytes may be part of a message."""
    return size <= _LARGEST_RESPONSE


def topic(request: Request, result: Result) -> str | None:
    """The topic that hears of the result, None: nobody does."""
    wanted = "SuccessTopic" if result.reason is None else "ErrorTopic"
    found: str | None = request.config.get("NotificationConfig", {}).get(wanted)
    return found


def message(place: Place, request: Request, result: Result, now: float) -> str:
    """The message as JSON."""
    document: dict[str, Any] = {
        "awsRegion": place.region,
        "eventTime": _moment(now),
        "receivedTime": _moment(request.received),
        "invocationStatus": "Completed" if result.reason is None else "Failed",
    }
    if result.reason is not None:
        document["failureReason"] = result.reason
    document["requestParameters"] = _parameters(request)
    if result.reason is None:
        kind = {"contentType": result.content_type} if result.content_type else {}
        document["responseParameters"] = {**kind, "outputLocation": request.output}
    if _wants_response(request, result) and result.content is not None:
        content = base64.b64encode(result.content).decode()
        document["responseBody"] = {"content": content, "message": _HINT, "encoding": "BASE64"}
    document |= {
        "inferenceId": request.inference_id,
        "eventVersion": "1.0",
        "eventSource": "aws:sagemaker",
        "eventName": "InferenceResult",
    }
    return json.dumps(document, separators=(",", ":"))


def _parameters(request: Request) -> dict[str, str]:
    shown = {name: request.headers[given] for name, given in _PARAMETERS.items() if given in request.headers}
    shown["endpointName"] = request.endpoint
    if request.source is not None:
        shown["inputLocation"] = request.source
    return shown


def _wants_response(request: Request, result: Result) -> bool:
    which = "SUCCESS_NOTIFICATION_TOPIC" if result.reason is None else "ERROR_NOTIFICATION_TOPIC"
    return which in request.config.get("NotificationConfig", {}).get("IncludeInferenceResponseIn", [])


def _moment(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
