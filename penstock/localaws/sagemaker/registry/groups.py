"""Model package groups and their resource policies."""

import json
from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker import listing, names, tags
from penstock.localaws.sagemaker.plane import Operation, Plane

Params = dict[str, Any]
KIND = "model-package-group"
PACKAGE = "model-package"
_POLICY = "model-package-group-policy"


def find(plane: Plane, name: str) -> Params:
    """The group of a name or ARN; raises ServiceError in AWS's words."""
    found = _find(plane, name)
    if found is None:
        raise _invalid(f"ModelPackageGroup {_arn(plane, name)} does not exist.")
    return found


def next_version(plane: Plane, group: Params) -> int:
    """The number of the group's next version, which no other will have."""
    version: int = group["next"]
    plane.store.put(KIND, group["name"], {**group, "next": version + 1})
    return version


def owner(plane: Plane) -> Params:
    """Who made something: the account's root, as nobody signs in here."""
    account = plane.place.account
    return {"IamIdentity": {"Arn": f"arn:aws:iam::{account}:root", "PrincipalId": account}}


def _arn(plane: Plane, name: str) -> str:
    return name if name.startswith("arn:") else names.arn(plane.place, KIND, name)


def _find(plane: Plane, name: str) -> Params | None:
    """By name as it was given, or by ARN, where names are in lower case."""
    if not name.startswith("arn:"):
        return plane.store.get(KIND, name)
    return next((one for _, one in plane.store.all(KIND) if one["arn"] == name.lower()), None)


def _create(plane: Plane, params: Params) -> Params:
    name, now = params["ModelPackageGroupName"], plane.clock.now()
    arn = names.arn(plane.place, KIND, name)
    document = {"name": name, "arn": arn, "created": now, "modified": now, "status": "Completed", "next": 1}
    with plane.store.transaction():
        if _find(plane, arn) is not None:
            raise _invalid(f"Model Package Group already exists: {arn}")
        plane.store.put(KIND, name, {**document, "request": params})
        tags.put(plane, arn, params.get("Tags"))
    return {"ModelPackageGroupArn": arn}


def _summary(group: Params) -> Params:
    summary = {
        "ModelPackageGroupName": group["name"],
        "ModelPackageGroupArn": group["arn"],
        "ModelPackageGroupDescription": group["request"].get("ModelPackageGroupDescription"),
        "CreationTime": names.moment(group["created"]),
        "ModelPackageGroupStatus": group["status"],
    }
    return {key: value for key, value in summary.items() if value is not None}


def _describe(plane: Plane, params: Params) -> Params:
    group = find(plane, params["ModelPackageGroupName"])
    described = {**_summary(group), "CreatedBy": owner(plane)}
    managed = group["request"].get("ManagedConfiguration")
    return {**described, "ManagedConfiguration": managed} if managed else described


def _list(plane: Plane, params: Params) -> Params:
    groups = [group for _, group in plane.store.all(KIND)]
    return listing.page(params, groups, _summary, "ModelPackageGroupSummaryList")


def _delete(plane: Plane, params: Params) -> Params:
    with plane.store.transaction():
        group = find(plane, params["ModelPackageGroupName"])
        if any(package["group"] == group["name"] for _, package in plane.store.all(PACKAGE)):
            raise ServiceError(
                "ConflictException", "Model Package Group cannot be deleted as it contains model packages."
            )
        plane.store.delete(KIND, group["name"])
        plane.store.delete(_POLICY, group["arn"])
        tags.drop(plane, group["arn"])
    return {}


# --- policies: kept and answered; there is one account, so nobody is let in or kept out ---


def _with_policy(plane: Plane, params: Params) -> str:
    """The ARN of the group a policy is about."""
    name = params["ModelPackageGroupName"]
    found = _find(plane, name)
    if found is None:
        raise _invalid(f"Cannot find Model Package Group: {_arn(plane, name)}")
    return str(found["arn"])


def _put_policy(plane: Plane, params: Params) -> Params:
    arn, text = _with_policy(plane, params), params["ResourcePolicy"]
    try:
        statements = json.loads(text)["Statement"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _invalid(f"The ResourcePolicy is not a policy document with a Statement: {error!r}") from error
    if not statements:
        raise _invalid("The ResourcePolicy has no Statement.")
    plane.store.put(_POLICY, arn, {"policy": text})
    return {"ModelPackageGroupArn": arn}


def _get_policy(plane: Plane, params: Params) -> Params:
    arn = _with_policy(plane, params)
    found = plane.store.get(_POLICY, arn)
    if found is None:
        raise _invalid(f"Cannot find resource policy for: {arn}")
    return {"ResourcePolicy": found["policy"]}


def _delete_policy(plane: Plane, params: Params) -> Params:
    arn = _with_policy(plane, params)
    if not plane.store.delete(_POLICY, arn):
        raise _invalid(f"Cannot find resource policy for: {arn}")
    return {}


def _invalid(text: str) -> ServiceError:
    return ServiceError("ValidationException", text)


OPERATIONS: dict[str, Operation] = {
    "CreateModelPackageGroup": _create,
    "DescribeModelPackageGroup": _describe,
    "ListModelPackageGroups": _list,
    "DeleteModelPackageGroup": _delete,
    "PutModelPackageGroupPolicy": _put_policy,
    "GetModelPackageGroupPolicy": _get_policy,
    "DeleteModelPackageGroupPolicy": _delete_policy,
}
