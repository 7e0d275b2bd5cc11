"""The counts every verdict rests on, as small tables. Pure, in Ibis."""

from __future__ import annotations

import ibis.expr.types as ir

from data.spec import Spec
from data.split import LABELLED, SIDES


def sides(rows: ir.Table) -> ir.Table:
    """`_source`, `_side`, `rows`."""
    return rows.group_by("_source", "_side").aggregate(rows=_number)


def classes(rows: ir.Table, spec: Spec) -> ir.Table:
    """`target`, `_side`, `rows` of the good labelled rows."""
    labelled = rows.filter(rows["_side"].isin(SIDES)).mutate(target=rows[spec.label.name])
    return labelled.group_by("target", "_side").aggregate(rows=_number)


def faults(rows: ir.Table) -> ir.Table:
    """`_source`, `column`, `reason`, `rows`: how often each fault was found in each object."""
    bad = rows.filter(rows["_side"] == "quarantined").select("_source", fault=rows["_faults"].unnest())
    bad = bad.select("_source", column=bad["fault"]["column"], reason=bad["fault"]["reason"])
    return bad.group_by("_source", "column", "reason").aggregate(rows=_number)


def broken(rows: ir.Table) -> ir.Table:
    """`_source`, `reason` of the files that stopped being readable half-way: data/rows.py marks them with row 0."""
    marks = rows.filter(rows["_number"] == 0)
    return marks.select("_source", reason=marks["_faults"][0]["reason"])


def waiting(rows: ir.Table) -> ir.Table:
    """`rows`: how many the shuffle has yet to deal out."""
    return rows.filter(rows["_side"] == LABELLED).aggregate(rows=_number)


def _number(table: ir.Table) -> ir.IntegerScalar:
    return table.count()
