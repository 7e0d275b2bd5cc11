"""DynamoDB's expressions on the embedded AWS (MiniStack 1.5.33 and our hook): read once, and as right as before."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import EmbeddedAws

COUNT = 60


@pytest.fixture(scope="module")
def table(embedded_aws: EmbeddedAws) -> Iterator[tuple[Any, str]]:
    """Two partitions of a table, with numbers beside the keys."""
    client, name = embedded_aws.client("dynamodb"), f"conditions-{uuid.uuid4().hex}"
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )
    for number in range(COUNT):
        for pk in ("a", "b"):
            item = {"pk": {"S": pk}, "sk": {"S": f"{number:03d}"}, "size": {"N": str(number)}}
            client.put_item(TableName=name, Item=item)
    yield client, name
    client.delete_table(TableName=name)


def asked(table: tuple[Any, str], condition: str, **values: dict[str, str]) -> list[str]:
    client, name = table
    given = {f":{word}": value for word, value in values.items()}
    pages = client.get_paginator("query").paginate(
        TableName=name,
        KeyConditionExpression=condition,
        ExpressionAttributeValues=given,
        PaginationConfig={"PageSize": 25},
    )
    return [item["pk"]["S"] + item["sk"]["S"] for page in pages for item in page["Items"]]


def test_a_partition_is_all_of_it_and_nothing_else_page_by_page(table: tuple[Any, str]) -> None:
    every = [f"{number:03d}" for number in range(COUNT)]
    for _ in range(2):  # read for the first time, and remembered
        assert asked(table, "pk = :p", p={"S": "a"}) == ["a" + one for one in every]
        assert asked(table, "pk = :p", p={"S": "b"}) == ["b" + one for one in every]
        assert asked(table, "pk = :p", p={"S": "c"}) == []
        assert asked(table, "pk = :p AND sk > :s", p={"S": "a"}, s={"S": "057"}) == ["a058", "a059"]


def test_one_text_with_other_values_and_a_wrong_type(table: tuple[Any, str]) -> None:
    assert len(asked(table, "pk=:x", x={"S": "a"})) == COUNT
    for _ in range(2):
        with pytest.raises(ClientError, match="ValidationException"):
            asked(table, "pk=:x", x={"N": "1"})


def test_what_was_wrong_stays_wrong(table: tuple[Any, str]) -> None:
    for _ in range(2):
        with pytest.raises(ClientError, match="ValidationException"):
            asked(table, "pk = = :p", p={"S": "a"})
        with pytest.raises(ClientError, match="ValidationException"):
            asked(table, "pk = :nobody", p={"S": "a"})
