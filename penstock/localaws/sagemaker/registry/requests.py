"""What AWS refuses of a model package besides what the service model says, and what is taken from a source."""

import json
from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker.plane import Plane

Params = dict[str, Any]
_MOST_SPECIFICATIONS = 15
_MOST_PROPERTIES = 50
_OF_A_CONTAINER = ("Image", "ModelDataUrl", "ModelDataSource", "Environment", "ContainerHostname")
_SUPPORTED: dict[str, list[str]] = {"SupportedContentTypes": [], "SupportedResponseMIMETypes": []}


def check_new(params: Params) -> None:
    """Refuse a CreateModelPackage that AWS refuses; raises ServiceError."""
    if "ModelPackageGroupName" in params:
        _check_versioned(params)
    else:
        _check_unversioned(params)
    if params.get("ValidationSpecification"):
        raise invalid("ValidationSpecification is not part of the embedded AWS. Leave it out.")
    check_content(params)


def _check_versioned(params: Params) -> None:
    if "ModelPackageName" in params:
        raise invalid(
            "Both ModelPackageGroupName and ModelPackageName are provided in the input. "
            "Cannot determine which one to use."
        )
    if params.get("Tags"):
        raise invalid("A model package in a group uses the tags of its group: tag the group instead.")
    if params.get("CertifyForMarketplace"):  # SDKs say False
        raise invalid("CertifyForMarketplace does not apply to versioned model packages.")


def _check_unversioned(params: Params) -> None:
    if "ModelPackageName" not in params:
        raise invalid("Specify ModelPackageGroupName or ModelPackageName.")
    if "InferenceSpecification" not in params and "SourceAlgorithmSpecification" not in params:
        raise invalid("Specify InferenceSpecification or SourceAlgorithmSpecification.")
    containers = params.get("InferenceSpecification", {}).get("Containers", [])
    if any(container.get("Environment") for container in containers):
        raise invalid(
            "1 validation errors detected:Environment variable map cannot be specified when using "
            "non-versioned ModelPackages"
        )


def check_content(request: Params) -> None:
    """Refuse what a package cannot hold, when it is made and after an update; raises ServiceError."""
    specifications = request.get("AdditionalInferenceSpecifications", [])
    named = [one["Name"] for one in specifications]
    if len(named) > _MOST_SPECIFICATIONS:
        raise invalid(f"There can be at most {_MOST_SPECIFICATIONS} additional inference specifications.")
    if len(set(named)) < len(named):
        raise invalid("The names of additional inference specifications must be unique.")
    if len(request.get("CustomerMetadataProperties", {})) > _MOST_PROPERTIES:
        raise invalid(f"A model package can have at most {_MOST_PROPERTIES} customer metadata properties.")
    content = request.get("ModelCard", {}).get("ModelCardContent")
    if content is not None:
        try:
            json.loads(content)
        except (ValueError, RecursionError) as error:
            raise invalid(f"ModelCardContent is not JSON: {error}") from error


def with_source(plane: Plane, params: Params, source: Params | None) -> Params:
    """The request with what SourceUri brings: of a package that is cloned (`source`), or of a model's container."""
    uri = params.get("SourceUri", "")
    if source is not None:
        kept = ("InferenceSpecification", "ModelMetrics", "CustomerMetadataProperties", "Domain", "Task")
        return {key: source[key] for key in kept if key in source} | params
    if ":model/" not in uri or "InferenceSpecification" in params:
        return params
    name = uri.rpartition("/")[2]
    model = next((one for had, one in plane.store.all("model") if had.lower() == name.lower()), None)
    if model is None:
        raise invalid(f'Could not find model "{uri}".')
    containers = model.get("Containers") or [model["PrimaryContainer"]]
    taken = [{key: one[key] for key in _OF_A_CONTAINER if one.get(key)} for one in containers]
    return {**params, "InferenceSpecification": {"Containers": taken, **_SUPPORTED}}


def invalid(text: str) -> ServiceError:
    """AWS's ValidationException with that text."""
    return ServiceError("ValidationException", text)
