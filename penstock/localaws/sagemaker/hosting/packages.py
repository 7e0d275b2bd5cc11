"""A container that names a model package: what the registry's version says stands in its place."""

from collections.abc import Mapping
from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker import registry
from penstock.localaws.sagemaker.plane import Plane

_TAKEN = ("Image", "ModelDataUrl", "ModelDataSource", "Environment")


def resolved(plane: Plane, container: Mapping[str, Any]) -> dict[str, Any]:
    """The container as it runs; raises ServiceError for a package that is absent, not approved, or says nothing.

    The container's own environment adds to the package's and wins.
    """
    if "ModelPackageName" not in container:
        return dict(container)
    for member in ("Image", "ModelDataUrl", "ModelDataSource"):
        if member in container:
            raise _invalid(f"Specify either {member} or ModelPackageName, and not both.")
    package = registry.OPERATIONS["DescribeModelPackage"](
        plane, {"ModelPackageName": container["ModelPackageName"]}
    )
    address, approval = package["ModelPackageArn"], package.get("ModelApprovalStatus", "Approved")
    if approval != "Approved":
        raise _invalid(
            f"Cannot create Model from ModelPackage {address}: its approval status is {approval}. "
            "Set ModelApprovalStatus to Approved with UpdateModelPackage first."
        )
    found = _only_container(package, container.get("InferenceSpecificationName"))
    environment = found.get("Environment", {}) | container.get("Environment", {})
    taken = {member: found[member] for member in _TAKEN if found.get(member)}
    return {**container, **taken, "Environment": environment}


def _only_container(package: Mapping[str, Any], name: str | None) -> Mapping[str, Any]:
    address = package["ModelPackageArn"]
    specification = package.get("InferenceSpecification")
    if name is not None:
        others = package.get("AdditionalInferenceSpecifications", [])
        specification = next((one for one in others if one["Name"] == name), None)
    if not specification or not specification.get("Containers"):
        which = f"inference specification {name}" if name else "InferenceSpecification"
        raise _invalid(f"ModelPackage {address} has no {which}: a model cannot be made from it.")
    containers = specification["Containers"]
    if len(containers) > 1:
        raise _invalid(
            f"ModelPackage {address} has {len(containers)} containers: "
            "inference pipelines are not part of the embedded AWS."
        )
    only: Mapping[str, Any] = containers[0]
    return only


def _invalid(what: str) -> ServiceError:
    return ServiceError("ValidationException", what)
