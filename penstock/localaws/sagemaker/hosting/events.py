"""What EventBridge is told of endpoints: "SageMaker Endpoint State Change" and "... Deployment State Change"."""

import re
from typing import Any

from penstock.localaws.sagemaker.hosting import shown
from penstock.localaws.sagemaker.hosting.lifecycle import Announce, Endpoint, Progress
from penstock.localaws.sagemaker.names import arn, moment
from penstock.localaws.sagemaker.plane import Plane


def put(plane: Plane, endpoint: Endpoint, document: dict[str, Any], what: Announce | Progress) -> None:
    """Send the endpoint's state, or the stage of its deployment."""
    if isinstance(what, Announce):
        announce(plane, endpoint, document, what.reason)
    else:
        progress(plane, endpoint, document)


def announce(plane: Plane, endpoint: Endpoint, document: dict[str, Any], reason: str | None) -> None:
    """Send the endpoint's state; `reason` is why an update is rolled back, which no Describe tells."""
    detail = _detail(plane, endpoint, document)
    if endpoint.failure or reason:
        detail["FailureReason"] = endpoint.failure or reason
    plane.events.put("SageMaker Endpoint State Change", detail, [detail["EndpointArn"]])


def progress(plane: Plane, endpoint: Endpoint, document: dict[str, Any]) -> None:
    """Send the stage of the endpoint's deployment."""
    detail = _detail(plane, endpoint, document)
    if pending := shown.pending(endpoint, document):
        detail["PendingDeploymentSummary"] = pending
    plane.events.put("SageMaker Endpoint Deployment State Change", detail, [detail["EndpointArn"]])


def _detail(plane: Plane, endpoint: Endpoint, document: dict[str, Any]) -> dict[str, Any]:
    return {
        "EndpointName": endpoint.name,
        "EndpointArn": arn(plane.place, "endpoint", endpoint.name),
        "EndpointConfigName": endpoint.active.config if endpoint.active else endpoint.config,
        "ProductionVariants": shown.current(endpoint, document),
        "EndpointStatus": re.sub(r"(?<=[a-z])(?=[A-Z])", "_", endpoint.status).upper(),
        "CreationTime": moment(document["created"]),
        "LastModifiedTime": moment(document["modified"]),
        "Tags": {},
    }
