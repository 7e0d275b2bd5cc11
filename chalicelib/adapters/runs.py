"""The part of the ledger that tells who holds a project and what became of its runs; see chalicelib.adapters.dynamodb.

A lease is an item of its own: its number only counts up, so whoever held it once can tell that it is no longer theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from chalicelib.adapters import items
from chalicelib.adapters.items import Item
from chalicelib.adapters.table import Table, Write
from chalicelib.domain.model_version import Champion
from chalicelib.domain.run import RUNNING, Lease, RunRecord, new_run, project_of
from chalicelib.errors import LeaseLost

_TRIES = 20


class DynamoRuns:
    """Leases, runs and champions of the Ledger port."""

    def __init__(self, client: Any, table: str) -> None:
        self._table = Table(client, table)

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

    def _guard(self, lease: Lease) -> Write:
        held, values = _held_by(lease)
        check = {
            "TableName": self._table.name,
            "Key": items.lease_key(lease.project),
            "ConditionExpression": held,
        }
        return {"ConditionCheck": {**check, **_names(), "ExpressionAttributeValues": values}}


def _names() -> dict[str, Any]:
    """`run` and `number` may be reserved words one day; `attempt` is not used in any expression but ours."""
    return {"ExpressionAttributeNames": {"#run": "run", "#number": "number"}}


def _held_by(lease: Lease) -> tuple[str, Item]:
    """The condition that a lease is still this one: its number is never used twice."""
    return "#run = :run AND #number = :number", {
        ":run": {"S": lease.run},
        ":number": {"N": str(lease.number)},
    }


def lost(lease: Lease) -> LeaseLost:
    """What to raise when a lease is no longer this one."""
    advice = "Nothing is to be done: whoever holds it does the work."
    return LeaseLost(f"project {lease.project}", f"{lease.execution} no longer holds it", advice)
