"""The ledger's values as DynamoDB items and back. Nested values are JSON text: numbers keep their digits that way."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from chalicelib.domain.erasure import Erasure
from chalicelib.domain.ledger import Head, ObjectRecord, Waiting
from chalicelib.domain.model_version import Champion
from chalicelib.domain.run import Lease, RunRecord

Item = dict[str, dict[str, Any]]
_JSON = frozenset(
    {"history", "rows", "summary", "spec", "metrics", "receipt", "digests", "columns", "variants"}
)


def pack(values: Mapping[str, Any]) -> Item:
    """A mapping as an item; None is left out."""
    return {name: _packed(name, value) for name, value in values.items() if value is not None}


def _packed(name: str, value: Any) -> dict[str, Any]:
    if name in _JSON:
        return {"S": json.dumps(value, ensure_ascii=False, sort_keys=True)}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    return {"S": str(value)}


def unpack(item: Item) -> dict[str, Any]:
    """An item as a mapping, without its keys pk and sk."""
    return {name: _unpacked(name, value) for name, value in item.items() if name not in {"pk", "sk"}}


def _unpacked(name: str, value: Mapping[str, Any]) -> Any:
    if name in _JSON:
        return json.loads(value["S"])
    if "N" in value:
        return int(value["N"])
    return value.get("S", value.get("BOOL"))


def key(pk: str, sk: str) -> Item:
    """An item's key."""
    return {"pk": {"S": pk}, "sk": {"S": sk}}


def object_key(project: str, object_id: str) -> Item:
    """Where an upload's record is."""
    return key(f"OBJECTS#{project}", object_id)


def waiting_key(project: str, object_id: str) -> Item:
    """Where an upload's marker is while it waits."""
    return key(f"WAITING#{project}", object_id)


def head_key(project: str, name: str) -> Item:
    """Where the newest news of an S3 key is (a key may be as long as a sort key, so nothing is added to it)."""
    return key(f"HEADS#{project}", name)


def lease_key(project: str) -> Item:
    """Where a project's lease is, held or not."""
    return key(f"LEASE#{project}", "LEASE")


def run_key(project: str, run: str) -> Item:
    """Where a run is."""
    return key(f"RUNS#{project}", run)


def told_key(project: str, run: str, stage: str) -> Item:
    """Where it is kept that people were told of a stage of a run."""
    return key(f"TOLD#{project}", f"{run}#{stage}")


def object_item(record: ObjectRecord) -> Item:
    """An upload's record with its key."""
    return {**object_key(record.project, record.id), **pack(asdict(record))}


def object_of(item: Item) -> ObjectRecord:
    """An upload's record."""
    values = unpack(item)
    values["history"] = tuple(values.get("history", ()))
    values.setdefault("version_id", None)
    return ObjectRecord(**values)


def waiting_of(item: Item) -> Waiting:
    """A marker."""
    return Waiting(item["sk"]["S"], int(item["tries"]["N"]))


def head_item(project: str, head: Head) -> Item:
    """The news of a key, with its key."""
    return {**head_key(project, head.key), **pack(asdict(head))}


def head_of(item: Item) -> Head:
    """The news of a key."""
    return Head(**unpack(item))


def run_item(record: RunRecord) -> Item:
    """A run with its key."""
    return {**run_key(record.project, record.run), **pack(asdict(record))}


def erasure_key(project: str, name: str) -> Item:
    """Where an erasure is."""
    return key(f"ERASURES#{project}", name)


def erasure_item(asked: Erasure) -> Item:
    """An erasure with its key."""
    return {**erasure_key(asked.project, asked.id), **pack(asdict(asked))}


def erasure_of(item: Item) -> Erasure:
    """An erasure."""
    values = unpack(item)
    lists = {name: tuple(values[name]) for name in ("columns", "digests")}
    return Erasure(**{**values, **lists})


def run_of(item: Item) -> RunRecord:
    """A run."""
    return RunRecord(**unpack(item))


def lease_of(item: Item) -> Lease:
    """A lease that is held."""
    return Lease(**unpack(item))


def champion_of(item: Item) -> Champion:
    """A champion."""
    return Champion(**unpack(item))
