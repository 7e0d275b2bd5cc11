"""Feedback: keep what was true of a prediction, so that it joins what was asked and answered."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.request_schema import RequestSchema
from chalicelib.errors import BadRequest, Fault
from chalicelib.ports import Ports


@dataclass(frozen=True, slots=True)
class Feedback:
    """{inference_id, truth, model}: of a prediction the header X-Penstock-Inference-Id, and what it should have been.

    `model` is its header X-Penstock-Model; left out, it was the model released now.
    """

    project: str
    told: Any


def run(command: Feedback, ports: Ports) -> dict[str, Any]:
    """Answers what was kept. Told twice of the same prediction, the last truth counts. Raises 422 with every fault."""
    champion = ports.champions.of(command.project)
    model = _model(command, champion.run, ports)
    faults = [Fault("model", "must be the X-Penstock-Model of a prediction")] if model is None else []
    faults += _faults(command.told, ports.schemas.of(model or champion.run))
    if faults:
        raise BadRequest("feedback", "not usable", "Correct what errors names.", status=422, faults=faults)
    told: Mapping[str, Any] = command.told
    kept = {
        "project": command.project,
        "inference_id": told["inference_id"],
        "truth": str(told["truth"]),
        "model": model,
        "at": ports.clock.now().isoformat(),
    }
    # A prediction's own place: the next truth of the same one replaces this one.
    digest = hashlib.sha256(kept["inference_id"].encode()).hexdigest()
    uri = f"s3://{ports.settings.bucket}/feedback/{command.project}/{digest[:2]}/{digest}.json"
    ports.documents.write(uri, kept, one_line=True)
    return kept


def _model(command: Feedback, released: str, ports: Ports) -> str | None:
    """The run whose model is spoken of; None for one that is no run of the project."""
    named = command.told.get("model") if isinstance(command.told, Mapping) else None
    if named is None or named == released:
        return released
    known = ports.ledger.run(named) if isinstance(named, str) and 0 < len(named) < 64 else None
    return known.run if known is not None and known.project == command.project else None


def _faults(told: Any, schema: RequestSchema) -> Iterator[Fault]:
    if not isinstance(told, Mapping):
        yield Fault("", 'must be an object: {"inference_id": "…", "truth": …}')
        return
    for name in told.keys() - {"inference_id", "truth", "model"}:
        yield Fault(str(name), "is not known here")
    name = told.get("inference_id")
    if not isinstance(name, str) or not name.isprintable() or not name.isascii() or not 1 <= len(name) <= 64:
        yield Fault("inference_id", "must be the X-Penstock-Inference-Id of a prediction")
    problem = _untrue(told.get("truth"), schema)
    if problem:
        yield Fault("truth", problem)


def _untrue(truth: Any, schema: RequestSchema) -> str | None:
    if schema.classes is not None:
        known = isinstance(truth, str) and truth in schema.classes
        return None if known else f"must be one of {', '.join(schema.classes)}"
    if isinstance(truth, (int, float)) and not isinstance(truth, bool) and _finite(truth):
        return None
    return "must be a number"


def _finite(number: float) -> bool:
    try:
        return math.isfinite(number)
    except OverflowError:  # a whole number beyond what a float holds
        return False
