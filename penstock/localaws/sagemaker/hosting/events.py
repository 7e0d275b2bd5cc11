"""What EventBridge is told of endpoints: "SageMaker Endpoint State Change"."""

import re
from typing import Any

from penstock.localaws.sagemaker.hosting.lifecycle import Endpoint, Fleet
from penstock.localaws.sagemaker.names import arn, moment
from penstock.localaws.sagemaker.plane import Plane


def announce(plane: Plane, endpoint: Endpoint, document: dict[str, Any], reason: str | None) -> None:
    """Send the endpoint's state; `reason` is why an update is rolled back, which no Describe tells."""
    address = arn(plane.place, "endpoint", endpoint.name)
    detail: dict[str, Any] = {
        "EndpointName": endpoint.name,
        "EndpointArn": address,
        "EndpointConfigName": endpoint.active.config if endpoint.active else endpoint.config,
        "ProductionVariants": variants(endpoint.active),
        "EndpointStatus": re.sub(r"(?<=[a-z])(?=[A-Z])", "_", endpoint.status).upper(),
        "CreationTime": moment(document["created"]),
        "LastModifiedTime": moment(document["modified"]),
        "Tags": {},
    }
    if endpoint.failure or reason:
        detail["FailureReason"] = endpoint.failure or reason
    plane.events.put("SageMaker Endpoint State Change", detail, [address])


def variants(fleet: Fleet | None) -> list[dict[str, Any]]:
    """Production variants as Describe and events show them."""
    return [
        {
            "VariantName": variant.name,
            "DeployedImages": [{"SpecifiedImage": variant.image, "ResolvedImage": variant.image}],
            "CurrentWeight": variant.weight,
            "DesiredWeight": variant.weight,
            "CurrentInstanceCount": variant.count,
            "DesiredInstanceCount": variant.count,
        }
        for variant in (fleet.variants if fleet else ())
    ]
