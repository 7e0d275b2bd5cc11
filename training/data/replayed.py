"""Rows that were refused, corrected and dropped again by `penstock replay`: docs/decisions/0015-replay.md.

Such a file's key says which upload its rows come from, `replay/version=000003/etag=<etag>/<that file>.replay.csv` below
the project's folder, and its column `_replayed_number` which row of it each one corrects. A corrected row takes the
place of that row, which is superseded. So the same objects give the same dataset, in whatever order they came.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

import ibis
import ibis.expr.types as ir

from data.files import Source
from data.merge import FATE, SUPERSEDED
from data.sources import REPLAYED

NUMBER = "_replayed_number"


def origin(key: str) -> tuple[str, str] | None:
    """The key and the etag of the upload whose rows a file corrects; None when it is no such file."""
    found = re.fullmatch(rf"(drop/[^/]+/){REPLAYED}", key, re.DOTALL)
    return (found[1] + found["path"], found["etag"]) if found else None


def outdated(found: Iterable[Source]) -> list[Source]:
    """Refuse what corrects rows of an upload that a newer one has replaced: the newer one has rows of its own."""
    listed = list(found)
    live = {one.drop.key: one.drop.etag for one in listed}
    return [_judged(one, live) for one in listed]


def _judged(source: Source, live: Mapping[str, str]) -> Source:
    of = origin(source.drop.key)
    if of is None or source.refusal or live.get(of[0], of[1]) == of[1]:
        return source
    said = f"{of[0]}, some of whose rows it corrects, was replaced by a newer upload"
    return replace(source, refusal=f"{said}; drop its rows as a file of their own if they are still wanted")


def pairs(found: Iterable[Source]) -> dict[str, str]:
    """For each file of corrected rows the key of the upload they come from."""
    of = {one.drop.key: origin(one.drop.key) for one in found if NUMBER in one.header}
    return {key: its[0] for key, its in of.items() if its}


def replaced(rows: ir.Table, by: Mapping[str, str]) -> ir.Table:
    """`_gone`: the `_row` of every row that a corrected one has taken the place of.

    Args:
        rows: after the contract
        by: what `pairs` makes
    """
    fixes = rows.filter(rows["_source"].isin(list(by)) & rows[NUMBER].notnull())
    origins = ibis.cases(*((fixes["_source"] == key, source) for key, source in by.items()))
    fixes = fixes.select(_origin=origins, _of=fixes[NUMBER].strip().try_cast("int64")).distinct()
    slim = rows.filter(rows["_source"].isin(list(set(by.values())))).select("_row", "_source", "_number")
    return slim.join(fixes, [("_source", "_origin"), ("_number", "_of")]).select(_gone="_row")


def apart(rows: ir.Table, gone: ir.Table) -> tuple[ir.Table, ir.Table]:
    """The rows that stand, and those that are superseded, with their fate."""
    stand = rows.anti_join(gone, [("_row", "_gone")]).drop(NUMBER)
    out = rows.semi_join(gone, [("_row", "_gone")])
    return stand, out.mutate(**{FATE: ibis.literal(SUPERSEDED)})
