"""The ledger in one DynamoDB table. The domain decides what changes; here each change is one transaction, which holds
only while nobody else has touched what was decided upon. Every read is strongly consistent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from chalicelib.adapters import items
from chalicelib.adapters.items import Item
from chalicelib.adapters.runs import DynamoRuns, lost
from chalicelib.adapters.table import Write
from chalicelib.domain.ledger import (
    COUNTED,
    IGNORED,
    MAX_TRIES,
    PENDING,
    REFUSED,
    REWRITTEN,
    Change,
    Counts,
    Head,
    Move,
    ObjectRecord,
    Waiting,
    arrival,
    deletion,
    record_of,
    restoration,
    rewriting,
)
from chalicelib.domain.run import Lease
from chalicelib.domain.upload import Upload, key_in_ids, object_id, order
from chalicelib.errors import AwsTrouble

_TRIES = 20
_FEW = 25
_WRITES_A_TRANSACTION = 99
"""A transaction takes 100: one a move, one more when its marker comes or goes, and the fence."""


class DynamoLedger(DynamoRuns):
    """The Ledger port."""

    # ── Projects ──────────────────────────────────────────────────────────────────────────────────────────────
    def project(self, name: str) -> dict[str, Any] | None:
        """The project's spec, or None."""
        item = self._table.get(items.key("PROJECTS", name))
        return items.unpack(item)["spec"] if item else None

    def projects(self) -> list[str]:
        """Names of all projects."""
        return [item["sk"]["S"] for item in self._table.query("PROJECTS")]

    def put_project(self, spec: Mapping[str, Any], at: str) -> None:
        """Create or replace a project."""
        self._table.put(
            {**items.key("PROJECTS", spec["project"]), **items.pack({"spec": spec, "updated_at": at})}
        )

    # ── Uploads ───────────────────────────────────────────────────────────────────────────────────────────────
    def record(self, new: ObjectRecord) -> str:
        """Enter an upload; see the port."""

        def decide(head_item: Item | None) -> Change:
            head = items.head_of(head_item) if head_item else None
            existing = self._object(new.project, new.id) if head else None  # every upload leaves a head
            current = self._object(new.project, head.object_id) if head and existing is None else None
            return arrival(new, head, current, existing)

        return self._apply(new.project, new.key, decide, guess=True)

    def delete(self, upload: Upload, project: str) -> str:
        """Close the upload a deletion took away; see the port."""

        def decide(head_item: Item | None) -> Change:
            head = items.head_of(head_item) if head_item else None
            current = self._object(project, head.object_id) if head and head.object_id else None
            return deletion(upload, head, current)

        return self._apply(project, upload.key, decide)

    def restore(self, upload: Upload, project: str, verdict: str) -> str:
        """Open a closed upload again; see the port."""
        name = object_id(upload.key, upload.version_id, upload.sequencer, upload.etag)

        def decide(head_item: Item | None) -> Change:
            head = items.head_of(head_item) if head_item else None
            current = self._object(project, head.object_id) if head else None
            return restoration(upload, verdict, head, current, self._object(project, name))

        return self._apply(project, upload.key, decide)

    def rewrite(self, upload: Upload, old: ObjectRecord) -> str:
        """Let an upload take the place of one it was made of; see the port."""
        verdict = old.verdict if old.verdict in {REFUSED, IGNORED} else PENDING
        reason = old.reason if verdict != PENDING else None
        new = record_of(upload, old.project, verdict=verdict, reason=reason, source=REWRITTEN)

        def decide(head_item: Item | None) -> Change:
            head = items.head_of(head_item) if head_item else None
            known = self._object(old.project, old.id) or old
            return rewriting(new, known, head, self._object(old.project, new.id))

        return self._apply(old.project, upload.key, decide)

    def head(self, project: str, key: str) -> Head | None:
        """The newest news of a key."""
        item = self._table.get(items.head_key(project, key))
        return items.head_of(item) if item else None

    def _apply(
        self, project: str, key: str, decide: Callable[[Item | None], Change], *, guess: bool = False
    ) -> str:
        """Decide on what is there and write it; look again if somebody was quicker.

        `guess`: first try as if nothing were known of the key. Most uploads are of new keys, and save a read that way;
        the conditions of the write refuse a wrong guess.
        """
        for attempt in range(_TRIES):
            before = None if guess and not attempt else self._table.get(items.head_key(project, key))
            change = decide(before)
            writes = self._writes(project, change, before)
            if not writes or self._table.transact(writes) is None:
                return change.outcome
        raise AwsTrouble(
            f"ledger {self._table.name}", f"{key} keeps changing", "The event will be delivered again."
        )

    def _writes(self, project: str, change: Change, before: Item | None) -> list[Write]:
        writes = []
        if change.put:
            writes.append(
                self._table.conditional_put(items.object_item(change.put), "attribute_not_exists(pk)")
            )
            if change.put.waits:
                writes.append(self._marker(change.put))
        for move in change.moves:
            writes += self._moved(move)
        if change.head:
            condition, values = "attribute_not_exists(pk)", {}
            if before:
                condition = "sequencer = :s AND object_id = :o AND gone = :g"
                values = {":s": before["sequencer"], ":o": before["object_id"], ":g": before["gone"]}
            writes.append(
                self._table.conditional_put(items.head_item(project, change.head), condition, values)
            )
        return writes

    def _marker(self, record: ObjectRecord) -> Write:
        marker = items.waiting_key(record.project, record.id)
        return {"Put": {"TableName": self._table.name, "Item": {**marker, "tries": {"N": str(record.tries)}}}}

    def _moved(self, move: Move) -> list[Write]:
        values = {":r": {"N": str(move.before.revision)}}
        writes = [self._table.conditional_put(items.object_item(move.after), "revision = :r", values)]
        if move.after.waits:
            writes.append(self._marker(move.after))
        elif move.before.waits:
            marker = items.waiting_key(move.before.project, move.before.id)
            writes.append({"Delete": {"TableName": self._table.name, "Key": marker}})
        return writes

    def move(self, moves: Sequence[Move], fence: Lease | None = None) -> list[Move]:
        """Change records and their markers; see the port."""
        return [moved for batch in _batches(moves) for moved in self._move(batch, fence)]

    def _move(self, moves: list[Move], fence: Lease | None) -> list[Move]:
        for _ in range(_TRIES):
            if not moves:
                return []
            guard = [self._guard(fence)] if fence else []
            owners: list[Move | None] = [None] * len(guard)
            writes = list(guard)
            for move in moves:
                own = self._moved(move)
                writes += own
                owners += [move] * len(own)
            refused = self._table.transact(writes)
            if refused is None:
                return moves
            if fence and refused and refused[0] == "ConditionalCheckFailed":
                raise lost(fence)
            pairs = zip(owners, refused, strict=False)
            stale = [owner for owner, code in pairs if owner and code == "ConditionalCheckFailed"]
            moves = [move for move in moves if move not in stale]
        raise AwsTrouble(f"ledger {self._table.name}", "too many writers at once", "Try again in a moment.")

    def waiting(self, project: str) -> list[Waiting]:
        """The uploads that wait for a run."""
        return [items.waiting_of(item) for item in self._table.query(f"WAITING#{project}")]

    def any_waiting(self, project: str, *, retries: bool) -> bool:
        """Whether one waits that may start a run; looks no further than the first such.

        It is most often among the first few. Should those all wait for a person, as after a burst that failed, the
        others are not fetched to be looked at: DynamoDB passes over them.
        """
        pk, most = f"WAITING#{project}", MAX_TRIES if retries else 1
        first = list(islice(self._table.query(pk, page=_FEW), _FEW))
        if any(items.waiting_of(one).tries < most for one in first) or len(first) < _FEW:
            return any(items.waiting_of(one).tries < most for one in first)
        given = {":k": first[-1]["sk"]["S"], ":most": most}
        above, may = "pk = :p AND sk > :k", "tries < :most"
        rest = self._table.query(pk, given, KeyConditionExpression=above, FilterExpression=may)
        return next(rest, None) is not None

    def objects(self, project: str, key: str | None = None) -> list[ObjectRecord]:
        """Records of a project, or of one key."""
        if key is None:
            return [items.object_of(item) for item in self._table.query(f"OBJECTS#{project}")]
        pk, same = f"OBJECTS#{project}", "pk = :p AND begins_with(sk, :k)"
        found = self._table.query(pk, {":k": key_in_ids(key)}, KeyConditionExpression=same)
        records = [record for record in map(items.object_of, found) if record.key == key]
        return sorted(records, key=lambda record: order(record.sequencer))

    def with_verdict(self, project: str, verdict: str) -> list[ObjectRecord]:
        """Records of one verdict; no others are fetched."""
        found = self._table.query(f"OBJECTS#{project}", {":v": verdict}, FilterExpression="verdict = :v")
        return [items.object_of(item) for item in found]

    def parked(self, project: str) -> list[ObjectRecord]:
        """Records that wait for a person; no others are fetched."""
        given, often = {":most": MAX_TRIES}, "tries >= :most"
        found = self._table.query(f"OBJECTS#{project}", given, FilterExpression=often)
        return [record for record in map(items.object_of, found) if record.waits]

    def some_objects(self, project: str, after: str, limit: int) -> list[ObjectRecord]:
        """The first records above an id."""
        found = self._objects_above(project, after, page=limit)
        return [items.object_of(item) for item in islice(found, limit)]

    def counts(self, project: str, after: str = "", most: int = COUNTED) -> Counts:
        """How many uploads have each verdict; only that, and their ids, are fetched of them."""
        verdicts: Counter[str] = Counter()
        last = ""
        for item in self._objects_above(project, after, ProjectionExpression="sk, verdict"):
            if verdicts.total() == most:
                return Counts(dict(verdicts), last)
            verdicts[item["verdict"]["S"]] += 1
            last = item["sk"]["S"]
        return Counts(dict(verdicts))

    def _objects_above(self, project: str, after: str, **how: Any) -> Iterator[Item]:
        pk, above = f"OBJECTS#{project}", "pk = :p AND sk > :k"
        if after:
            return self._table.query(pk, {":k": after}, KeyConditionExpression=above, **how)
        return self._table.query(pk, **how)

    def _object(self, project: str, object_id: str) -> ObjectRecord | None:
        item = self._table.get(items.object_key(project, object_id)) if object_id else None
        return items.object_of(item) if item else None


def _batches(moves: Sequence[Move]) -> Iterator[list[Move]]:
    """As many moves at a time as a transaction takes."""
    batch: list[Move] = []
    room = _WRITES_A_TRANSACTION
    for move in moves:
        writes = 1 + (move.before.waits or move.after.waits)
        if writes > room:
            yield batch
            batch, room = [], _WRITES_A_TRANSACTION
        batch.append(move)
        room -= writes
    if batch:
        yield batch
