"""The model registry: model package groups and the versions in them, approval and its events."""

import json
from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker import listing, names, tags
from penstock.localaws.sagemaker.plane import Operation, Plane

Params = dict[str, Any]

_GROUP, _PACKAGE, _TOKEN = "model-package-group", "model-package", "model-package-token"
_EVENT = "SageMaker Model Package State Change"
_NOT_KEPT = ("ClientToken", "Tags", "ModelPackageGroupName", "ModelPackageName")
_PENDING = "PendingManualApproval"


# --- groups ---


def _create_group(plane: Plane, params: Params) -> Params:
    name, now = params["ModelPackageGroupName"], plane.clock.now()
    arn = names.arn(plane.place, _GROUP, name)
    document = {"name": name, "arn": arn, "created": now, "modified": now, "status": "Completed", "next": 1}
    with plane.store.transaction():
        if not plane.store.create(_GROUP, name, {**document, "request": params}):
            raise ServiceError("ValidationException", f"Model Package Group already exists: {arn}")
        tags.put(plane, arn, params.get("Tags"))
    return {"ModelPackageGroupArn": arn}


def _group(plane: Plane, name: str) -> Params:
    """The group of a name or ARN."""
    bare = name.rpartition("/")[2]
    found = plane.store.get(_GROUP, bare)
    if found is None:
        arn = names.arn(plane.place, _GROUP, bare)
        raise ServiceError("ValidationException", f"ModelPackageGroup {arn} does not exist.")
    return found


def _group_summary(group: Params) -> Params:
    summary = {
        "ModelPackageGroupName": group["name"],
        "ModelPackageGroupArn": group["arn"],
        "CreationTime": names.moment(group["created"]),
        "ModelPackageGroupStatus": group["status"],
    }
    described = group["request"].get("ModelPackageGroupDescription")
    return {**summary, "ModelPackageGroupDescription": described} if described else summary


def _describe_group(plane: Plane, params: Params) -> Params:
    return {**_group_summary(_group(plane, params["ModelPackageGroupName"])), "CreatedBy": {}}


def _list_groups(plane: Plane, params: Params) -> Params:
    groups = [group for _, group in plane.store.all(_GROUP)]
    return listing.page(params, groups, _group_summary, "ModelPackageGroupSummaryList")


def _delete_group(plane: Plane, params: Params) -> Params:
    with plane.store.transaction():
        group = _group(plane, params["ModelPackageGroupName"])
        if any(package["group"] == group["name"] for _, package in plane.store.all(_PACKAGE)):
            raise ServiceError(
                "ConflictException", "Model Package Group cannot be deleted as it contains model packages."
            )
        plane.store.delete(_GROUP, group["name"])
        tags.drop(plane, group["arn"])
    return {}


# --- packages ---


def _create_package(plane: Plane, params: Params) -> Params:
    """A new version of a group (or a package without group); the same ClientToken gives the same package again."""
    with plane.store.transaction():
        token, content = params.get("ClientToken"), json.dumps(params, sort_keys=True)
        known = plane.store.get(_TOKEN, token) if token else None
        if known is not None and plane.store.get(_PACKAGE, known["arn"]) is not None:
            return _repeated(known, content)
        package = _new_package(plane, params)
        if not plane.store.create(_PACKAGE, package["arn"], package):
            raise ServiceError("ConflictException", f"Model Package already exists: {package['arn']}")
        tags.put(plane, package["arn"], params.get("Tags"))
        if token:
            plane.store.put(_TOKEN, token, {"arn": package["arn"], "content": content})
    _tell(plane, package)
    return {"ModelPackageArn": package["arn"]}


def _repeated(known: Params, content: str) -> Params:
    if known["content"] != content:
        raise ServiceError(
            "ConflictException",
            f"The ClientToken was used before with other parameters, for {known['arn']}.",
        )
    return {"ModelPackageArn": known["arn"]}


def _new_package(plane: Plane, params: Params) -> Params:
    now = plane.clock.now()
    document: Params = {
        "created": now,
        "modified": now,
        "status": "Completed",
        "request": {key: value for key, value in params.items() if key not in _NOT_KEPT},
    }
    if "ModelPackageGroupName" not in params:
        if "ModelPackageName" not in params:
            raise ServiceError("ValidationException", "Specify ModelPackageGroupName or ModelPackageName.")
        name = params["ModelPackageName"]
        arn = names.arn(plane.place, _PACKAGE, name)
        return {**document, "name": name, "arn": arn, "group": None, "version": None, "approval": None}
    group = _group(plane, params["ModelPackageGroupName"])
    version = group["next"]
    plane.store.put(_GROUP, group["name"], {**group, "next": version + 1})
    return {
        **document,
        "name": group["name"],
        "arn": names.arn(plane.place, _PACKAGE, f"{group['name']}/{version}"),
        "group": group["name"],
        "version": version,
        "approval": params.get("ModelApprovalStatus", _PENDING),
    }


