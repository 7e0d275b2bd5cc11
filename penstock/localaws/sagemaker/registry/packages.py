"""Model packages: numbered versions of a group, and packages without one; approval and its events."""

import json
from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker import listing, names, tags
from penstock.localaws.sagemaker.plane import Operation, Plane
from penstock.localaws.sagemaker.registry import groups, requests

Params = dict[str, Any]

_KIND, _TOKEN = groups.PACKAGE, "model-package-token"
_EVENT = "SageMaker Model Package State Change"
_NOT_KEPT = ("ClientToken", "Tags", "ModelPackageGroupName", "ModelPackageName", "ModelApprovalStatus")
_PENDING = "PendingManualApproval"
_REPLACED = (
    "InferenceSpecification",
    "SourceUri",
    "ModelCard",
    "ModelLifeCycle",
    "ModelPackageRegistrationType",
)


def _create(plane: Plane, params: Params) -> Params:
    """A new version of a group (or a package without group); the same ClientToken gives the same package again."""
    requests.check_new(params)
    with plane.store.transaction():
        token, content = params.get("ClientToken"), json.dumps(params, sort_keys=True)
        known = plane.store.get(_TOKEN, token) if token else None
        if known is not None and plane.store.get(_KIND, known["arn"]) is not None:
            return _repeated(known, content)
        package = _new(plane, params)
        if not plane.store.create(_KIND, package["arn"], package):
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


def _new(plane: Plane, params: Params) -> Params:
    now = plane.clock.now()
    source = params.get("SourceUri", "")
    cloned = _find(plane, source)["request"] if ":model-package/" in source else None
    full = requests.with_source(plane, params, cloned)
    document: Params = {
        "created": now,
        "modified": now,
        "status": "Completed",
        "request": {key: value for key, value in full.items() if key not in _NOT_KEPT},
    }
    if "ModelPackageGroupName" not in params:
        name = params["ModelPackageName"]
        arn = names.arn(plane.place, _KIND, name)
        return {**document, "name": name, "arn": arn, "group": None, "version": None, "approval": None}
    group = groups.find(plane, params["ModelPackageGroupName"])
    version = groups.next_version(plane, group)
    return {
        **document,
        "name": group["name"],
        "arn": names.arn(plane.place, _KIND, f"{group['name']}/{version}"),
        "group": group["name"],
        "version": version,
        "approval": params.get("ModelApprovalStatus", _PENDING),
    }


def _find(plane: Plane, name: str) -> Params:
    """The package of an ARN or a name (`group/3` of a version); raises ServiceError."""
    arn = name.lower() if name.startswith("arn:") else names.arn(plane.place, _KIND, name)
    found = plane.store.get(_KIND, arn)
    if found is None:
        raise requests.invalid(f"ModelPackage {arn} does not exist.")
    return found


def _summary(package: Params) -> Params:
    request = package["request"]
    summary = {
        "ModelPackageName": package["name"] if package["group"] is None else None,
        "ModelPackageGroupName": package["group"],
        "ModelPackageVersion": package["version"],
        "ModelPackageArn": package["arn"],
        "ModelPackageDescription": request.get("ModelPackageDescription"),
        "CreationTime": names.moment(package["created"]),
        "ModelPackageStatus": package["status"],
        "ModelApprovalStatus": package["approval"],
        "ModelLifeCycle": request.get("ModelLifeCycle"),
        "ModelPackageRegistrationType": request.get("ModelPackageRegistrationType"),
    }
    return {key: value for key, value in summary.items() if value is not None}


def _describe(plane: Plane, params: Params) -> Params:
    described = _described(plane, _find(plane, params["ModelPackageName"]))
    if params.get("IncludedData") == "MetadataOnly" and "ModelCard" in described:
        card = {key: value for key, value in described["ModelCard"].items() if key != "ModelCardContent"}
        return {**described, "ModelCard": card}
    return described


def _described(plane: Plane, package: Params) -> Params:
    """A version has no name of its own: its ARN and its group's name say which it is, and SDK v3 relies on that."""
    described = {
        "CertifyForMarketplace": False,
        **package["request"],
        **_summary(package),
        "ModelPackageStatusDetails": {"ValidationStatuses": [], "ImageScanStatuses": []},
        "CreatedBy": groups.owner(plane),
        "ApprovalDescription": package.get("approval_description"),
    }
    if package["modified"] != package["created"]:
        described |= {
            "LastModifiedTime": names.moment(package["modified"]),
            "LastModifiedBy": groups.owner(plane),
        }
    return {key: value for key, value in described.items() if value is not None}


