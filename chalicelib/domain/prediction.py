"""A question to a model: what may be asked, what a model's refusal means, and whether two answers are the same."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.errors import BadRequest, Fault

JSON, CSV = "application/json", "text/csv"
MAX_BODY = 5 * 1024 * 1024
"""Lambda takes 6 MB with its envelope; JSON inside JSON grows by its escapes."""
PROBE_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Question:
    """A checked body for a model."""

    body: bytes
    content_type: str
    accept: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's answer, and which variant gave it."""

    body: bytes
    content_type: str
    variant: str
    inference_id: str


def question(body: bytes, content_type: str, accept: str) -> Question:
    """Refuse before the model is asked: wrong type (415), too large (413), empty or not JSON (400)."""
    kind = content_type.partition(";")[0].strip().lower() or JSON
    if kind not in {JSON, CSV}:
        raise BadRequest("Content-Type", f"{kind} is not supported", f"Send {JSON} or {CSV}.", status=415)
    if len(body) > MAX_BODY:
        what = f"{len(body):,} bytes; the limit is {MAX_BODY:,}"
        raise BadRequest("body", what, "Send fewer rows a request.", status=413)
    if not body.strip():
        raise BadRequest("body", "empty", 'Send {"instances": [{...}]} or one CSV row a line.')
    if kind == JSON:
        _check_json(body)
    return Question(body, kind, CSV if CSV in accept.lower() and JSON not in accept.lower() else JSON)


def _check_json(body: bytes) -> None:
    try:
        document = json.loads(body)
    except ValueError as error:
        raise BadRequest("body", f"not JSON: {error}", "Send one JSON document in UTF-8.") from error
    if not isinstance(document, dict):
        raise BadRequest(
            "body", "not a JSON object", 'Send {"instances": [{...}]}, {"text": "..."} or one record.'
        )
    if "instances" in document and not (isinstance(document["instances"], list) and document["instances"]):
        raise BadRequest("instances", "not a list of records, or an empty one", "Send at least one record.")


def refusal(status: int, message: str) -> BadRequest:
    """What a model said with a 4xx, as the caller's own fault: 422 when it names the values that are wrong."""
    try:
        document = json.loads(message)
    except ValueError:
        document = message
    said = (
        document if isinstance(document, Mapping) else {"error": message or "the model refused the request"}
    )
    faults = [_fault(fault) for fault in said.get("faults") or [] if isinstance(fault, Mapping)]
    code = 422 if faults and status == 400 else status
    what = str(said.get("error") or "the model refused the request")
    return BadRequest(
        "model", what, "Correct the values named and send it again.", status=code, faults=faults
    )


def _fault(fault: Mapping[str, Any]) -> Fault:
    where = f"instances[{fault['instance']}]" if "instance" in fault else "body"
    column = fault.get("column")
    return Fault(f"{where}.{column}" if column else where, str(fault.get("problem", "wrong")))


def difference(expected: Any, got: Any, where: str = "predictions") -> str | None:
    """Where two answers differ, or None: numbers within PROBE_TOLERANCE, all else exactly."""
    if isinstance(expected, Mapping) and isinstance(got, Mapping):
        if expected.keys() != got.keys():
            return f"{where}: keys {sorted(expected)} against {sorted(got)}"
        return _first(difference(expected[key], got[key], f"{where}.{key}") for key in expected)
    if isinstance(expected, list) and isinstance(got, list):
        if len(expected) != len(got):
            return f"{where}: {len(expected)} against {len(got)} entries"
        pairs = enumerate(zip(expected, got, strict=True))
        return _first(difference(one, other, f"{where}[{i}]") for i, (one, other) in pairs)
    if _number(expected) and _number(got):
        same = math.isclose(expected, got, rel_tol=PROBE_TOLERANCE, abs_tol=PROBE_TOLERANCE)
    else:
        same = expected == got
    return None if same else f"{where}: evaluated {expected!r}, answered {got!r}"


def _first(differences: Any) -> str | None:
    return next((words for words in differences if words), None)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
