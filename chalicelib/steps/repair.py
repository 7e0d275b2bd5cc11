"""Repair: make the ledger tell of a key what the bucket shows. For events that were lost, and for the removal of a
version, of which no event says what it has uncovered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import takewhile

from chalicelib.domain.ledger import (
    CLAIMED,
    DELETED,
    IGNORED,
    PENDING,
    PREPARED,
    SUPERSEDED,
    Head,
    ObjectRecord,
    record_of,
)
from chalicelib.domain.upload import Upload, after, order
from chalicelib.ports import Listed, Ports

_OPEN = frozenset({PENDING, CLAIMED, PREPARED, IGNORED})


def differs(known: Iterable[ObjectRecord], listed: Sequence[Listed], settled: datetime) -> bool:
    """Whether the ledger's records of a key and the bucket's versions of it tell different stories.

    Versions younger than `settled` are left to their own events.
    """
    records = list(known)
    uploads = [one for one in listed if not one.marker]
    if any(_record_of(one, records) is None and one.modified <= settled for one in uploads):
        return True
    latest = next((one for one in uploads if one.latest), None)
    if latest is None:
        return any(record.verdict in _OPEN for record in records)
    record = _record_of(latest, records)
    return record is not None and record.verdict in {SUPERSEDED, DELETED}


def repair(
    project: str,
    key: str,
    ports: Ports,
    *,
    before: datetime,
    verdict: str = PENDING,
    reason: str | None = None,
) -> int:
    """Enter versions that nobody told of and that are older than `before`, as `verdict`; close what is gone, open what
    is back. Answers how many verdicts changed.
    """
    head = ports.ledger.head(project, key) or Head(key, "", "")
    records = ports.ledger.objects(project, key)
    listed = list(takewhile(lambda one: one.key == key, ports.documents.listing(key)))
    changed, newest = 0, head.newest
    older = ""
    for one in reversed([one for one in listed if not one.marker]):
        record = _record_of(one, records)
        if record is not None:
            older = max(older, record.sequencer, key=order)
        elif one.modified <= before:
            older = after(max(newest, older, key=order) if one.latest else older)
            upload = _upload(one, ports, older)
            new = record_of(upload, project, verdict=verdict, reason=reason, source="sweep")
            changed += ports.ledger.record(new) != "known"
    return changed + _settle(
        project, key, listed, records, after(max(newest, older, key=order)), ports, verdict
    )


def _settle(
    project: str,
    key: str,
    listed: list[Listed],
    records: list[ObjectRecord],
    now: str,
    ports: Ports,
    verdict: str,
) -> int:
    """The key's newest upload lives if the bucket shows it, as of the sequencer `now`."""
    latest = next((one for one in listed if one.latest and not one.marker), None)
    head = ports.ledger.head(project, key)
    if head is None:
        return 0
    if latest is None:
        at = ports.clock.now().isoformat()
        gone = Upload("deleted", ports.settings.bucket, key, None, "", now, 0, at)
        return int(not head.deleted and ports.ledger.delete(gone, project) == "deleted")
    record = _record_of(latest, records)
    if record is None or (head.object_id == record.id and not head.deleted):
        return 0
    return int(ports.ledger.restore(_upload(latest, ports, now), project, verdict) == "restored")


def _record_of(listed: Listed, records: Iterable[ObjectRecord]) -> ObjectRecord | None:
    """The record of a version; of a bucket without versions, the newest with its etag."""
    if listed.version_id is None:
        return max(
            (one for one in records if one.etag == listed.etag),
            key=lambda one: order(one.sequencer),
            default=None,
        )
    return next((one for one in records if one.version_id == listed.version_id), None)


def _upload(one: Listed, ports: Ports, sequencer: str) -> Upload:
    at = one.modified.isoformat()
    return Upload(
        "created", ports.settings.bucket, one.key, one.version_id, one.etag, sequencer, one.size, at
    )
