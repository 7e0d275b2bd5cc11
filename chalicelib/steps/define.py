"""Define: check a project's spec, keep it, and take up the uploads that came before it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from chalicelib.domain import auto, tuning
from chalicelib.domain.ledger import IGNORED, PENDING, Move
from chalicelib.domain.project import faults, name_fault, schedules
from chalicelib.errors import BadRequest, Fault
from chalicelib.ports import Ports

LARGEST = 200_000
"""Bytes of a spec. The run document holds its hyperparameters and takes 256 KiB; an item of the ledger takes 400 KB."""


@dataclass(frozen=True, slots=True)
class Define:
    """A project's spec, as it was sent to /projects/{name}."""

    name: str
    spec: Any


def run(command: Define, ports: Ports) -> dict[str, Any]:
    """Answers whether the project is new, how many earlier uploads it took up, and the run started for them."""
    found = spec_faults(command.spec, command.name)
    if found:
        what = f"{len(found)} thing{'s' if len(found) > 1 else ''} to correct"
        raise BadRequest(
            "project spec", what, "See errors, correct them all, send it again.", status=422, faults=found
        )
    known = ports.ledger.project(command.name)
    _schedule(command.name, known or {}, command.spec, ports)
    created = known is None
    at = ports.clock.now().isoformat()
    ports.ledger.put_project(command.spec, at)
    early = ports.ledger.with_verdict(command.name, IGNORED)
    taken = ports.ledger.move([Move(r, r.becomes(PENDING, at=at)) for r in early])
    started = ports.launcher.when_waiting(command.name)
    return {"project": command.name, "created": created, "taken_up": len(taken), "run": started}


def _schedule(name: str, known: Mapping[str, Any], spec: Mapping[str, Any], ports: Ports) -> None:
    """Before the spec is kept: one with a schedule that AWS refuses is refused, and no removal is forgotten.

    Of a refused spec nothing stays: the schedules are those of the spec before again.
    """
    wanted, before = schedules(spec), schedules(known)
    try:
        _set(name, wanted, before, ports)
    except BadRequest:
        _set(name, before, wanted, ports)
        raise


def _set(name: str, wanted: Mapping[str, str], before: Mapping[str, str], ports: Ports) -> None:
    for kind, expression in wanted.items():
        ports.schedules.set(name, kind, expression)
    for kind in before.keys() - wanted.keys():
        ports.schedules.remove(name, kind)


def spec_faults(spec: Any, name: str) -> list[Fault]:
    """Every fault of a spec at once: of its shape by the JSON Schema, and if that is sound, of its meaning."""
    wrong_name = name_fault(name)
    if wrong_name:
        return [Fault("project", f"{name!r} is no project name: {wrong_name}")]
    if not isinstance(spec, Mapping):
        return [Fault("", "a project spec is a JSON object")]
    size = len(json.dumps(spec, ensure_ascii=False).encode("utf-8", "replace"))
    if size > LARGEST:
        return [
            Fault(
                "", f"it takes {size:,} bytes as JSON; the limit is {LARGEST:,}: leave out what is a default"
            )
        ]
    return _shape_faults(spec) or [*faults(spec, name=name), *tuning.faults(spec), *auto.faults(spec)]


def _shape_faults(spec: Mapping[str, Any]) -> list[Fault]:
    import jsonschema  # noqa: PLC0415  # 80 ms that only this request need pay

    schema = json.loads(
        resources.files("chalicelib").joinpath("contracts/project.schema.json").read_text("utf-8")
    )
    errors = jsonschema.Draft202012Validator(schema).iter_errors(spec)
    ordered = sorted(errors, key=lambda error: [str(part) for part in error.absolute_path])
    return [Fault(".".join(str(part) for part in error.absolute_path), _words(error)) for error in ordered]


def _words(error: Any) -> str:
    if error.validator == "anyOf" and error.absolute_path[0] == "auto":
        return f"{error.instance!r} is neither a learner's name nor {{name, hyperparameters}}"
    if error.validator == "anyOf":
        return f"{error.instance!r} is neither a column type nor a column's description with a type"
    return str(error.message)
