"""Tags of every resource, kept by ARN: AddTags, ListTags, DeleteTags; other modules use `put` and `drop`."""

from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker.plane import Operation, Plane

_KIND = "tags"
_MOST = 50


def put(plane: Plane, arn: str, tags: list[dict[str, str]] | None) -> dict[str, str]:
    """Add or replace tags of a resource; all its tags afterwards."""
    with plane.store.transaction():
        known = (plane.store.get(_KIND, arn) or {}) | {tag["Key"]: tag["Value"] for tag in tags or []}
        if len(known) > _MOST:
            raise ServiceError("ValidationException", f"A resource can have at most {_MOST} tags: {arn}")
        if tags:
            plane.store.put(_KIND, arn, known)
    return known


def drop(plane: Plane, arn: str) -> None:
    """Forget a resource's tags, with the resource."""
    plane.store.delete(_KIND, arn)


def of(plane: Plane, arn: str) -> list[dict[str, str]]:
    """A resource's tags as ListTags shows them; none of a resource without."""
    return _listed(plane.store.get(_KIND, arn) or {})


def _listed(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _add(plane: Plane, params: dict[str, Any]) -> dict[str, Any]:
    return {"Tags": _listed(put(plane, params["ResourceArn"], params["Tags"]))}


def _list(plane: Plane, params: dict[str, Any]) -> dict[str, Any]:
    return {"Tags": of(plane, params["ResourceArn"])}


def _delete(plane: Plane, params: dict[str, Any]) -> dict[str, Any]:
    gone = set(params["TagKeys"])
    plane.store.update(
        _KIND, params["ResourceArn"], lambda tags: {key: v for key, v in tags.items() if key not in gone}
    )
    return {}


OPERATIONS: dict[str, Operation] = {"AddTags": _add, "ListTags": _list, "DeleteTags": _delete}
