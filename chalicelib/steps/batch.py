"""Batch: accept rows to be scored, and tell how far a batch is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from chalicelib.domain import batch as batches
from chalicelib.domain import limits
from chalicelib.domain.asked import read
from chalicelib.domain.batch import Batch
from chalicelib.domain.negotiation import CSV
from chalicelib.domain.project import complete
from chalicelib.errors import NotFound
from chalicelib.ports import Ports

_LINK_SECONDS = 900
_MOST = 1000
"""Batches a page."""
_COUNTED = 64 * limits.MB
"""Answers up to this size are counted line by line when the batch is looked at."""
_INSIDE = {"model_name", "instance", "mark", "tries"}
_SCORING = timedelta(minutes=20)
"""Longer than Score takes, tried three times."""
_AGAIN = {batches.REFUSED, batches.FAILED}


@dataclass(frozen=True, slots=True)
class Accept:
    """Rows in the request itself (`body`), or a file that lies below drop/<project>/score/ already (`key`)."""

    project: str
    key: str | None
    body: bytes
    content_type: str
    request_id: str


def accept(command: Accept, ports: Ports) -> dict[str, Any]:
    """Answers the batch as accepted, and where to ask for it. Raises NotFound, NotReady, BadRequest."""
    champion = ports.champions.of(command.project)
    if command.key is None:
        asked = read(command.body, command.content_type)
        name = f"{command.request_id}.{'csv' if asked.content_type == CSV else 'json'}"
        batch_id = batches.batch_id(command.project, name, champion.run)
        key = f"{batches.folder(batch_id)}request/{name}"
        ports.files.put(key, command.body)
        mark = None
    else:
        key = batches.to_score(command.key, command.project)
        stored = ports.files.head(key)
        if stored is None:
            raise NotFound(
                key, "there is no such file", "Put it there first: POST /projects/{project}/uploads."
            )
        batch_id = batches.batch_id(command.project, key, stored.etag, champion.run)
        mark = batches.mark(command.project, key, stored.version_id, stored.etag)
    return _accepted(batch_id, key, mark, command.project, ports)


def _accepted(batch_id: str, key: str, mark: str | None, project: str, ports: Ports) -> dict[str, Any]:
    known = ports.documents.read(_address(batch_id, ports))
    if known is None or known["status"] in _AGAIN or _lost(known, ports):
        champion, spec = ports.champions.of(project), ports.ledger.project(project) or {}
        instance = complete(spec)["release"]["instance"]
        at = ports.clock.now().isoformat()
        batch = Batch(batch_id, project, key, champion.run, champion.config, instance, at, mark=mark)
        known = replace(batch, tries=_failed(known)).document()
        ports.documents.write(_address(batch_id, ports), known)
        ports.background.score(batch_id, f"{batch.folder}batch.json")
    return _told(known, batch_id)


def _lost(known: Mapping[str, Any], ports: Ports) -> bool:
    """Whether Score was to take it up and has not within all its time: it was never told, or it died."""
    waited = ports.clock.now() - datetime.fromisoformat(known["at"])
    return bool(known["status"] == batches.ACCEPTED and waited > _SCORING)


def _failed(known: Mapping[str, Any] | None) -> int:
    """Jobs of the batch that have failed: a job's name is used once."""
    if known is None:
        return 0
    return int(known.get("tries", 0)) + int(known["status"] == batches.FAILED)


def _told(document: Mapping[str, Any], batch_id: str) -> dict[str, Any]:
    """What callers are told of a batch; the rest is ours."""
    shown = {name: value for name, value in document.items() if name not in _INSIDE}
    return {**shown, "status_url": f"/batch/{batch_id}"}


def look(batch_id: str, ports: Ports) -> dict[str, Any]:
    """A batch: accepted, scoring, done, failed or refused; how many rows; links to its answers and refused rows."""
    found = ports.documents.read(_address(batch_id, ports))
    if found is None:
        raise batches.no_batch(batch_id)
    batch = Batch(**found)
    if batch.status == batches.SCORING:
        batch = _looked(batch, ports)
    return {**_told(batch.document(), batch_id), "links": _links(batch, ports)}


def _looked(batch: Batch, ports: Ports) -> Batch:
    """What the job has come to; kept once it has ended."""
    status, reason = ports.transforms.status(batches.job_name(ports.settings.stage, batch))
    now = batches.state(status)
    if now == batches.SCORING:
        return batch
    counted = {"answered": ports.files.lines(batch.result, _COUNTED)} if now == batches.DONE else {}
    rows = {name: number for name, number in {**batch.rows, **counted}.items() if number is not None}
    ended = replace(batch, status=now, reason=reason, rows=rows)
    ports.documents.write(_address(batch.id, ports), ended.document())
    return ended


def _links(batch: Batch, ports: Ports) -> Mapping[str, str]:
    wanted = {"answers": batch.result} if batch.status == batches.DONE else {}
    if batch.rows.get("refused"):
        wanted["errors"] = batch.errors
    return {name: ports.files.download(key, _LINK_SECONDS) for name, key in wanted.items()}


def known(project: str, ports: Ports, after: str = "") -> dict[str, Any]:
    """A page of a project's batches, by name; `after`: those above this one."""
    if ports.ledger.project(project) is None:
        raise NotFound(
            f"project {project}", "there is no such project", f"Create it with PUT /projects/{project}."
        )
    keys = ports.documents.keys(f"scores/{project}/")
    found = sorted(key.split("/")[2] for key in keys if key.endswith("/batch.json"))
    page = [one for one in found if one > after][:_MOST]
    told = [{"id": one, "status_url": f"/batch/{one}"} for one in page]
    return {"project": project, "batches": told, "next": page[-1] if page and page[-1] != found[-1] else None}


def _address(batch_id: str, ports: Ports) -> str:
    return f"s3://{ports.settings.bucket}/{batches.folder(batch_id)}batch.json"
