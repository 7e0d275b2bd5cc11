"""Erasures in the ledger's table. One that waits has a marker beside those of uploads, so that a run comes for it."""

from __future__ import annotations

import secrets
from typing import Any

from chalicelib.adapters import items
from chalicelib.adapters.table import Table, Write
from chalicelib.domain.erasure import Erasure
from chalicelib.errors import AwsTrouble

_TRIES = 5


class DynamoErasures:
    """The Erasures port."""

    def __init__(self, client: Any, table: str) -> None:
        self._table = Table(client, table)

    def secret(self, project: str) -> str:
        """The project's secret; made when first asked for, once whoever asks at the same time."""
        place = items.key("SECRETS", project)
        for _ in range(_TRIES):
            item = self._table.get(place)
            if item is not None:
                return str(item["secret"]["S"])
            made = {**place, "secret": {"S": secrets.token_hex(32)}}
            self._table.transact([self._table.conditional_put(made, "attribute_not_exists(pk)")])
        raise AwsTrouble(f"ledger {self._table.name}", "the project's secret cannot be made", "Try again.")

    def put(self, asked: Erasure) -> None:
        """Create or replace an erasure and its marker, both or none."""
        marker = items.waiting_key(asked.project, f"erasure#{asked.id}")
        writes: list[Write] = [{"Put": self._table.plain(items.erasure_item(asked))}]
        if asked.waits:
            writes.append({"Put": self._table.plain({**marker, "tries": {"N": str(asked.tries)}})})
        else:
            writes.append({"Delete": {"TableName": self._table.name, "Key": marker}})
        if self._table.transact(writes) is not None:
            raise AwsTrouble(
                f"ledger {self._table.name}", f"erasure {asked.id} is being changed", "Try again."
            )

    def get(self, project: str, name: str) -> Erasure | None:
        """One erasure."""
        item = self._table.get(items.erasure_key(project, name))
        return items.erasure_of(item) if item else None

    def all(self, project: str) -> list[Erasure]:
        """A project's erasures."""
        return [items.erasure_of(item) for item in self._table.query(f"ERASURES#{project}")]
