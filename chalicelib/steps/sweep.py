"""Sweep: repair what a lost event, a dead execution or a crash between two writes has left behind.

Per project: (a) a lease whose execution is no longer running is given its next attempt, at most MAX_ATTEMPTS, then
reported as failed; (b) where bucket and ledger tell different stories of a key, the bucket is right; (c) uploads
that waited for their project, or that failed with a run, are taken up again; (d) files to be scored that nobody has
taken up are scored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Any

from chalicelib.domain.batch import is_to_score, mark, marks
from chalicelib.domain.bucket import Listed, differs, settled
from chalicelib.domain.ledger import IGNORED, PENDING, Move, ObjectRecord
from chalicelib.domain.run import MAX_ATTEMPTS, Lease, RunEnded
from chalicelib.domain.upload import DROP, destination
from chalicelib.errors import PipelineError
from chalicelib.observability import note
from chalicelib.ports import Ports

SCORING, RECENT = timedelta(minutes=20), timedelta(days=3)
"""A file to be scored is left to its own function that long; one that no function could score is not tried for ever."""
Shown = Mapping[str, Sequence[Listed]]


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
    records = ports.ledger.objects(project)
    listing = ports.documents.listing(
        f"{DROP}{project}/"
    )  # after: what is known and not listed is really gone
    shown = {key: list(found) for key, found in groupby(listing, key=lambda one: one.key)}
    entered = _differences(project, records, shown, ports)
    scored = _unscored(project, shown, ports)
    adopted = _adopt(records, ports)
    restarted = _dead_run(project, ports)
    started = None if restarted else ports.launcher.when_waiting(project, retries=True)
    return {
        "entered": entered,
        "scored": scored,
        "adopted": adopted,
        "restarted": restarted,
        "started": started,
    }


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


def _adopt(records: Sequence[ObjectRecord], ports: Ports) -> int:
    """Uploads that came before their project; those a run had no source for wait for another spec."""
    at = ports.clock.now().isoformat()
    early = [record for record in records if record.verdict == IGNORED and record.run is None]
    return len(ports.ledger.move([Move(r, r.becomes(PENDING, at=at)) for r in early]))


def _unscored(project: str, shown: Shown, ports: Ports) -> int:
    """Have the files scored whose events were lost; answers how many."""
    now = ports.clock.now()
    oldest, newest = now - RECENT, now - SCORING
    here = [
        one
        for versions in shown.values()
        for one in versions
        if one.latest
        and not one.marker
        and is_to_score(one.key, project)
        and oldest <= one.modified <= newest
    ]
    taken = set(ports.documents.keys(marks(project))) if here else set()
    lost = [one for one in here if mark(project, one.key, one.version_id, one.etag) not in taken]
    for one in lost:
        ports.background.dropped(one)
    return len(lost)


def _differences(project: str, records: Sequence[ObjectRecord], shown: Shown, ports: Ports) -> int:
    """Repair every key of which ledger and bucket tell different stories; answers how many verdicts that changed."""
    known: dict[str, list[ObjectRecord]] = {}
    for record in records:
        known.setdefault(record.key, []).append(record)
    before = settled(records, ports.clock.now())
    odd = [key for key in {**known, **shown} if differs(known.get(key, []), shown.get(key, []), before)]
    changed = 0
    for key in (one for one in odd if destination(one)[1] is None):
        if (
            key not in known and len(shown[key]) == 1
        ):  # most of what is lost: no need to ask again what was just read
            changed += ports.repairer.enter(project, shown[key][0], before=before)
        else:
            changed += ports.repairer(project, key, before=before)
    return changed
