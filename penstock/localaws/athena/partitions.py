"""Where a table's rows lie: its location, its registered partitions, or those its projection computes."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from penstock.localaws.athena.errors import QueryFailed
from penstock.localaws.athena.ports import Record

Wanted = Mapping[str, frozenset[str]]
"""Partition columns a query compares with constants, and the values that can match; numbers without zeros in front."""
INTEGERS = ("tinyint", "smallint", "int", "integer", "bigint")


@dataclass(frozen=True)
class Place:
    """A folder of rows, and what its partition columns hold."""

    uri: str
    values: Mapping[str, str]


def places(table: Record, registered: Sequence[Record], wanted: Wanted) -> list[Place]:
    """The folders a query has to read."""
    storage = table.get("StorageDescriptor") or {}
    keys = [str(key["Name"]).lower() for key in table.get("PartitionKeys") or []]
    parameters = table.get("Parameters") or {}
    if not keys:
        return [Place(str(storage["Location"]), {})]
    if str(parameters.get("projection.enabled", "")).lower() == "true":
        return _projected(str(storage["Location"]), keys, parameters, wanted)
    found = [
        Place(str(one["StorageDescriptor"]["Location"]), dict(zip(keys, one["Values"], strict=False)))
        for one in registered
    ]
    kinds = {str(key["Name"]).lower(): str(key["Type"]).lower() for key in table["PartitionKeys"]}
    return [place for place in found if _fits(place.values, kinds, wanted)]


def _fits(values: Mapping[str, str], kinds: Mapping[str, str], wanted: Wanted) -> bool:
    """Whether a folder can match; `month=01` is month 1."""
    for name, allowed in wanted.items():
        value = values.get(name, "")
        whole = kinds.get(name) in INTEGERS and value.isdigit()
        if (str(int(value)) if whole else value) not in allowed:
            return False
    return True


def _projected(
    location: str, keys: Sequence[str], parameters: Mapping[str, str], wanted: Wanted
) -> list[Place]:
    spread = [_values(key, parameters, wanted) for key in keys]
    template = parameters.get("storage.location.template") or location.rstrip("/") + "".join(
        f"/{key}=${{{key}}}" for key in keys
    )
    found = []
    for values in itertools.product(*spread):
        uri, named = template, dict(zip(keys, values, strict=True))
        for key, value in named.items():
            uri = uri.replace(f"${{{key}}}", value)
        found.append(Place(uri, named))
    return found


def _values(key: str, parameters: Mapping[str, str], wanted: Wanted) -> list[str]:
    """A key's values, only those that can match."""
    kind = parameters.get(f"projection.{key}.type", "")
    asked = wanted.get(key)
    if kind == "enum":
        every = [value.strip() for value in parameters[f"projection.{key}.values"].split(",")]
        return [value for value in every if asked is None or value in asked]
    if kind == "integer":
        first, last = (int(end) for end in parameters[f"projection.{key}.range"].split(","))
        step = int(parameters.get(f"projection.{key}.interval", 1))
        digits = int(parameters.get(f"projection.{key}.digits", 0))
        numbers = (n for n in range(first, last + 1, step) if asked is None or str(n) in asked)
        return [str(number).zfill(digits) for number in numbers]
    if kind == "injected":
        if asked is None:
            raise QueryFailed(
                f"CONSTRAINT_VIOLATION: For the injected projected partition column {key}, the WHERE clause must "
                "contain only static equality conditions, and at least one such condition must be present."
            )
        return sorted(asked)
    raise QueryFailed(
        f"NOT_SUPPORTED: the embedded AWS projects partitions of type enum, integer and injected; {key} has {kind!r}"
    )
