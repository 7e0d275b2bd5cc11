"""Recur: a project's schedule has come round. Start the run it asks for, or say why there is none to start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chalicelib.domain.project import schedules
from chalicelib.errors import Conflict, NothingWaiting
from chalicelib.observability import note
from chalicelib.ports import Ports


@dataclass(frozen=True, slots=True)
class Recur:
    """What the schedule sends: the project, and `prepare` (only if uploads wait) or `retrain` (always)."""

    project: str
    kind: str


def run(command: Recur, ports: Ports) -> dict[str, Any]:
    """Answers the run that was started, or None and the reason. A run that is going on already is reason enough."""
    found, why = _start(command, ports)
    note(run=found, why=why)
    return {"project": command.project, "kind": command.kind, "run": found, "why": why}


def _start(command: Recur, ports: Ports) -> tuple[str | None, str | None]:
    spec = ports.ledger.project(command.project)
    if spec is None or command.kind not in schedules(spec):
        return None, "the project's spec no longer has this schedule"
    if command.kind == "prepare":
        found = ports.launcher.when_waiting(command.project, retries=True)
        return found, None if found else "no upload waits, or a run is going on"
    try:
        return ports.launcher.now(command.project), None
    except (Conflict, NothingWaiting) as error:
        return None, error.what
