"""Claim: take every waiting upload of the project into this run, and every closed one out of it; then say what each
later state is to ask of AWS. While a burst still arrives, Claim only says how long to wait before it is asked again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.domain import gathering
from chalicelib.domain.auto import AUTO, auto_request
from chalicelib.domain.dataset import live, objects_document
from chalicelib.domain.jobs import claim_document, only_fit, train_request
from chalicelib.domain.ledger import CLAIMED, ObjectRecord, claimed
from chalicelib.domain.places import Names
from chalicelib.domain.project import complete
from chalicelib.domain.run import Lease
from chalicelib.domain.tuning import parent_of, tune_request
from chalicelib.errors import LeaseLost, NotFound, NothingWaiting
from chalicelib.ports import Ports


@dataclass(frozen=True, slots=True)
class Claim:
    """The run that claims; `before`: what it was answered when it was told to wait."""

    project: str
    run: str
    attempt: int
    before: Mapping[str, Any] = field(default_factory=dict)


def run(command: Claim, ports: Ports) -> dict[str, Any]:
    """The `claim` part of the run document, or status gathering: ask again after wait_seconds.

    Claiming again, for a retry, takes in what has come since.
    """
    lease = _lease(command, ports)
    more = _gathering(command, ports)
    if more is not None:
        return more
    spec = ports.ledger.project(command.project)
    if spec is None:
        where = f"project {command.project}"
        raise NotFound(
            where, "there is no such project any more", f"Create it with PUT /projects/{command.project}."
        )
    erasures = ports.eraser.settle(lease)
    records = _take(lease, ports)
    names = Names(ports.settings, lease.project, lease.run, lease.attempt, version=lease.number)
    erase = ports.eraser.next(lease, names.of_run("project.json"), erasures)
    if erase is None and any(one.done_by(lease.run) for one in erasures):
        _changed(lease, ports)
    if not records and erase is None:
        where = f"project {command.project}"
        raise NothingWaiting(
            where, "no upload is usable: each is refused, deleted or replaced", "Upload new data."
        )
    document = _write(names, complete(spec), records, ports)
    return document if erase is None else {**document, "erase": erase}


def _changed(lease: Lease, ports: Ports) -> None:
    """Whether the erasure, or an upload that came meanwhile, has left something to prepare."""
    if not any(record.run == lease.run for record in ports.ledger.objects(lease.project)):
        where = f"project {lease.project}"
        raise NothingWaiting(
            where, "the erasure has changed no upload that is in use", "Its receipt says where it looked."
        )


def _lease(command: Claim, ports: Ports) -> Lease:
    lease = ports.ledger.lease(command.project)
    if lease is None or (lease.run, lease.attempt) != (command.run, command.attempt):
        what = f"held by {lease.execution}" if lease else "held by nobody"
        advice = "Nothing is to be done: whoever holds it does the work."
        raise LeaseLost(
            f"project {command.project}", f"{what}, not by {command.run}-{command.attempt}", advice
        )
    return lease


def _gathering(command: Claim, ports: Ports) -> dict[str, Any] | None:
    """What to answer while more is arriving; None: it is time to claim."""
    waiting, waited = len(ports.ledger.waiting(command.project)), int(command.before.get("waited", 0))
    seconds = gathering.wait_seconds(waiting, command.before.get("waiting"), waited)
    if not seconds:
        return None
    return {"status": "gathering", "waiting": waiting, "waited": waited + seconds, "wait_seconds": seconds}


def _take(lease: Lease, ports: Ports) -> list[ObjectRecord]:
    """Claim what waits, then read what the dataset is made of: that read is the truth, whoever retried."""
    project, at = lease.project, ports.clock.now().isoformat()
    waiting = {one.object_id: one for one in ports.ledger.waiting(project)}
    if waiting:
        records = [record for record in ports.ledger.objects(project) if record.id in waiting]
        wanted = (record for record in records if record.leaving or not waiting[record.id].parked)
        moves = [move for record in wanted if (move := claimed(record, lease.run, at))]
        ports.ledger.move(moves, fence=lease)
    return live(ports.ledger.objects(project), lease.run)


def _write(names: Names, spec: dict[str, Any], records: list[ObjectRecord], ports: Ports) -> dict[str, Any]:
    ports.documents.write(names.of_run("objects.json"), objects_document(names.project, names.run, records))
    ports.documents.write(names.of_run("project.json"), spec)
    champion = _champion(names.project, ports)
    now = sum(record.verdict == CLAIMED for record in records)
    learning = _learning(names, spec, champion, ports)
    return claim_document(names, spec, champion, learning, objects=len(records), claimed_now=now)


def _champion(project: str, ports: Ports) -> dict[str, Any] | None:
    champion = ports.ledger.champion(project)
    if champion is None:
        return None
    made_by = ports.ledger.run(champion.run)
    learner = made_by.summary.get("learner") if made_by else None
    return {"run": champion.run, "artifact_uri": champion.artifact_uri, "learner": learner}


def _learning(
    names: Names, spec: dict[str, Any], champion: dict[str, Any] | None, ports: Ports
) -> dict[str, Any]:
    """The requests of the spec's way to a model: one training job, a tuning job, or several learners to choose from."""
    if spec["learner"]["name"] == AUTO:
        return {"auto": auto_request(names, spec)}
    if "tune" in spec:
        parent = parent_of(spec, ports.ledger.runs(names.project))
        return {"tune": tune_request(names, spec, parent)}
    return {"train": train_request(names, spec, only_fit(names, spec, champion))}
