"""The counts every verdict rests on, as small tables. Pure, in Ibis."""

from __future__ import annotations

import ibis.expr.types as ir

from data import merge
from data.spec import Spec
from data.split import LABELLED, SIDES

SAMPLE = 10  # keys without a partner that are named


def sides(rows: ir.Table) -> ir.Table:
    """`_source`, `_side`, `rows`."""
    return rows.group_by("_source", "_side").aggregate(rows=_number)


def classes(rows: ir.Table, spec: Spec) -> ir.Table:
    """`target`, `_side`, `rows` of the good labelled rows."""
    # Not mutate(): to an engine, `target` and a label that is called `Target` are one column.
    labelled = rows.filter(rows["_side"].isin(SIDES)).select("_side", target=spec.label.name)
    return labelled.group_by("target", "_side").aggregate(rows=_number)


def faults(rows: ir.Table) -> ir.Table:
    """`_source`, `column`, `reason`, `rows`: how often each fault was found in each object."""
    bad = rows.filter(rows["_side"] == "quarantined").select("_source", fault=rows["_faults"].unnest())
    bad = bad.select("_source", column=bad["fault"]["column"], reason=bad["fault"]["reason"])
    return bad.group_by("_source", "column", "reason").aggregate(rows=_number)


def refused(rows: ir.Table) -> ir.Table:
    """The quarantine: one row for each refused row, with its first fault in columns of their own."""
    bad = rows.filter(rows["_side"] == "quarantined")
    first = bad["_faults"][0]
    return bad.select(
        "_row", "_source", number=bad["_number"], column=first["column"], value=first["value"],
        reason=first["reason"], faults=bad["_faults"], record=bad["_record"], text=bad["_text"],
    )  # fmt: skip


def broken(rows: ir.Table) -> ir.Table:
    """`_source`, `reason` of the files that stopped being readable half-way: data/rows.py marks them with row 0."""
    marks = rows.filter(rows["_number"] == 0)
    return marks.select("_source", reason=marks["_faults"][0]["reason"])


def waiting(rows: ir.Table) -> ir.Table:
    """`rows`: how many the shuffle has yet to deal out."""
    return rows.filter(rows["_side"] == LABELLED).aggregate(rows=_number)


def lost(rows: ir.Table, place: int) -> ir.Table:
    """`rows`: how many have no partner in a reference."""
    return rows.filter(rows[merge.LOST_BY] == place).aggregate(rows=_number)


def lost_keys(rows: ir.Table, place: int) -> ir.Table:
    """`key`: the first of the keys a reference lacks."""
    keys = rows.filter(rows[merge.LOST_BY] == place).select(key=rows[merge.LOST]).distinct()
    return keys.order_by("key").limit(SAMPLE)


def _number(table: ir.Table) -> ir.IntegerScalar:
    return table.count()
