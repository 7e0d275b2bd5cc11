"""What every List operation does: filter, sort, page. Filters apply before paging, as on AWS."""

import base64
import binascii
import json
from collections.abc import Callable, Iterable
from typing import Any

from penstock.localaws.errors import ServiceError

Record = dict[str, Any]

_DEFAULT_PAGE = 10
_TIMES = {
    "CreationTimeAfter": ("created", 1),
    "CreationTimeBefore": ("created", -1),
    "LastModifiedTimeAfter": ("modified", 1),
    "LastModifiedTimeBefore": ("modified", -1),
}


def page(
    params: dict[str, Any], records: Iterable[Record], summary: Callable[[Record], Record], answer: str
) -> Record:
    """One page of the `records` that `params` ask for, each shown by `summary`, under the name `answer`.

    A record has `name`, `created`, `modified` (epoch seconds) and `status`.
    """
    chosen = sorted((record for record in records if _wanted(record, params)), key=_order(params))
    if params.get("SortOrder", "Descending") == "Descending":
        chosen.reverse()
    start = _offset(params.get("NextToken"))
    size = params.get("MaxResults", _DEFAULT_PAGE)
    shown = chosen[start : start + size]
    found: Record = {answer: [summary(record) for record in shown]}
    if start + size < len(chosen):
        found["NextToken"] = base64.urlsafe_b64encode(json.dumps({"start": start + size}).encode()).decode()
    return found


def _wanted(record: Record, params: dict[str, Any]) -> bool:
    if params.get("NameContains", "").lower() not in record["name"].lower():
        return False
    if params.get("StatusEquals", record["status"]) != record["status"]:
        return False
    return all(
        (record[attribute] - params[name]) * direction > 0
        for name, (attribute, direction) in _TIMES.items()
        if params.get(name) is not None
    )


def _order(params: dict[str, Any]) -> Callable[[Record], Any]:
    """By what to sort; the name decides between equals, so that pages never overlap."""
    attribute = {"Name": "name", "Status": "status"}.get(params.get("SortBy", ""), "created")
    return lambda record: (record[attribute], record["created"], record["name"])


def _offset(token: str | None) -> int:
    if not token:
        return 0
    try:
        return int(json.loads(base64.urlsafe_b64decode(token))["start"])
    except (ValueError, KeyError, TypeError, binascii.Error) as error:
        raise ServiceError("ValidationException", "Invalid NextToken.") from error