def _batch_describe(plane: Plane, params: Params) -> Params:
    """BatchDescribeModelPackage: what there is, and why what there is not is missing."""
    found: Params = {}
    missing: Params = {}
    for arn in params["ModelPackageArnList"]:
        try:
            package = _find(plane, arn)
        except ServiceError as refused:
            missing[arn] = {"ErrorCode": refused.code, "ErrorResponse": refused.message}
            continue
        shown = _summary(package) | {
            "InferenceSpecification": package["request"].get("InferenceSpecification", {"Containers": []}),
            "ModelPackageGroupName": package["name"],
        }
        found[arn] = {
            key: value for key, value in shown.items() if key not in ("ModelPackageName", "ModelLifeCycle")
        }
    answer = {"ModelPackageSummaries": found, "BatchDescribeModelPackageErrorMap": missing}
    return {key: value for key, value in answer.items() if value}


def _list(plane: Plane, params: Params) -> Params:
    packages = [package for _, package in plane.store.all(_KIND)]
    wanted = params.get("ModelPackageGroupName")
    kind = params.get("ModelPackageType", "Both" if wanted else "Unversioned")
    if wanted:
        group = groups.find(plane, wanted)["name"]
        packages = [package for package in packages if package["group"] == group]
    if kind != "Both":
        packages = [one for one in packages if (one["group"] is not None) == (kind == "Versioned")]
    if "ModelApprovalStatus" in params:
        packages = [package for package in packages if package["approval"] == params["ModelApprovalStatus"]]
    return listing.page(params, packages, _summary, "ModelPackageSummaryList")


def _update(plane: Plane, params: Params) -> Params:
    """Approve or reject, change properties; what a deployment waits for is an event."""
    with plane.store.transaction():
        before = _find(plane, params["ModelPackageArn"])
        if before["group"] is None:
            raise requests.invalid(f"ModelPackage {before['arn']} is unversioned: only versions are updated.")
        after = {**_changed(before, params), "modified": plane.clock.now()}
        requests.check_content(after["request"])
        plane.store.put(_KIND, before["arn"], after)
    if _told(after) != _told(before):
        _tell(plane, after)
    return {"ModelPackageArn": after["arn"]}


def _changed(package: Params, params: Params) -> Params:
    request = dict(package["request"]) | {name: params[name] for name in _REPLACED if name in params}
    removed = params.get("CustomerMetadataPropertiesToRemove", [])
    properties = request.pop("CustomerMetadataProperties", {}) | params.get("CustomerMetadataProperties", {})
    left = {key: value for key, value in properties.items() if key not in removed}
    if left:
        request["CustomerMetadataProperties"] = left
    added = params.get("AdditionalInferenceSpecificationsToAdd", [])
    if added:
        had = request.get("AdditionalInferenceSpecifications", [])
        request["AdditionalInferenceSpecifications"] = [*had, *added]
    return {
        **package,
        "request": request,
        "approval": params.get("ModelApprovalStatus", package["approval"]),
        "approval_description": params.get("ApprovalDescription", package.get("approval_description")),
    }


def _delete(plane: Plane, params: Params) -> Params:
    with plane.store.transaction():
        package = _find(plane, params["ModelPackageName"])
        plane.store.delete(_KIND, package["arn"])
        tags.drop(plane, package["arn"])
    return {}


def _told(package: Params) -> tuple[Any, ...]:
    """What an event tells the change of."""
    return package["status"], package["approval"], package["request"].get("ModelLifeCycle")


def _tell(plane: Plane, package: Params) -> None:
    """EventBridge's "SageMaker Model Package State Change": what Describe answers, without the card."""
    detail = {key: value for key, value in _described(plane, package).items() if key != "ModelCard"}
    detail["ModelPackageName"] = package["arn"].rpartition("model-package/")[2]
    plane.events.put(_EVENT, detail, [package["arn"]])


OPERATIONS: dict[str, Operation] = {
    "CreateModelPackage": _create,
    "DescribeModelPackage": _describe,
    "BatchDescribeModelPackage": _batch_describe,
    "ListModelPackages": _list,
    "UpdateModelPackage": _update,
    "DeleteModelPackage": _delete,
}
