"""Models: a container image (its name only: the model server of this repository runs it), model data, environment.

An endpoint keeps a copy of what it needs, so a model may be deleted while it is served, as on AWS.
"""

from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker import listing, tags
from penstock.localaws.sagemaker.names import arn, moment
from penstock.localaws.sagemaker.plane import Operation, Plane

KIND = "model"
_KEPT = (
    "ModelName",
    "PrimaryContainer",
    "Containers",
    "ExecutionRoleArn",
    "VpcConfig",
    "InferenceExecutionConfig",
)


def container_of(plane: Plane, name: str) -> dict[str, Any]:
    """The one container of a model; raises ServiceError when there is no such model."""
    return _container(find(plane, name))


def find(plane: Plane, name: str) -> dict[str, Any]:
    """The stored model; raises ServiceError in AWS's words."""
    found = plane.store.get(KIND, name)
    if found is None:
        raise ServiceError("ValidationException", f'Could not find model "{arn(plane.place, KIND, name)}".')
    return found


def create(plane: Plane, params: dict[str, Any]) -> dict[str, Any]:
    """CreateModel."""
    _check(params)
    name = params["ModelName"]
    address = arn(plane.place, KIND, name)
    if not plane.store.create(KIND, name, {**params, "created": plane.clock.now()}):
        raise ServiceError("ValidationException", f'Cannot create already existing model "{address}".')
    tags.put(plane, address, params.get("Tags"))
    return {"ModelArn": address}


def describe(plane: Plane, params: dict[str, Any]) -> dict[str, Any]:
    """DescribeModel."""
    found = find(plane, params["ModelName"])
    answer = {member: found[member] for member in _KEPT if found.get(member)}
    for container in [answer.get("PrimaryContainer"), *answer.get("Containers", [])]:
        if container is not None:
            container.setdefault("Mode", "SingleModel")
    return answer | {
        "ModelArn": arn(plane.place, KIND, found["ModelName"]),
        "CreationTime": moment(found["created"]),
        "EnableNetworkIsolation": found.get("EnableNetworkIsolation", False),
    }


def list_models(plane: Plane, params: dict[str, Any]) -> dict[str, Any]:
    """ListModels."""
    records = [
        {"name": name, "created": one["created"], "modified": one["created"], "status": None}
        for name, one in plane.store.all(KIND)
    ]

    def summary(record: dict[str, Any]) -> dict[str, Any]:
        return {
            "ModelName": record["name"],
            "ModelArn": arn(plane.place, KIND, record["name"]),
            "CreationTime": moment(record["created"]),
        }

    return listing.page(params, records, summary, "Models")


def delete(plane: Plane, params: dict[str, Any]) -> dict[str, Any]:
    """DeleteModel."""
    find(plane, params["ModelName"])
    plane.store.delete(KIND, params["ModelName"])
    tags.drop(plane, arn(plane.place, KIND, params["ModelName"]))
    return {}


def _container(model: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = model.get("PrimaryContainer") or model["Containers"][0]
    return found


def _check(params: dict[str, Any]) -> None:
    if bool(params.get("PrimaryContainer")) == bool(params.get("Containers")):
        raise ServiceError(
            "ValidationException", "Specify either PrimaryContainer or Containers, and not both."
        )
    if len(params.get("Containers", [])) > 1:
        raise ServiceError(
            "ValidationException",
            "Inference pipelines (several Containers) are not part of the embedded AWS.",
        )
    container = _container(params)
    if "Image" not in container:
        raise ServiceError(
            "ValidationException",
            "The container needs an Image; ModelPackageName is not part of the embedded AWS.",
        )
    if container.get("Mode", "SingleModel") != "SingleModel" or "ModelDataSource" in container:
        raise ServiceError(
            "ValidationException",
            "Multi-model containers and ModelDataSource are not part of the embedded AWS: use ModelDataUrl.",
        )
    url = container.get("ModelDataUrl")
    if url is not None and not (url.startswith("s3://") and url.endswith(".tar.gz")):
        raise ServiceError("ValidationException", f"ModelDataUrl {url} must be s3://bucket/key.tar.gz.")


OPERATIONS: dict[str, Operation] = {
    "CreateModel": create,
    "DescribeModel": describe,
    "ListModels": list_models,
    "DeleteModel": delete,
}
