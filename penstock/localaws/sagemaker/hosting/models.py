"""Models: a container image (its name only: the model server of this repository runs it), model data, environment.

An endpoint keeps a copy of what it needs, so a model may be deleted while it is served, as on AWS.
"""

from collections.abc import Mapping
from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker import listing, tags
from penstock.localaws.sagemaker.hosting import artifacts, packages
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
    """The one container of a model, with what its model package says; ServiceError when there is no such model."""
    model = find(plane, name)
    return model.get("resolved") or _container(model)


def data_of(container: Mapping[str, Any]) -> tuple[str | None, str]:
    """Where a container's model data is (None: it has none) and of what kind (see `artifacts`)."""
    source = container.get("ModelDataSource", {}).get("S3DataSource")
    if source is not None:
        gzip, prefix = source["CompressionType"] == "Gzip", source["S3DataType"] == "S3Prefix"
        whole = artifacts.PREFIX if prefix else artifacts.OBJECT
        packed = artifacts.ONLY if prefix else artifacts.ARCHIVE
        return source["S3Uri"], packed if gzip else whole
    many = container.get("Mode") == "MultiModel"
    return container.get("ModelDataUrl"), artifacts.MANY if many else artifacts.ARCHIVE


def find(plane: Plane, name: str) -> dict[str, Any]:
    """The stored model; raises ServiceError in AWS's words."""
    found = plane.store.get(KIND, name)
    if found is None:
        raise ServiceError("ValidationException", f'Could not find model "{arn(plane.place, KIND, name)}".')
    return found


def create(plane: Plane, params: dict[str, Any]) -> dict[str, Any]:
    """CreateModel; a model package is looked up now, so what becomes of it later does not change the model."""
    _check(params)
    name = params["ModelName"]
    address = arn(plane.place, KIND, name)
    model = {**params, "resolved": packages.resolved(plane, _container(params)), "created": plane.clock.now()}
    _check_container(model["resolved"])
    if not plane.store.create(KIND, name, model):
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
        raise _invalid("Specify either PrimaryContainer or Containers, and not both.")
    if len(params.get("Containers", [])) > 1:
        raise _invalid("Inference pipelines (several Containers) are not part of the embedded AWS.")


def _check_container(container: Mapping[str, Any]) -> None:
    if "Image" not in container:
        raise _invalid("The container needs an Image or a ModelPackageName.")
    if container.get("AdditionalModelDataSources"):
        raise _invalid("AdditionalModelDataSources are not part of the embedded AWS. Leave them out.")
    many = container.get("Mode", "SingleModel") == "MultiModel"
    if container.get("MultiModelConfig") and not many:
        raise _invalid("MultiModelConfig is for a container whose Mode is MultiModel.")
    if "ModelDataSource" in container:
        _check_source(container, many)
    url = container.get("ModelDataUrl")
    if many and (url is None or not url.startswith("s3://") or url.endswith(".tar.gz")):
        raise _invalid(
            "A multi-model container needs a ModelDataUrl that is a prefix such as s3://bucket/models/."
        )
    if not many and url is not None and not (url.startswith("s3://") and url.endswith(".tar.gz")):
        raise _invalid(f"ModelDataUrl {url} must be s3://bucket/key.tar.gz.")


def _check_source(container: Mapping[str, Any], many: bool) -> None:
    """What botocore's model cannot say of a ModelDataSource."""
    if many or "ModelDataUrl" in container:
        other = "a multi-model container" if many else "ModelDataUrl"
        raise _invalid(f"ModelDataSource cannot be used together with {other}.")
    source = container["ModelDataSource"].get("S3DataSource")
    if source is None:
        raise _invalid("ModelDataSource needs an S3DataSource.")
    absent = [member for member in ("HubAccessConfig", "ManifestS3Uri") if source.get(member)]
    if absent:
        raise _invalid(f"{absent[0]} of an S3DataSource is not part of the embedded AWS. Leave it out.")
    uri, prefix = source["S3Uri"], source["S3DataType"] == "S3Prefix"
    if not uri.startswith("s3://") or uri.endswith("/") != prefix:
        wanted = "a prefix that ends with /" if prefix else "an object"
        raise _invalid(f"S3Uri {uri} must name {wanted}: S3DataType is {source['S3DataType']}.")


def _invalid(what: str) -> ServiceError:
    return ServiceError("ValidationException", what)


OPERATIONS: dict[str, Operation] = {
    "CreateModel": create,
    "DescribeModel": describe,
    "ListModels": list_models,
    "DeleteModel": delete,
}
