"""Erase: take the rows of some keys out of everything a project keeps. Asked for here, done by a job in the next run.

An erasure waits as an upload does, and is a run's first work: so it has the project to itself, is taken up again when
its run dies, and the run goes on with what is left of the data. training/erase.py is the job; Claim starts it and
takes in what it has done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from chalicelib.domain import erasure as erasures
from chalicelib.domain.endpoint import endpoint_name
from chalicelib.domain.erasure import DONE, RUNNING, WAITING, Erasure
from chalicelib.domain.jobs import erase_request
from chalicelib.domain.project import key as key_columns
from chalicelib.domain.run import Lease
from chalicelib.domain.upload import Upload
from chalicelib.errors import BadRequest, NotFound
from chalicelib.observability import note
from chalicelib.ports import Ports

_MOST = 200
"""Erasures in a list: with the longest receipts below the 6 MB of an answer."""
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Erase:
    """Keys whose rows are to go, as they were sent. `dry_run`: only say where they are."""

    project: str
    keys: Any
    dry_run: bool = False


def run(command: Erase, ports: Ports) -> dict[str, Any]:
    """Enter the erasure and start a run for it; the same keys again are the same erasure while it is under way."""
    columns = _columns(command.project, ports)
    keys, faults = erasures.keys_of(command.keys, columns)
    if faults:
        what = f"{len(faults)} of the keys cannot be meant"
        raise BadRequest("keys", what, "See errors, correct them, send all again.", status=422, faults=faults)
    secret = ports.erasures.secret(command.project)
    digests = tuple(erasures.digest(secret, key) for key in keys)
    asked = _under_way(command, digests, ports) or _new(command, columns, digests, ports)
    place = place_of(ports.settings.bucket, asked)
    if asked.as_of(_holder(command.project, ports)).state != RUNNING:
        document = {"columns": list(columns), "keys": keys, "dry_run": command.dry_run}
        ports.documents.write(f"{place}keys.json", document)  # first: a run may come at once
        asked = replace(asked, state=WAITING, tries=0)
        ports.erasures.put(asked)
    started = ports.launcher.when_waiting(command.project)
    url = f"/projects/{command.project}/erasures/{asked.id}"
    return {**asked.document(), "run": asked.run or started, "url": url}


def _holder(project: str, ports: Ports) -> str | None:
    lease = ports.ledger.lease(project)
    return lease.run if lease else None


def _columns(project: str, ports: Ports) -> tuple[str, ...]:
    spec = _spec(project, ports)
    columns = tuple(key_columns(spec))
    if not columns:
        raise BadRequest(
            f"project {project}", "its spec names no key, so nobody can say which rows are one person's",
            "Name the columns in key, store the spec with PUT, and ask again.", status=422,
        )  # fmt: skip
    return columns


def _spec(project: str, ports: Ports) -> dict[str, Any]:
    spec = ports.ledger.project(project)
    if spec is None:
        raise NotFound(
            f"project {project}", "there is no such project", "GET /projects lists those there are."
        )
    return spec


def _under_way(command: Erase, digests: tuple[str, ...], ports: Ports) -> Erasure | None:
    every = ports.erasures.all(command.project)
    return next((one for one in every if one.same_as(digests, dry_run=command.dry_run)), None)


def _new(command: Erase, columns: tuple[str, ...], digests: tuple[str, ...], ports: Ports) -> Erasure:
    now = ports.clock.now()
    name = f"{_base36(int(now.timestamp() * 1000))}-{digests[0][:8]}"
    return Erasure(command.project, name, columns, digests, command.dry_run, now.isoformat())


def _base36(number: int) -> str:
    letters = ""
    while number:
        number, digit = divmod(number, 36)
        letters = _DIGITS[digit] + letters
    return letters


def show(project: str, name: str, ports: Ports) -> dict[str, Any]:
    """How far one erasure is; its receipt when it is done."""
    _spec(project, ports)
    found = ports.erasures.get(project, name)
    if found is None:
        raise NotFound(
            f"erasure {name}", "there is no such erasure", f"GET /projects/{project}/erasures lists them."
        )
    return found.as_of(_holder(project, ports)).document()


def listed(project: str, ports: Ports) -> dict[str, Any]:
    """A project's newest erasures, newest first, without their digests: each by itself tells them."""
    _spec(project, ports)
    every = sorted(ports.erasures.all(project), key=lambda one: one.requested_at, reverse=True)
    holder = _holder(project, ports)
    told = [one.as_of(holder).document() for one in every[:_MOST]]
    return {"project": project, "erasures": [_without_digests(one) for one in told]}


