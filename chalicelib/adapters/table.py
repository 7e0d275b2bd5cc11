"""One DynamoDB table: get, put, query and transactions, with AWS's errors in the product's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.adapters.aws import FAILED, calling, code_of, translated
from chalicelib.adapters.items import Item
from chalicelib.errors import AwsTrouble

Write = dict[str, Any]
_TRIES, _LOST = 5, "ConditionalCheckFailed"


class Table:
    """A table whose keys are the strings pk and sk. Every read is strongly consistent."""

    def __init__(self, client: Any, name: str) -> None:
        self._client, self.name = client, name
        self._where = f"ledger {name}"

    def get(self, key: Item) -> Item | None:
        """The item, or None."""
        with calling(self._where):
            found: Item | None = self._client.get_item(TableName=self.name, Key=key, ConsistentRead=True).get(
                "Item"
            )
        return found

    def put(self, item: Item) -> None:
        """Create or replace an item."""
        with calling(self._where):
            self._client.put_item(**self.plain(item))

    def plain(self, item: Item) -> dict[str, Any]:
        """The members of a put."""
        return {"TableName": self.name, "Item": item}

    def conditional_put(self, item: Item, condition: str, values: Item | None = None) -> Write:
        """A put for a transaction."""
        put = {**self.plain(item), "ConditionExpression": condition}
        return {"Put": {**put, "ExpressionAttributeValues": values} if values else put}

    def query(
        self, pk: str, values: Mapping[str, str | int] | None = None, *, page: int | None = None, **how: Any
    ) -> Iterator[Item]:
        """The items of a partition, `page` at a time: AWS is asked for the next page only when it is needed.

        `how`: further members of the request; `values`: what its expressions name.
        """
        given = {name: _value(value) for name, value in {":p": pk, **(values or {})}.items()}
        asked = {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": given, **how}
        with calling(self._where):
            pages = self._client.get_paginator("query").paginate(
                TableName=self.name, ConsistentRead=True, PaginationConfig={"PageSize": page}, **asked
            )
            for one in pages:
                yield from one["Items"]

    def transact(self, writes: list[Write]) -> list[str] | None:
        """Write all or nothing; None when written, else the reason DynamoDB gives for each write.

        One of the reasons is a condition that does not hold. A transaction that was only in another's way, or
        throttled, says nothing of what is there: it is tried again, and is AwsTrouble after _TRIES times.
        """
        reasons: list[str] | None = []
        for _ in range(_TRIES):
            reasons = self._refused(writes)
            if reasons is None or _LOST in reasons:
                return reasons
        told = ", ".join(sorted(set(reasons or []) - {"None"}))
        raise AwsTrouble(self._where, f"writes are cancelled: {told}", "Try again in a moment.")

    def _refused(self, writes: list[Write]) -> list[str] | None:
        try:
            self._client.transact_write_items(TransactItems=writes)
        except FAILED as error:
            if isinstance(error, ClientError) and code_of(error) == "TransactionCanceledException":
                reasons = error.response.get("CancellationReasons", [])
                return [str(reason.get("Code", "None")) for reason in reasons]
            if code_of(error) == "TransactionInProgressException":
                return ["TransactionInProgress"]
            raise translated(error, self._where) from error
        return None


def _value(value: str | int) -> dict[str, str]:
    return {"S": value} if isinstance(value, str) else {"N": str(value)}
