"""What the ledger remembers of an upload, and how its verdict may change. Both ledgers (DynamoDB's and the
tests') apply the changes decided here; they only add that nobody else changed the record meanwhile.

A key's head keeps two maxima: the newest upload and the newest deletion, by S3's sequencer. The newest upload lives
unless a newer deletion is known; every other upload of the key is superseded. Maxima do not care in which order, how
often or how late they are told, so neither do verdicts.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from chalicelib.domain.upload import Upload, object_id, order

PENDING, CLAIMED, PREPARED, REFUSED = "pending", "claimed", "prepared", "refused"
SUPERSEDED, DELETED, IGNORED = "superseded", "deleted", "ignored"
VERDICTS = (PENDING, CLAIMED, PREPARED, REFUSED, SUPERSEDED, DELETED, IGNORED)
MAX_TRIES = 3
"""Runs an upload may fail with before it waits for a person."""
COUNTED = 20_000
"""Uploads counted in one request: what it takes to read them stays well below the 29 s the API may take."""
_HISTORY = 20
_NEXT: dict[str, frozenset[str]] = {
    PENDING: frozenset({PENDING, CLAIMED, SUPERSEDED, DELETED}),
    CLAIMED: frozenset({PREPARED, REFUSED, IGNORED, PENDING, SUPERSEDED, DELETED}),
    PREPARED: frozenset({PREPARED, REFUSED, IGNORED, SUPERSEDED, DELETED}),
    IGNORED: frozenset({PENDING, SUPERSEDED, DELETED}),
    REFUSED: frozenset(),
    SUPERSEDED: frozenset({SUPERSEDED, DELETED, PENDING, IGNORED}),
    DELETED: frozenset({DELETED, SUPERSEDED, PENDING, IGNORED}),
}
_WHY_CLOSED = {SUPERSEDED: "a newer upload of the same key", DELETED: "deleted from the bucket"}
REWRITTEN = "erasure"
"""The source of an upload that an erasure put: no event of its own may give it another place in the order."""
_RESTORED = "the bucket shows it as the current version again"


@dataclass(frozen=True, slots=True)
class ObjectRecord:
    """One upload and its verdict. `tries`: runs it has failed with; `revision` counts its changes.

    `leaving`: it is closed, but the newest dataset may still hold it: the next run makes one without it.
    """

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
    leaving: bool = False

    @property
    def id(self) -> str:
        """The upload's name in the ledger."""
        return object_id(self.key, self.version_id, self.sequencer, self.etag)

    @property
    def entered(self) -> str:
        """When the ledger learned of the upload; "" once that line of its history is gone."""
        first = self.history[0] if self.history else {}
        return str(first["at"]) if first and first["from"] is None else ""

    @property
    def waits(self) -> bool:
        """Whether a run is to come for it: to take it in, or to leave it out."""
        return self.verdict == PENDING or self.leaving

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
    """The newest news of a key: its newest upload ("" when only a deletion is known) and its newest deletion."""

    key: str
    sequencer: str
    object_id: str
    gone: str = ""

    @property
    def deleted(self) -> bool:
        """Whether the newest upload has been deleted."""
        return not self.object_id or order(self.gone) > order(self.sequencer)

    @property
    def newest(self) -> str:
        """The newest sequencer known of the key."""
        return max(self.sequencer, self.gone, key=order)


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
    moves: tuple[Move, ...] = ()
    head: Head | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many uploads have each verdict; `more`: the id after which counting would go on, None at the end."""

    verdicts: dict[str, int]
    more: str | None = None


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
    upload: Upload,
    project: str,
    *,
    verdict: str,
    reason: str | None,
    source: str = "event",
    entered: str | None = None,
) -> ObjectRecord:
    """The first record of an upload; `entered` is now, where that is not when it was put."""
    line = {"at": entered or upload.at, "from": None, "to": verdict, "reason": reason, "run": None}
    return ObjectRecord(
        project, upload.bucket, upload.key, upload.version_id, upload.etag, upload.sequencer, upload.size, upload.at,
        verdict, reason, source=source, history=(line,),
    )  # fmt: skip


def arrival(
    new: ObjectRecord, head: Head | None, current: ObjectRecord | None, existing: ObjectRecord | None
) -> Change:
    """What an upload's arrival does, given the key's head, the record it names, and the upload's own record."""
    if existing is not None:
        return _told_again(new, head, existing)
    if head and head.object_id and order(new.sequencer) < order(head.sequencer):
        return Change("older", put=_stillborn(new, SUPERSEDED, "a newer upload"))
    after = Head(new.key, new.sequencer, new.id, head.gone if head else "")
    closed = _closed(current, SUPERSEDED, new.event_time)
    if after.deleted:
        return Change("older", _stillborn(new, DELETED, "its deletion"), closed, after)
    return Change("recorded", new, closed, after)


