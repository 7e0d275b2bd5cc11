"""Sweep: repair what a lost event, a dead execution or a crash between two writes has left behind.

Per project: (a) a lease whose execution is no longer running is given its next attempt, at most MAX_ATTEMPTS, then
reported as failed; (b) uploads the bucket has and the ledger does not are entered; (c) uploads that waited for their
project, or that failed with a run, are taken up again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from chalicelib.domain.ledger import IGNORED, PENDING, Move, ObjectRecord, record_of
from chalicelib.domain.run import MAX_ATTEMPTS, Lease, RunEnded
from chalicelib.domain.upload import DROP, Upload, after, destination, order
from chalicelib.errors import PipelineError
from chalicelib.observability import note
from chalicelib.ports import Listed, Ports

SETTLING = timedelta(minutes=2)
"""Younger objects are left to their own events."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """Sweep one project, or all."""

    project: str | None = None


def run(command: Sweep, ports: Ports) -> dict[str, Any]:
    """Answers what was repaired, by project; a project in trouble does not keep the others from being swept."""
    projects = [command.project] if command.project else ports.ledger.projects()
    repaired: dict[str, Any] = {}
    troubles: dict[str, str] = {}
    for project in projects:
        try:
            found = _project(project, ports)
        except PipelineError as error:
            troubles[project] = str(error)
        else:
            repaired |= {project: found} if any(found.values()) else {}
    note(step="sweep", repaired=repaired or None, troubles=troubles or None)
    return {"projects": len(projects), "repaired": repaired, "troubles": troubles}


def _project(project: str, ports: Ports) -> dict[str, Any]:
    entered = _lost_uploads(project, ports)
    adopted = _adopt(project, ports)
    restarted = _dead_run(project, ports)
    started = None if restarted else ports.launcher.when_waiting(project, retries=True)
    return {"entered": entered, "adopted": adopted, "restarted": restarted, "started": started}


def _dead_run(project: str, ports: Ports) -> str | None:
    lease = ports.ledger.lease(project)
    if lease is None:
        return None
    status = ports.workflow.status(lease.execution)
    if status == "RUNNING":
        return None
    if status == "MISSING":  # taken, never started: the same name starts once, whoever else is about to
        ports.workflow.start(lease.execution, lease.document())
        return lease.run
    recorded = ports.ledger.run(lease.run)
    if recorded is not None and recorded.ended:  # Report had done all but the last
        ports.ledger.release(lease)
        return None
    if lease.attempt < MAX_ATTEMPTS:
        return ports.launcher.again(lease)
    return _give_up(lease, status, ports)


def _give_up(lease: Lease, status: str, ports: Ports) -> str:
    cause = f"the execution ended as {status} without a report, {lease.attempt} times. Its history says where"
    error = {"state": "Sweep", "Error": "ExecutionDied", "Cause": cause}
    ports.reporter(RunEnded(lease.project, lease.run, lease.attempt, {**lease.document(), "error": error}))
    return lease.run


def _adopt(project: str, ports: Ports) -> int:
    """Uploads that came before their project; those a run had no source for wait for another spec."""
    at = ports.clock.now().isoformat()
    ignored = [record for record in ports.ledger.objects(project) if record.verdict == IGNORED]
    early = [record for record in ignored if record.run is None]
    return len(ports.ledger.move([Move(r, r.becomes(PENDING, at=at)) for r in early]))


def _lost_uploads(project: str, ports: Ports) -> int:
    """Enter what the bucket has and the ledger does not know, as the newest of its key."""
    newest: dict[str, ObjectRecord] = {}
    for record in ports.ledger.objects(project):
        other = newest.get(record.key)
        if other is None or order(record.sequencer) > order(other.sequencer):
            newest[record.key] = record
    before = ports.clock.now() - SETTLING
    lost = [one for one in ports.documents.listing(f"{DROP}{project}/") if _unknown(one, newest.get(one.key))]
    recorded = (_enter(one, newest.get(one.key), project, ports) for one in lost if one.modified <= before)
    return sum(outcome == "recorded" for outcome in recorded)


def _unknown(listed: Listed, record: ObjectRecord | None) -> bool:
    return destination(listed.key)[1] is None and (record is None or record.etag != listed.etag)


def _enter(listed: Listed, known: ObjectRecord | None, project: str, ports: Ports) -> str:
    sequencer = after(order(known.sequencer) if known else "")
    upload = Upload(
        "created", ports.settings.bucket, listed.key, None, listed.etag, sequencer, listed.size,
        listed.modified.isoformat(),
    )  # fmt: skip
    return ports.ledger.record(record_of(upload, project, verdict=PENDING, reason=None, source="sweep"))
