"""The bucket's side of the story: versions as a listing shows them, and whether the ledger tells the same."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from chalicelib.domain.ledger import (
    CLAIMED,
    DELETED,
    IGNORED,
    PENDING,
    PREPARED,
    SUPERSEDED,
    ObjectRecord,
)
from chalicelib.domain.upload import order

_OPEN = frozenset({PENDING, CLAIMED, PREPARED, IGNORED})


SETTLING = timedelta(minutes=2)
"""Younger versions are left to their own events."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An object as it lies there now; `size` in bytes. `by_erasure`: one has put it there, without some of its rows."""

    etag: str
    size: int
    version_id: str | None = None
    by_erasure: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """One version of an object, or (`marker`) of its absence, as a listing of the bucket shows it."""

    key: str
    etag: str
    size: int
    modified: datetime
    version_id: str | None = None
    latest: bool = True
    marker: bool = False


def settled(records: Iterable[ObjectRecord], now: datetime) -> datetime:
    """Of what was put before this moment the event should have come by now.

    That is two minutes ago; but while events come late, as those of a burst do, what was put after the newest that
    has just come is likely to stand in the same queue behind it, and not to be lost.
    """
    since = now - SETTLING
    just_come = [one for one in records if one.source == "event" and _is_since(one.entered, since)]
    newest = max((at for one in just_come if (at := _moment(one.event_time))), default=since)
    return min(since, newest)


def _is_since(text: str, since: datetime) -> bool:
    at = _moment(text)
    return at is not None and at >= since


def _moment(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at if at.tzinfo else None


def differs(known: Iterable[ObjectRecord], listed: Sequence[Listed], settled: datetime) -> bool:
    """Whether the ledger's records of a key and the bucket's versions of it tell different stories.

    Versions younger than `settled` are left to their own events.
    """
    records = list(known)
    uploads = [one for one in listed if not one.marker]
    if any(record_of_version(one, records) is None and one.modified <= settled for one in uploads):
        return True
    latest = next((one for one in uploads if one.latest), None)
    if latest is None:
        return any(record.verdict in _OPEN for record in records)
    record = record_of_version(latest, records)
    return record is not None and record.verdict in {SUPERSEDED, DELETED}


def record_of_version(listed: Listed, records: Iterable[ObjectRecord]) -> ObjectRecord | None:
    """The record of a version; of a bucket without versions, the newest with its etag."""
    if listed.version_id is None:
        return max(
            (one for one in records if one.etag == listed.etag),
            key=lambda one: order(one.sequencer),
            default=None,
        )
    return next((one for one in records if one.version_id == listed.version_id), None)