def _stillborn(new: ObjectRecord, verdict: str, news: str) -> ObjectRecord:
    return new.becomes(verdict, at=new.event_time, reason=f"arrived after the news of {news}")


def _told_again(new: ObjectRecord, head: Head | None, existing: ObjectRecord) -> Change:
    """Nothing, unless it was the sweep that met the upload first: only its own event tells its true place."""
    if existing.source != "sweep" or new.source == "sweep" or head is None:
        return Change("known")
    placed = replace(existing, sequencer=new.sequencer, source=new.source, revision=existing.revision + 1)
    if head.object_id != existing.id:
        return Change("known", moves=(Move(existing, placed),))
    after = replace(head, sequencer=max(head.sequencer, new.sequencer, key=order))
    if head.deleted and not after.deleted and existing.verdict == DELETED:
        again = existing.becomes(PENDING, at=new.event_time, run=None, leaving=False, tries=0)
        placed = replace(again, sequencer=new.sequencer, source=new.source)
    return Change("known", moves=(Move(existing, placed),), head=after)


def deletion(upload: Upload, head: Head | None, current: ObjectRecord | None) -> Change:
    """What the news does that a key shows no object any more."""
    if head and order(upload.sequencer) <= order(head.gone):
        return Change("known")
    newest, name = (head.sequencer, head.object_id) if head else ("", "")
    after = Head(upload.key, newest, name, gone=upload.sequencer)
    if not after.deleted:
        return Change("known")
    return Change("deleted", moves=_closed(current, DELETED, upload.at), head=after)


def restoration(
    upload: Upload,
    verdict: str,
    head: Head | None,
    current: ObjectRecord | None,
    existing: ObjectRecord | None,
) -> Change:
    """What it does that the bucket shows an upload the ledger had closed: a newer version, or the marker of its
    deletion, was removed. `upload.sequencer` is when; `verdict` is what it is taken back as.
    """
    if head is None or existing is None or order(upload.sequencer) <= order(head.newest):
        return Change("known")
    closed = () if current is None or current.id == existing.id else _closed(current, DELETED, upload.at)
    if existing.verdict in {SUPERSEDED, DELETED}:
        fresh = {"run": None, "leaving": False, "tries": 0}
        closed += (Move(existing, existing.becomes(verdict, at=upload.at, reason=_RESTORED, **fresh)),)
    return Change("restored", moves=closed, head=Head(upload.key, upload.sequencer, existing.id, head.gone))


def rewriting(
    new: ObjectRecord, old: ObjectRecord, head: Head | None, existing: ObjectRecord | None
) -> Change:
    """What it does that an upload was put again without some of its rows: `new`, in the place of `old`.

    It is the same upload in the order of things, whether or not its own event came first (`existing`). What was never
    to be read (refused, ignored) need not be read now.
    """
    closed = _closed(old, SUPERSEDED, new.event_time) if old.verdict not in {REFUSED, DELETED} else ()
    ours = head is not None and head.object_id in {old.id, new.id}
    if existing is not None:
        placed = replace(existing, sequencer=old.sequencer, source=REWRITTEN, revision=existing.revision + 1)
        closed += (Move(existing, placed),)
    if head is None or not ours:
        late = None if existing else _stillborn(new, SUPERSEDED, "a newer upload")
        return Change("older", put=late, moves=closed)
    after = Head(new.key, old.sequencer, new.id, head.gone)
    if existing is not None:
        return Change("rewritten", moves=closed, head=after)
    return Change(
        "rewritten", _stillborn(new, DELETED, "its deletion") if after.deleted else new, closed, after
    )


def _closed(current: ObjectRecord | None, verdict: str, at: str) -> tuple[Move, ...]:
    if current is None or current.verdict == verdict or not current.can_become(verdict):
        return ()
    leaving = current.leaving or current.verdict in {CLAIMED, PREPARED}
    after = current.becomes(verdict, at=at, reason=_WHY_CLOSED[verdict], leaving=leaving)
    return (Move(current, after),)


def claimed(record: ObjectRecord, run: str, at: str) -> Move | None:
    """A run takes a waiting upload in, or a closed one out."""
    if record.leaving:
        return Move(
            record, record.becomes(record.verdict, at=at, reason=record.reason, run=run, leaving=False)
        )
    return Move(record, record.becomes(CLAIMED, at=at, run=run)) if record.can_become(CLAIMED) else None


def kept_after_all(record: ObjectRecord, run: str, at: str, *, blame: bool) -> Move | None:
    """A run that was to leave a closed upload out has made no dataset: the next run is to do it.

    `blame`: it is one try poorer, unless the run failed before its data was looked at.
    """
    if record.run != run or record.leaving or record.verdict not in {SUPERSEDED, DELETED}:
        return None
    tries = record.tries + int(blame)
    after = record.becomes(record.verdict, at=at, reason=record.reason, leaving=True, tries=tries)
    return Move(record, after)
