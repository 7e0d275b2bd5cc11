"""Endpoint configurations: which models, how many instances, what share of the traffic, what else happens to requests.

What they must satisfy is in `config_rules`; what the embedded AWS would have to ignore is refused.
"""

from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker import listing, tags
from penstock.localaws.sagemaker.hosting import config_rules, models
from penstock.localaws.sagemaker.names import arn, moment
from penstock.localaws.sagemaker.plane import Operation, Plane

KIND = "endpoint-config"
_KEPT = (
    "EndpointConfigName",
    "ProductionVariants",
    "KmsKeyId",
    "DataCaptureConfig",
    "AsyncInferenceConfig",
    "ShadowProductionVariants",
    "MetricsConfig",
    "ExecutionRoleArn",
    "VpcConfig",
)


def find(plane: Plane, name: str) -> dict[str, Any]:
    """The stored configuration; raises ServiceError in AWS's words."""
    found = plane.store.get(KIND, name)
    if found is None:
        address = arn(plane.place, KIND, name)
        raise ServiceError("ValidationException", f'Could not find endpoint configuration "{address}".')
    return found


def create(plane: Plane, params: dict[str, Any]) -> dict[str, Any]:
    """CreateEndpointConfig: the models must exist already."""
    config_rules.required(params)
    named = [*params["ProductionVariants"], *params.get("ShadowProductionVariants", [])]
    containers = {one["ModelName"]: models.container_of(plane, one["ModelName"]) for one in named}
    config_rules.check(params, containers)
    name = params["EndpointConfigName"]
    address = arn(plane.place, KIND, name)
    if not plane.store.create(KIND, name, {**params, "created": plane.clock.now()}):
        raise ServiceError(
            "ValidationException", f'Cannot create already existing endpoint configuration "{address}".'
        )
    tags.put(plane, address, params.get("Tags"))
    return {"EndpointConfigArn": address}


def describe(plane: Plane, params: dict[str, Any]) -> dict[str, Any]:
    """DescribeEndpointConfig."""
    found = find(plane, params["EndpointConfigName"])
    answer = {member: found[member] for member in _KEPT if found.get(member)}
    for variant in [*answer["ProductionVariants"], *answer.get("ShadowProductionVariants", [])]:
        variant.setdefault("InitialVariantWeight", 1.0)
    return answer | {
        "EndpointConfigArn": arn(plane.place, KIND, found["EndpointConfigName"]),
        "CreationTime": moment(found["created"]),
        "EnableNetworkIsolation": found.get("EnableNetworkIsolation", False),
    }


def list_configs(plane: Plane, params: dict[str, Any]) -> dict[str, Any]:
    """ListEndpointConfigs."""
    records = [
        {"name": name, "created": one["created"], "modified": one["created"], "status": None}
        for name, one in plane.store.all(KIND)
    ]

    def summary(record: dict[str, Any]) -> dict[str, Any]:
        return {
            "EndpointConfigName": record["name"],
            "EndpointConfigArn": arn(plane.place, KIND, record["name"]),
            "CreationTime": moment(record["created"]),
        }

    return listing.page(params, records, summary, "EndpointConfigs")


def delete(plane: Plane, params: dict[str, Any]) -> dict[str, Any]:
    """DeleteEndpointConfig; endpoints that use it go on."""
    find(plane, params["EndpointConfigName"])
    plane.store.delete(KIND, params["EndpointConfigName"])
    tags.drop(plane, arn(plane.place, KIND, params["EndpointConfigName"]))
    return {}


OPERATIONS: dict[str, Operation] = {
    "CreateEndpointConfig": create,
    "DescribeEndpointConfig": describe,
    "ListEndpointConfigs": list_configs,
    "DeleteEndpointConfig": delete,
}