def _package(plane: Plane, name: str) -> Params:
    """The package of an ARN or a name."""
    arn = name if name.startswith("arn:") else names.arn(plane.place, _PACKAGE, name)
    found = plane.store.get(_PACKAGE, arn)
    if found is None:
        raise ServiceError("ValidationException", f"ModelPackage {arn} does not exist.")
    return found


def _package_summary(package: Params) -> Params:
    summary = {
        "ModelPackageName": package["name"] if package["group"] is None else None,
        "ModelPackageGroupName": package["group"],
        "ModelPackageVersion": package["version"],
        "ModelPackageArn": package["arn"],
        "ModelPackageDescription": package["request"].get("ModelPackageDescription"),
        "CreationTime": names.moment(package["created"]),
        "ModelPackageStatus": package["status"],
        "ModelApprovalStatus": package["approval"],
    }
    return {key: value for key, value in summary.items() if value is not None}


def _describe_package(plane: Plane, params: Params) -> Params:
    package = _package(plane, params["ModelPackageName"])
    detail = {"Name": package["name"], "Status": "Completed"}
    described = {
        **package["request"],
        **_package_summary(package),
        "ModelPackageName": package["name"],
        "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": [detail]},
        "CreatedBy": {},
        "ApprovalDescription": package.get("approval_description"),
    }
    if package["modified"] != package["created"]:
        described |= {"LastModifiedTime": names.moment(package["modified"]), "LastModifiedBy": {}}
    return {key: value for key, value in described.items() if value is not None}


def _list_packages(plane: Plane, params: Params) -> Params:
    packages = [package for _, package in plane.store.all(_PACKAGE)]
    wanted = params.get("ModelPackageGroupName")
    if wanted:
        group = _group(plane, wanted)["name"]
        packages = [package for package in packages if package["group"] == group]
    elif params.get("ModelPackageType", "Unversioned") != "Both":
        versioned = params.get("ModelPackageType") == "Versioned"
        packages = [package for package in packages if (package["group"] is not None) == versioned]
    if "ModelApprovalStatus" in params:
        packages = [package for package in packages if package["approval"] == params["ModelApprovalStatus"]]
    return listing.page(params, packages, _package_summary, "ModelPackageSummaryList")


def _update_package(plane: Plane, params: Params) -> Params:
    """Approve or reject, change properties; an approval that changes is an event."""
    with plane.store.transaction():
        before = _package(plane, params["ModelPackageArn"])
        after = {**_changed(before, params), "modified": plane.clock.now()}
        plane.store.put(_PACKAGE, before["arn"], after)
    if after["approval"] != before["approval"]:
        _tell(plane, after)
    return {"ModelPackageArn": after["arn"]}


def _changed(package: Params, params: Params) -> Params:
    request = dict(package["request"])
    for name in ("InferenceSpecification", "SourceUri", "ModelCard", "ModelLifeCycle"):
        if name in params:
            request[name] = params[name]
    removed = params.get("CustomerMetadataPropertiesToRemove", [])
    properties = request.get("CustomerMetadataProperties", {}) | params.get("CustomerMetadataProperties", {})
    if properties:
        request["CustomerMetadataProperties"] = {k: v for k, v in properties.items() if k not in removed}
    added = params.get("AdditionalInferenceSpecificationsToAdd", [])
    if added:
        request["AdditionalInferenceSpecifications"] = [
            *request.get("AdditionalInferenceSpecifications", []),
            *added,
        ]
    return {
        **package,
        "request": request,
        "approval": params.get("ModelApprovalStatus", package["approval"]),
        "approval_description": params.get("ApprovalDescription", package.get("approval_description")),
    }


def _delete_package(plane: Plane, params: Params) -> Params:
    with plane.store.transaction():
        package = _package(plane, params["ModelPackageName"])
        plane.store.delete(_PACKAGE, package["arn"])
        tags.drop(plane, package["arn"])
    return {}


def _tell(plane: Plane, package: Params) -> None:
    """EventBridge's "SageMaker Model Package State Change"."""
    request = package["request"]
    detail = {
        "ModelPackageName": package["arn"].rpartition("model-package/")[2],
        "ModelPackageGroupName": package["group"],
        "ModelPackageVersion": package["version"],
        "ModelPackageArn": package["arn"],
        "ModelPackageStatus": package["status"],
        "ModelApprovalStatus": package["approval"],
        "CreationTime": names.moment(package["created"]),
        "ApprovalDescription": package.get("approval_description"),
        "InferenceSpecification": request.get("InferenceSpecification"),
        "ModelMetrics": request.get("ModelMetrics"),
        "CustomerMetadataProperties": request.get("CustomerMetadataProperties"),
    }
    plane.events.put(_EVENT, {k: v for k, v in detail.items() if v is not None}, [package["arn"]])


OPERATIONS: dict[str, Operation] = {
    "CreateModelPackageGroup": _create_group,
    "DescribeModelPackageGroup": _describe_group,
    "ListModelPackageGroups": _list_groups,
    "DeleteModelPackageGroup": _delete_group,
    "CreateModelPackage": _create_package,
    "DescribeModelPackage": _describe_package,
    "ListModelPackages": _list_packages,
    "UpdateModelPackage": _update_package,
    "DeleteModelPackage": _delete_package,
}
