"""Tags of every resource, kept by ARN: AddTags, ListTags, DeleteTags; other modules use `put`, `of` and `drop`.

Whoever creates a resource calls `put`, with or without tags, and `drop` when it is deleted: what was never put does not
exist, and its tags are refused.
"""

from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker import listing
from penstock.localaws.sagemaker.plane import Operation, Plane

Tags = list[dict[str, str]]
MOST = 50
_KIND = "tags"
_RESERVED = "aws:"


def check(given: Tags) -> None:
    """Refuse tags AWS would refuse, whatever resource they are for; raises ServiceError."""
    keys = [tag["Key"] for tag in given]
    if len(set(keys)) < len(keys):
        raise _invalid("Duplicate tag keys found. Tag keys must be unique per resource.")
    for key in keys:
        if key.lower().startswith(_RESERVED):
            raise _invalid(f"{_RESERVED} prefixed tag key names are not allowed for external use: {key}")


def put(plane: Plane, arn: str, tags: Tags | None) -> dict[str, str]:
    """Add or replace tags of a resource that there is now; all its tags afterwards."""
    check(tags or [])
    with plane.store.transaction():
        known = (plane.store.get(_KIND, arn) or {}) | {tag["Key"]: tag["Value"] for tag in tags or []}
        if len(known) > MOST:
            raise _invalid(f"A resource can have at most {MOST} tags, and {arn} would have {len(known)}.")
        plane.store.put(_KIND, arn, known)
    return known


def of(plane: Plane, arn: str) -> Tags:
    """A resource's tags as ListTags shows them; none of a resource without."""
    return _listed(plane.store.get(_KIND, arn) or {})


def drop(plane: Plane, arn: str) -> None:
    """Forget a resource's tags, with the resource."""
    plane.store.delete(_KIND, arn)


def _listed(tags: dict[str, str]) -> Tags:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _known(plane: Plane, arn: str) -> dict[str, str]:
    found = plane.store.get(_KIND, arn)
    if found is None:
        kind = arn.split(":", 5)[-1].partition("/")[0].replace("-", " ")
        raise _invalid(f'Could not find {kind} "{arn}".')
    return found


def _add(plane: Plane, params: dict[str, Any]) -> dict[str, Any]:
    with plane.store.transaction():
        _known(plane, params["ResourceArn"])
        return {"Tags": _listed(put(plane, params["ResourceArn"], params["Tags"]))}


def _list(plane: Plane, params: dict[str, Any]) -> dict[str, Any]:
    arn = params["ResourceArn"]
    tags = _listed(_known(plane, arn))
    keyed: list[tuple[list[Any], dict[str, Any]]] = [([number], tag) for number, tag in enumerate(tags)]
    shown, token = listing.slice_of(
        keyed, False, params.get("MaxResults", MOST), ["Tags", arn], params.get("NextToken")
    )
    return {"Tags": shown} if token is None else {"Tags": shown, "NextToken": token}


def _delete(plane: Plane, params: dict[str, Any]) -> dict[str, Any]:
    gone = set(params["TagKeys"])
    with plane.store.transaction():
        left = {key: v for key, v in _known(plane, params["ResourceArn"]).items() if key not in gone}
        plane.store.put(_KIND, params["ResourceArn"], left)
    return {}


def _invalid(text: str) -> ServiceError:
    return ServiceError("ValidationException", text)


OPERATIONS: dict[str, Operation] = {"AddTags": _add, "ListTags": _list, "DeleteTags": _delete}
