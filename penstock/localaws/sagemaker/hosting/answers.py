"""What the runtime answers: statuses, headers and error documents as AWS sends them."""

import json
import uuid
from typing import Any

from penstock.localaws.execution.place import Place
from penstock.localaws.sagemaker.hosting.http_client import Reply

Response = tuple[int, dict[str, str], bytes]

_ANSWERED = {
    "x-amzn-sagemaker-custom-attributes": "X-Amzn-SageMaker-Custom-Attributes",
    "x-amzn-sagemaker-new-session-id": "X-Amzn-SageMaker-New-Session-Id",
    "x-amzn-sagemaker-closed-session-id": "X-Amzn-SageMaker-Closed-Session-Id",
}


def invoked(variant: str, reply: Reply) -> Response:
    """InvokeEndpoint's answer to what the model said."""
    headers = {
        "Content-Type": reply.headers.get("content-type", "application/octet-stream"),
        "x-Amzn-Invoked-Production-Variant": variant,
        "x-amzn-RequestId": str(uuid.uuid4()),
    }
    headers |= {shown: reply.headers[name] for name, shown in _ANSWERED.items() if name in reply.headers}
    return 200, headers, reply.body


def model_error_text(place: Place, endpoint: str, reply: Reply) -> str:
    """What AWS says of a model's 4xx or 5xx."""
    kind = "client" if 400 <= reply.status < 500 else "server"
    return (
        f"Received {kind} error ({reply.status}) from primary with message "
        f'"{_said(reply)}". See https://{place.region}.console.aws.amazon.com/cloudwatch/home?region={place.region}'
        f"#logEventViewer:group={_group(endpoint)} in account {place.account} for more information."
    )


def model_error(place: Place, endpoint: str, reply: Reply) -> Response:
    """ModelError; the status is 0 when no answer came."""
    client = 400 <= reply.status < 500
    members = {
        "ErrorCode": "CLIENT_ERROR_FROM_MODEL" if client else "INTERNAL_FAILURE_FROM_MODEL",
        "LogStreamArn": f"arn:aws:logs:{place.region}:{place.account}:log-group:{_group(endpoint)}",
        "Message": model_error_text(place, endpoint, reply),
        "OriginalMessage": _said(reply),
        "OriginalStatusCode": reply.status,
    }
    return error(424, "ModelError", members)


def error(status: int, code: str, members: dict[str, Any]) -> Response:
    """An error document. What the front of the service refuses (413) has a status and no type."""
    headers = {"Content-Type": "application/json", "x-amzn-RequestId": str(uuid.uuid4())}
    if code != str(status):
        headers["x-amzn-ErrorType"] = code
    return status, headers, json.dumps(members).encode()


def _said(reply: Reply) -> str:
    return reply.body.decode("utf-8", "replace")


def _group(endpoint: str) -> str:
    return f"/aws/sagemaker/Endpoints/{endpoint}"
