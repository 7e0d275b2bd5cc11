"""Ingest: enter an upload or a deletion into the ledger, then start a run of its project unless one is going.

An event starts no work of its own: it is written down, and the next run takes all that was written. So events may
come twice, late and out of order, and ten thousand files cost two runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chalicelib.domain.ledger import IGNORED, PENDING, Move, record_of
from chalicelib.domain.upload import NO_PROJECT, Upload, destination
from chalicelib.ports import Ports


@dataclass(frozen=True, slots=True)
class Ingest:
    """What an event says happened."""

    upload: Upload


def run(command: Ingest, ports: Ports) -> dict[str, Any]:
    """Answers the outcome (recorded, known, older, deleted, ignored), the project, and the run started, if any."""
    upload = command.upload
    if upload.bucket != ports.settings.bucket:
        return {
            "outcome": "not ours",
            "project": None,
            "run": None,
        }  # one rule serves the buckets of every stage
    project, fault = destination(upload.key)
    if upload.kind == "deleted":
        outcome = _remove(upload, project, fault, ports)
        return {"outcome": outcome, "project": project, "run": None if fault else _launch(project, ports)}
    if fault is not None:
        now = ports.clock.now().isoformat()
        ports.ledger.record(record_of(upload, NO_PROJECT, verdict=IGNORED, reason=fault, entered=now))
        return {"outcome": "ignored", "project": None, "run": None, "reason": fault}
    return _enter(upload, project, ports)


def _launch(project: str, ports: Ports) -> str | None:
    return ports.launcher.when_waiting(project)


def _remove(upload: Upload, project: str, fault: str | None, ports: Ports) -> str:
    """A key shows nothing any more, or a version was removed for good: then the bucket says what is left."""
    if not (upload.permanent and upload.version_id):
        return ports.ledger.delete(upload, project)
    reason = fault or (None if ports.ledger.project(project) else _no_project(project))
    verdict = IGNORED if reason else PENDING
    now = ports.clock.now()
    changed = ports.repairer(project, upload.key, before=now, verdict=verdict, reason=reason)
    if ports.ledger.head(project, upload.key) is None:  # its own upload is still to be told of
        return ports.ledger.delete(upload, project)
    return "repaired" if changed else "known"


def _no_project(project: str) -> str:
    return f"there is no project {project}: create it with PUT /projects/{project}, and this upload is taken"


def _enter(upload: Upload, project: str, ports: Ports) -> dict[str, Any]:
    """Write first, then try the lease: the other order could lose the upload."""
    now = ports.clock.now().isoformat()
    if ports.ledger.project(project) is not None:
        outcome = ports.ledger.record(record_of(upload, project, verdict=PENDING, reason=None, entered=now))
    else:
        reason = _no_project(project)
        record = record_of(upload, project, verdict=IGNORED, reason=reason, entered=now)
        outcome = ports.ledger.record(record)
        if ports.ledger.project(project) is None:
            return {
                "outcome": "ignored" if outcome == "recorded" else outcome,
                "project": project,
                "run": None,
            }
        # The project was created while we wrote: nobody else will see this upload.
        taken = record.becomes(PENDING, at=ports.clock.now().isoformat())
        ports.ledger.move([Move(record, taken)])
    return {"outcome": outcome, "project": project, "run": _launch(project, ports)}
