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
# Filters on what few records have, and where: a job without it is not what was asked for.
_WITHIN = {
    "TrainingPlanArnEquals": ("request", "ResourceConfig", "TrainingPlanArn"),
    "WarmPoolStatusEquals": ("extras", "WarmPoolStatus", "Status"),
}
# How lists are sorted when the request does not say, by the answer's member, as the service model has it; newest first
# for any other. For two of those the model says "Ascending": but training jobs come "from the most current to the
# oldest" (ListTrainingJobs itself), and AWS's project templates take the first approved package for the latest.
DEFAULTS = {
    "ProcessingJobSummaries": ("CreationTime", "Ascending"),
    "HyperParameterTuningJobSummaries": ("Name", "Ascending"),
    "ModelPackageGroupSummaryList": ("CreationTime", "Ascending"),
}
# Where the service model says "created at that time or later" of CreationTimeAfter.
_FROM_THEN_ON = ("Endpoints", "EndpointConfigs", "Models")
_SORTED_BY = {"Name": "name", "Status": "status"}


def page(
    params: dict[str, Any], records: Iterable[Record], summary: Callable[[Record], Record], answer: str
) -> Record:
    """One page of the `records` that `params` ask for, each shown by `summary`, under the name `answer`.

    A record has `name`, `created`, `modified` (epoch seconds) and `status`. The token names the last record shown, so
    that what comes and goes between two pages neither repeats a record nor leaves one out.
    """
    by, order = DEFAULTS.get(answer, ("CreationTime", "Descending"))
    by, order = params.get("SortBy", by), params.get("SortOrder", order)
    chosen = [(_key(record, by), record) for record in records if _wanted(record, params, answer)]
    query = [answer, by, order]
    size = params.get("MaxResults", _DEFAULT_PAGE)
    shown, token = slice_of(chosen, order == "Descending", size, query, params.get("NextToken"))
    found: Record = {answer: [summary(record) for record in shown]}
    return found if token is None else {**found, "NextToken": token}


def slice_of(
    keyed: list[tuple[list[Any], Record]], descending: bool, size: int, query: list[str], token: str | None
) -> tuple[list[Record], str | None]:
    """At most `size` of the (unique key, record) pairs in order, from where `token` says, and the next token, if any.

    `query` tells one question from another: the token of one is no answer to another.
    """
    ordered = sorted(keyed, key=lambda pair: pair[0], reverse=descending)
    last = _last(token, query)
    if last is not None:
        try:
            ordered = [pair for pair in ordered if (pair[0] < last if descending else pair[0] > last)]
        except TypeError as error:
            raise _invalid() from error
    shown = ordered[:size]
    more = len(ordered) > len(shown)
    return [record for _, record in shown], _token(query, shown[-1][0]) if more else None


def _wanted(record: Record, params: dict[str, Any], answer: str) -> bool:
    if params.get("NameContains", "").lower() not in record["name"].lower():
        return False
    if params.get("StatusEquals", record["status"]) != record["status"]:
        return False
    if params.get("CrossAccountFilterOption") == "CrossAccount":  # there is one account only
        return False
    if any(_at(record, path) != params[name] for name, path in _WITHIN.items() if params.get(name)):
        return False
    return all(
        _passes(record[attribute], name, params[name], direction, answer)
        for name, (attribute, direction) in _TIMES.items()
        if params.get(name) is not None
    )


def _passes(value: float, name: str, limit: float, direction: int, answer: str) -> bool:
    if name == "CreationTimeAfter" and answer in _FROM_THEN_ON:
        return value >= limit
    return (value - limit) * direction > 0


def _at(record: Record, path: tuple[str, ...]) -> Any:
    found: Any = record
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _key(record: Record, by: str) -> list[Any]:
    """By what to sort; the name decides between equals, so that no two records are alike."""
    return [record[_SORTED_BY.get(by, "created")], record["created"], record.get("arn", record["name"])]


def _token(query: list[str], last: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps([*query, last]).encode()).decode()


def _last(token: str | None, query: list[str]) -> list[Any] | None:
    if not token:
        return None
    try:
        *asked, last = json.loads(base64.urlsafe_b64decode(token))
    except (ValueError, TypeError, RecursionError, binascii.Error) as error:
        raise _invalid() from error
    if asked != query or not isinstance(last, list):
        raise _invalid()
    return last


def _invalid() -> ServiceError:
    return ServiceError("ValidationException", "Invalid NextToken.")
