"""One DynamoDB table: get, put, query and transactions, with AWS's errors in the product's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError

from chalicelib.adapters.aws import calling, code_of, translated
from chalicelib.adapters.items import Item

Write = dict[str, Any]


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
        self, pk: str, values: Mapping[str, str] | None = None, *, page: int | None = None, **how: Any
    ) -> Iterator[Item]:
        """The items of a partition, `page` at a time: AWS is asked for the next page only when it is needed.

        `how`: further members of the request; `values`: what its expressions name.
        """
        given = {name: {"S": value} for name, value in {":p": pk, **(values or {})}.items()}
        asked = {"KeyConditionExpression": "pk = :p", "ExpressionAttributeValues": given, **how}
        with calling(self._where):
            pages = self._client.get_paginator("query").paginate(
                TableName=self.name, ConsistentRead=True, PaginationConfig={"PageSize": page}, **asked
            )
            for one in pages:
                yield from one["Items"]

    def transact(self, writes: list[Write]) -> list[str] | None:
        """Write all or nothing; None when written, else the reason DynamoDB gives for each write."""
        try:
            self._client.transact_write_items(TransactItems=writes)
        except ClientError as error:
            if code_of(error) == "TransactionCanceledException":
                return [
                    str(reason.get("Code", "None"))
                    for reason in error.response.get("CancellationReasons", [])
                ]
            if code_of(error) == "TransactionInProgressException":
                return []
            raise translated(error, self._where) from error
        return None
