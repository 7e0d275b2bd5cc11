"""The ledger in one DynamoDB table. The domain decides what changes; here each change is one transaction, which holds
only while nobody else has touched what was decided upon. Every read is strongly consistent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from itertools import islice
from typing import Any

from chalicelib.adapters import items
from chalicelib.adapters.items import Item
from chalicelib.adapters.table import Table, Write
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
from chalicelib.domain.model_version import Champion
from chalicelib.domain.run import RUNNING, Lease, RunRecord, new_run, project_of
from chalicelib.domain.upload import Upload, key_in_ids, object_id, order
from chalicelib.errors import AwsTrouble, LeaseLost

_TRIES = 20
_FEW = 25
_WRITES_A_TRANSACTION = 99
"""A transaction takes 100: one a move, one more when its marker comes or goes, and the fence."""


class DynamoLedger:
    """The Ledger port."""

    def __init__(self, client: Any, table: str) -> None:
        self._table = Table(client, table)

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
                raise _lost(fence)
            pairs = zip(owners, refused, strict=False)
            stale = [owner for owner, code in pairs if owner and code == "ConditionalCheckFailed"]
            moves = [move for move in moves if move not in stale]
        raise AwsTrouble(f"ledger {self._table.name}", "too many writers at once", "Try again in a moment.")

    def _guard(self, lease: Lease) -> Write:
        held, values = _held_by(lease)
        check = {
            "TableName": self._table.name,
            "Key": items.lease_key(lease.project),
            "ConditionExpression": held,
        }
        return {"ConditionCheck": {**check, **_names(), "ExpressionAttributeValues": values}}

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

    # ── Leases and runs ───────────────────────────────────────────────────────────────────────────────────────
    def take_lease(self, project: str, now: datetime) -> Lease | None:
        """Take the project for a new run; see the port."""
        for _ in range(_TRIES):
            item = self._table.get(items.lease_key(project))
            if item and "run" in item:
                return None
            number = int(item["number"]["N"]) + 1 if item else 1
            lease = Lease(project, new_run(project, number, now), 1, number, now.isoformat())
            free, values = "attribute_not_exists(pk)", {}
            if item:
                free, values = "attribute_not_exists(#run) AND #number = :n", {":n": item["number"]}
            begun = RunRecord(project, lease.run, 1, RUNNING, lease.taken_at)
            writes = [self._lease_put(lease, free, values), {"Put": self._table.plain(items.run_item(begun))}]
            if self._table.transact(writes) is None:
                return lease
        return None

    def resume(self, lease: Lease, now: datetime) -> Lease | None:
        """Take the same run over for its next attempt; see the port."""
        taken = replace(lease, attempt=lease.attempt + 1, number=lease.number + 1, taken_at=now.isoformat())
        held, values = _held_by(lease)
        known = self.run(lease.run) or RunRecord(lease.project, lease.run, 1, RUNNING, lease.taken_at)
        again = replace(known, attempt=taken.attempt, state=RUNNING)
        writes = [self._lease_put(taken, held, values), {"Put": self._table.plain(items.run_item(again))}]
        return taken if self._table.transact(writes) is None else None

    def lease(self, project: str) -> Lease | None:
        """Who holds the project."""
        item = self._table.get(items.lease_key(project))
        return items.lease_of(item) if item and "run" in item else None

    def release(self, lease: Lease) -> bool:
        """Give the project back; only its number stays, so that it never counts down."""
        return self._table.transact([self._free(lease)]) is None

    def give_back(self, lease: Lease) -> None:
        """Release and forget the run."""
        run = {"TableName": self._table.name, "Key": items.run_key(lease.project, lease.run)}
        self._table.transact([self._free(lease), {"Delete": run}])

    def _free(self, lease: Lease) -> Write:
        held, values = _held_by(lease)
        return self._lease_write({"number": lease.number}, lease.project, held, values)

    def _lease_put(self, lease: Lease, condition: str, values: Item) -> Write:
        return self._lease_write(asdict(lease), lease.project, condition, values)

    def _lease_write(self, value: Mapping[str, Any], project: str, condition: str, values: Item) -> Write:
        put = self._table.conditional_put(
            {**items.lease_key(project), **items.pack(value)}, condition, values
        )
        if "#run" in condition:
            put["Put"] |= _names()
        return put

    def put_run(self, record: RunRecord) -> None:
        """Create or replace what is kept of a run."""
        self._table.put(items.run_item(record))

    def run(self, run: str) -> RunRecord | None:
        """What is kept of a run; its name says whose it is."""
        item = self._table.get(items.run_key(project_of(run) or "", run))
        return items.run_of(item) if item else None

    def runs(self, project: str) -> list[RunRecord]:
        """A project's runs, newest first."""
        found = [items.run_of(item) for item in self._table.query(f"RUNS#{project}")]
        return sorted(found, key=lambda record: (record.started_at, record.run), reverse=True)

    def first_to_tell(self, project: str, run: str, stage: str) -> bool:
        """Whether nobody has told of this stage of a run before; see the port."""
        told = self._table.conditional_put(items.told_key(project, run, stage), "attribute_not_exists(pk)")
        return self._table.transact([told]) is None

    def champion(self, project: str) -> Champion | None:
        """The released model."""
        item = self._table.get(items.key(f"CHAMPION#{project}", "CHAMPION"))
        return items.champion_of(item) if item else None

    def put_champion(self, champion: Champion) -> None:
        """Record which model the endpoint answers with."""
        self._table.put(
            {**items.key(f"CHAMPION#{champion.project}", "CHAMPION"), **items.pack(asdict(champion))}
        )

    def keep_champion(self, champion: Champion) -> bool:
        """Change what is kept of it unless another was released meanwhile; see the port."""
        item = {**items.key(f"CHAMPION#{champion.project}", "CHAMPION"), **items.pack(asdict(champion))}
        same, values = "#run = :run AND released_at = :at", {":run": item["run"], ":at": item["released_at"]}
        put = self._table.conditional_put(item, same, values)
        put["Put"]["ExpressionAttributeNames"] = {"#run": "run"}
        return self._table.transact([put]) is None


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


def _names() -> dict[str, Any]:
    """`run` and `number` may be reserved words one day; `attempt` is not used in any expression but ours."""
    return {"ExpressionAttributeNames": {"#run": "run", "#number": "number"}}


def _held_by(lease: Lease) -> tuple[str, Item]:
    """The condition that a lease is still this one: its number is never used twice."""
    return "#run = :run AND #number = :number", {
        ":run": {"S": lease.run},
        ":number": {"N": str(lease.number)},
    }


def _lost(lease: Lease) -> LeaseLost:
    advice = "Nothing is to be done: whoever holds it does the work."
    return LeaseLost(f"project {lease.project}", f"{lease.execution} no longer holds it", advice)
