"""What the ledger remembers of an upload, and how its verdict may change. Both ledgers (DynamoDB's and the
tests') apply the changes decided here; they only add that nobody else changed the record meanwhile.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from chalicelib.domain.upload import Upload, object_id, order

PENDING, CLAIMED, PREPARED, REFUSED = "pending", "claimed", "prepared", "refused"
SUPERSEDED, DELETED, IGNORED = "superseded", "deleted", "ignored"
MAX_TRIES = 3
"""Runs an upload may fail with before it waits for a person."""
_HISTORY = 20
_NEXT: dict[str, frozenset[str]] = {
    PENDING: frozenset({PENDING, CLAIMED, SUPERSEDED, DELETED}),
    CLAIMED: frozenset({PREPARED, REFUSED, IGNORED, PENDING, SUPERSEDED, DELETED}),
    PREPARED: frozenset({PREPARED, REFUSED, IGNORED, SUPERSEDED, DELETED}),
    IGNORED: frozenset({PENDING, SUPERSEDED, DELETED}),
    REFUSED: frozenset(),
    SUPERSEDED: frozenset(),
    DELETED: frozenset(),
}


@dataclass(frozen=True, slots=True)
class ObjectRecord:
    """One upload and its verdict. `tries`: runs it has failed with; `revision` counts its changes."""

    project: str
    bucket: str
    key: str
    version_id: str | None
    etag: str
    sequencer: str
    size: int
    event_time: str
    verdict: str
    reason: str | None = None
    run: str | None = None
    rows: dict[str, int] | None = None
    tries: int = 0
    source: str = "event"
    revision: int = 0
    history: tuple[dict[str, Any], ...] = field(default=(), repr=False)

    @property
    def id(self) -> str:
        """The upload's name in the ledger; sorts by key, then by age."""
        return object_id(self.key, self.sequencer, self.etag)

    def becomes(self, verdict: str, *, at: str, reason: str | None = None, **changes: Any) -> ObjectRecord:
        """The record with a new verdict and one more line of history. Raises ValueError where no path leads."""
        if verdict not in _NEXT[self.verdict]:
            raise ValueError(f"{self.key}: no way from {self.verdict} to {verdict}")
        line = {
            "at": at,
            "from": self.verdict,
            "to": verdict,
            "reason": reason,
            "run": changes.get("run", self.run),
        }
        history = (*self.history, line)[-_HISTORY:]
        new = {"verdict": verdict, "reason": reason, "history": history, "revision": self.revision + 1}
        return replace(self, **{**new, **changes})

    def can_become(self, verdict: str) -> bool:
        """Whether a path leads from the present verdict to this one."""
        return verdict in _NEXT[self.verdict]


@dataclass(frozen=True, slots=True)
class Head:
    """The newest thing known about a key: the upload, or that it was deleted."""

    key: str
    sequencer: str
    etag: str
    object_id: str
    deleted: bool = False
    source: str = "event"
    version_id: str | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """A record before and after: applied only while the stored revision is still the one before."""

    before: ObjectRecord
    after: ObjectRecord


@dataclass(frozen=True, slots=True)
class Change:
    """What one event does to the ledger, all of it or nothing."""

    outcome: str
    put: ObjectRecord | None = None
    move: Move | None = None
    head: Head | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """A marker: this upload waits for a run."""

    object_id: str
    tries: int

    @property
    def fresh(self) -> bool:
        """Has not failed with a run yet: it may start one at once."""
        return self.tries == 0

    @property
    def parked(self) -> bool:
        """Has failed too often to be tried again unasked."""
        return self.tries >= MAX_TRIES


def record_of(
    upload: Upload, project: str, *, verdict: str, reason: str | None, source: str = "event"
) -> ObjectRecord:
    """The first record of an upload."""
    line = {"at": upload.at, "from": None, "to": verdict, "reason": reason, "run": None}
    return ObjectRecord(
        project, upload.bucket, upload.key, upload.version_id, upload.etag, upload.sequencer, upload.size, upload.at,
        verdict, reason, source=source, history=(line,),
    )  # fmt: skip


def _head(record: ObjectRecord) -> Head:
    return Head(
        record.key,
        record.sequencer,
        record.etag,
        record.id,
        source=record.source,
        version_id=record.version_id,
    )


def arrival(
    new: ObjectRecord, head: Head | None, current: ObjectRecord | None, existing: ObjectRecord | None
) -> Change:
    """What an upload's arrival does, given the key's head, the record it names, and the upload's own record."""
    if existing is not None or (head is not None and head.object_id == new.id):
        return Change("known")
    if head is None:
        return Change("recorded", put=new, head=_head(new))
    if head.source == "sweep" and not head.deleted and head.etag == new.etag:
        # The sweep met this very object before its event came: learn the true sequencer, keep one record.
        newest = max(head.sequencer, new.sequencer, key=order)
        known = Head(head.key, newest, head.etag, head.object_id, version_id=new.version_id)
        return Change("known", head=known)
    if order(new.sequencer) < order(head.sequencer):
        verdict = DELETED if head.deleted else SUPERSEDED
        reason = f"arrived after the news of {'its deletion' if head.deleted else 'a newer upload'}"
        return Change("older", put=new.becomes(verdict, at=new.event_time, reason=reason))
    return Change("recorded", put=new, move=_close(current, SUPERSEDED, new.event_time), head=_head(new))


def deletion(upload: Upload, head: Head | None, current: ObjectRecord | None) -> Change:
    """What the news of a deletion does. A deleted old version of a key leaves its newer one alone."""
    gone = Head(upload.key, upload.sequencer, "", head.object_id if head else "", deleted=True)
    if head is None:
        return Change("deleted", head=gone)
    other_version = upload.permanent and upload.version_id and upload.version_id != head.version_id
    if other_version or order(upload.sequencer) <= order(head.sequencer):
        return Change("known")
    return Change("deleted", move=_close(current, DELETED, upload.at), head=gone)


def _close(current: ObjectRecord | None, verdict: str, at: str) -> Move | None:
    if current is None or not current.can_become(verdict):
        return None
    reason = "a newer upload of the same key" if verdict == SUPERSEDED else "deleted from the bucket"
    return Move(current, current.becomes(verdict, at=at, reason=reason))
