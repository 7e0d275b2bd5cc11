"""A question to a model and its answer: what a model's refusal means, and whether two answers are the same."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.negotiation import CSV, JSON
from chalicelib.errors import BadRequest, Fault

__all__ = ["CSV", "JSON", "Answer", "Question", "difference", "refusal", "said"]

PROBE_TOLERANCE = 1e-6
_WORDS = 300


@dataclass(frozen=True, slots=True)
class Question:
    """A checked body for a model."""

    body: bytes
    content_type: str
    accept: str
    variant: str | None = None
    """The variant that is to answer; None leaves it to the weights."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A model's answer, and which variant gave it."""

    body: bytes
    content_type: str
    variant: str
    inference_id: str


REFUSALS = frozenset({400, 406, 413, 415, 422})
"""Statuses with which a model may blame its caller; any other 4xx is the model's own failure."""


def refusal(status: int, message: str) -> BadRequest:
    """What a model said with a 4xx, as the caller's own fault: 422 when it names the values that are wrong."""
    try:
        document = json.loads(message)
    except ValueError:
        document = message
    told = document if isinstance(document, Mapping) else {"error": said(message)}
    faults = [_fault(fault) for fault in told.get("faults") or [] if isinstance(fault, Mapping)]
    code = 422 if faults and status == 400 else status
    what = str(told.get("error") or "the model refused the request")[:_WORDS]
    return BadRequest(
        "model", what, "Correct the values named and send it again.", status=code, faults=faults
    )


def said(message: str) -> str:
    """A failed model's own words without its inside: of a traceback the last line, of a page of HTML nothing."""
    try:
        document = json.loads(message)
    except ValueError:
        document = message
    words = (
        document.get("error") or document.get("message") or "" if isinstance(document, Mapping) else document
    )
    lines = [line.strip() for line in str(words).splitlines() if line.strip()]
    if not lines or lines[0].startswith("<"):
        return "it gave no reason"
    return (lines[-1] if lines[0].startswith("Traceback") else lines[0])[:_WORDS]


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
