"""A request for predictions, read: its records, whether one or many, and everything that is wrong with it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from chalicelib.domain import limits
from chalicelib.domain.negotiation import CSV, JSON, sent_as
from chalicelib.domain.request_schema import RequestSchema
from chalicelib.errors import BadRequest, Fault

EMPTY_TEXT = "Invalid input. The text key can not be empty."
"""The workshop's own words, which its clients look for."""
_SHAPES = 'Send {"instances": [{column: value, …}, …]}, {"text": "…"} or one record.'


@dataclass(frozen=True, slots=True)
class Asked:
    """A request of the right form; `one`: a single record, answered by a single answer."""

    records: Sequence[Any]
    one: bool
    content_type: str


def read(body: bytes, content_type: str) -> Asked:
    """Refuse what no model needs to see: wrong type 415, too large 413, empty or malformed 400, no record 422."""
    kind = sent_as(content_type)
    if len(body) > limits.BODY:
        raise limits.too_large("body", len(body), limits.BODY)
    if not body.strip():
        raise BadRequest("body", "empty", _SHAPES)
    asked = _from_json(body) if kind == JSON else Asked(_cells(body), False, CSV)
    if len(asked.records) > limits.INSTANCES:
        what = f"{len(asked.records):,} records; the limit is {limits.INSTANCES:,}"
        raise BadRequest("instances", what, limits.CURE, status=413)
    return asked


def check(asked: Asked, schema: RequestSchema) -> int | None:
    """Hold the request to the model's schema; answers how many rows it has. Raises 422 naming every fault, or 400.

    Of a model without a schema nothing is known: neither is whether a first line of CSV is a header (None).
    """
    if asked.content_type == CSV and not schema.names:
        return None
    if asked.content_type == CSV:
        names, rows = schema.rows(asked.records)
        if not rows:
            raise BadRequest("body", "a header and no rows", "Send one line a record.")
        _refuse(_line_faults(names, rows, schema))
        return len(rows)
    if asked.one and schema.text and _blank(asked.records[0].get("text")):
        raise BadRequest("text", "it is empty", "Send some text.", members={"error": EMPTY_TEXT})
    _refuse(_named(schema.faults(asked.records), one=asked.one))
    return len(asked.records)


def _blank(value: Any) -> bool:
    return isinstance(value, str) and not value.strip()


def document(body: bytes) -> Any:
    """Strict JSON in UTF-8, no deeper than we read. Raises 400."""
    try:
        found = json.loads(body, parse_constant=_no_json)
        if b"\\u" in body:
            json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError) as error:
        what = "nested too deep" if isinstance(error, RecursionError) else f"not JSON: {_words(error)}"
        raise BadRequest("body", what, "Send one JSON document in UTF-8.") from error
    if _deeper(found, limits.DEPTH):
        raise BadRequest("body", f"nested deeper than {limits.DEPTH}", "A record is a flat object.")
    return found


def _words(error: ValueError) -> str:
    """What is wrong, without what was sent."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at line {error.lineno}, column {error.colno}"
    return "not UTF-8" if isinstance(error, UnicodeError) else str(error)[:100]


def _no_json(word: str) -> Any:
    raise ValueError(f"{word} is no JSON number")


def _deeper(found: Any, most: int) -> bool:
    level = [found]
    for _ in range(most):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return False
    return True


def _inside(found: Any) -> list[Any]:
    """The objects and lists right below."""
    if not isinstance(found, (dict, list)):
        return []
    return [
        inner
        for inner in (found.values() if isinstance(found, dict) else found)
        if isinstance(inner, (dict, list))
    ]


def _from_json(body: bytes) -> Asked:
    found = document(body)
    if not isinstance(found, Mapping):
        raise BadRequest(
            "body", "not a JSON object", _SHAPES, status=422, faults=[Fault("", "must be an object")]
        )
    if "instances" not in found:
        return Asked([found], True, JSON)
    records = found["instances"]
    if not isinstance(records, list):
        faults = [Fault("instances", "must be a list of records")]
        raise BadRequest("instances", "not a list of records", _SHAPES, status=422, faults=faults)
    if not records:
        raise BadRequest("instances", "an empty list", "Send at least one record.")
    return Asked(records, False, JSON)


def _cells(body: bytes) -> list[list[str]]:
    try:
        text = body.decode("utf-8-sig")
        rows = [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except UnicodeDecodeError as error:
        raise BadRequest("body", f"not UTF-8 from byte {error.start} on", "Send CSV in UTF-8.") from error
    except csv.Error as error:
        raise BadRequest("body", f"not CSV: {error}", "Quote cells that hold quotes or line ends.") from error
    if not rows:
        raise BadRequest("body", "no rows", "Send one line a record.")
    return rows


def _line_faults(names: Sequence[str], rows: Sequence[list[str]], schema: RequestSchema) -> Iterable[Fault]:
    for number, row in enumerate(rows):
        if len(row) != len(names):
            yield Fault(
                f"instances[{number}]", f"has {len(row)} cells and not {len(names)}: {','.join(names)[:300]}"
            )
            continue
        for column, problem in schema.wrong(dict(zip(names, row, strict=True))):
            yield Fault(f"instances[{number}]{'.' if column else ''}{column}", problem)


def _named(faults: Iterable[Fault], *, one: bool) -> Iterable[Fault]:
    """Paths into what was sent: a single record has no `instances`."""
    if not one:
        return faults
    return (
        Fault(fault["where"].removeprefix("instances[0]").lstrip("."), fault["problem"]) for fault in faults
    )


def _refuse(faults: Iterable[Fault]) -> None:
    walk = iter(faults)
    listed = list(islice(walk, limits.FAULTS))
    if not listed:
        return
    count = len(listed) + sum(1 for _ in walk)
    what = f"{count} value{'s' if count > 1 else ''} cannot be used"
    what += f"; the first {limits.FAULTS} are listed" if count > len(listed) else ""
    advice = "Correct what errors names; GET /projects/{project}/schema says what the model takes."
    raise BadRequest("request", what, advice, status=422, faults=listed)