def _without_digests(document: Mapping[str, Any]) -> dict[str, Any]:
    receipt = document["receipt"] and {**document["receipt"]}
    if receipt:
        receipt.pop("digests", None)
    return {**{name: value for name, value in document.items() if name != "digests"}, "receipt": receipt}


def place_of(bucket: str, asked: Erasure) -> str:
    """Where an erasure's documents are."""
    return f"s3://{bucket}/runs/erasures/{asked.project}/{asked.id}/"


@dataclass(frozen=True, slots=True)
class Eraser:
    """Claim's part of erasures; see chalicelib.ports.Eraser."""

    ports: Ports

    def next(self, lease: Lease, spec_uri: str, settled: Sequence[Erasure]) -> dict[str, Any] | None:
        """The job of the oldest erasure that waits, which is now this run's; None when none does."""
        waiting = [one for one in settled if one.may_run]
        if not waiting:
            return None
        asked = min(waiting, key=lambda one: (one.requested_at, one.id))
        asked = replace(asked, state=RUNNING, run=lease.run, tries=asked.tries + 1)
        self.ports.erasures.put(asked)
        endpoint = endpoint_name(self.ports.settings.stage, lease.project)
        return erase_request(self.ports.settings, lease.project, asked.id, spec_uri, f"capture/{endpoint}/")

    def settle(self, lease: Lease) -> list[Erasure]:
        """Take in what the job has done; the project's erasures as they are then."""
        return [self._settled(asked, lease) for asked in self.ports.erasures.all(lease.project)]

    def _settled(self, asked: Erasure, lease: Lease) -> Erasure:
        if asked.state != RUNNING:
            return asked
        result = self.ports.documents.read(f"{place_of(self.ports.settings.bucket, asked)}result.json")
        if result is None or not result["complete"]:
            return asked
        return self._done(replace(asked, run=lease.run), result)

    def _done(self, asked: Erasure, result: Mapping[str, Any]) -> Erasure:
        ledger, now = self.ports.ledger, self.ports.clock.now()
        for one in result["rewritten"]:
            self._rewritten(asked.project, one, now)
        for key in result["removed"]:
            self.ports.repairer(asked.project, key, before=now)
        champion = ledger.champion(asked.project)
        whole = erasures.receipt(result, asked, ledger.runs(asked.project), champion)
        place = place_of(self.ports.settings.bucket, asked)
        self.ports.documents.write(f"{place}receipt.json", whole)
        said = {**erasures.short(whole), "receipt_uri": f"{place}receipt.json"}
        done = replace(asked, state=DONE, receipt=said)
        self.ports.erasures.put(done)
        note(erasure=asked.id, models=len(whole["models"]))
        return done

    def _rewritten(self, project: str, one: Mapping[str, Any], now: datetime) -> None:
        """The new version of an upload takes the old one's place, its place in the order above all: else what was
        dropped first would now be what was dropped last, and its rows would win over newer ones."""
        records = self.ports.ledger.objects(project, one["key"])
        old = next((record for record in records if record.version_id == one["was"]), None)
        if old is None:
            return  # its own event is still to come, and the new version's too
        new = Upload(
            "created", self.ports.settings.bucket, one["key"], one["version_id"], one["etag"], old.sequencer,
            one["size"], now.isoformat(),
        )  # fmt: skip
        self.ports.ledger.rewrite(new, old)
