"""Columns whose cells are not of the type the spec says: counted after typing, in Ibis, and judged per file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import ibis.expr.types as ir

from data import contract
from data.drift import Change, is_number, looks_like
from data.spec import Column, Spec

FROM = 0.5  # share of a column's cells that are not of its type from which the column is one of another type

Rows = Iterable[Mapping[str, Any]]


def unparsed(rows: ir.Table) -> ir.Table:
    """`_source`, `column`, `reason`, `rows`, `example` of the faults of rows after the contract."""
    bad = rows.filter(rows["_faults"].length() > 0).select("_source", fault=rows["_faults"].unnest())
    bad = bad.select(
        "_source", column=bad["fault"]["column"], reason=bad["fault"]["reason"], value=bad["fault"]["value"]
    )
    return bad.group_by("_source", "column", "reason").aggregate(rows=bad.count(), example=bad["value"].min())


def coerced(rows: ir.Table) -> ir.Table:
    """`_source`, `column`, `rows` of the cells that were read as missing."""
    lost = rows.filter(rows["_coerced"].length() > 0).select("_source", column=rows["_coerced"].unnest())
    return lost.group_by("_source", "column").aggregate(rows=lost.count())


def present(rows: ir.Table, columns: Sequence[str]) -> ir.Table:
    """`_source`, and for each column, in order, how many cells are values: `cells_0`, `cells_1` …"""
    counted = {f"cells_{place}": rows[name].count() for place, name in enumerate(columns)}
    return rows.group_by("_source").aggregate(**counted)


def changes(ask: Callable[[ir.Table], Rows], rows: ir.Table, spec: Spec) -> dict[str, list[Change]]:
    """The retyped columns of each file, by its key.

    Args:
        ask: computes a small table
        rows: after the contract
        spec: the project
    """
    typed = {column.name: column for column in spec.columns}
    wanted = {name: contract.unparsed(one, spec) for name, one in typed.items() if _has_type(one, spec)}
    found = [row for row in ask(unparsed(rows)) if wanted.get(row["column"], "") == row["reason"]]
    if spec.drift.retyped == contract.COERCE:
        found += [{**row, "example": None} for row in ask(coerced(rows))]
    if not found:
        return {}
    names = sorted({row["column"] for row in found})
    good = {row["_source"]: row for row in ask(present(rows, names))}
    result: dict[str, list[Change]] = {}
    for row in sorted(found, key=lambda row: (row["_source"], row["column"])):
        cells = row["rows"] + good[row["_source"]][f"cells_{names.index(row['column'])}"]
        change = _change(row, cells, typed[row["column"]], spec)
        if change is not None:
            result.setdefault(row["_source"], []).append(change)
    return result


def problem(found: Sequence[Change]) -> str:
    """Why a file whose columns are of another type is refused."""
    said = "; ".join(f"column {one.column!r} is no {one.was}: {one.hint}" for one in found[:3])
    return f"{said}. The project spec refuses retyped columns: correct the file, or the column's type in the spec"


def _has_type(column: Column, spec: Spec) -> bool:
    return column.role in {"number", "date"} or is_number(column, spec)


def _change(row: Mapping[str, Any], cells: int, column: Column, spec: Spec) -> Change | None:
    was = "date" if column.role == "date" else "number"
    said = f"{row['rows']} of {cells} cells are no {was}"
    if row["example"] is None:
        hint = f"{said} and were read as missing, as the spec coerces them"
        return Change("retyped", column.name, was, None, hint)
    if row["rows"] < FROM * cells:
        return None  # some bad cells, not another type: their rows are in quarantine
    said += f", such as {row['example'][:80]!r}"
    if spec.drift.retyped == "refuse":
        return Change("retyped", column.name, was, looks_like(row["example"]), said)
    hint = f"{said}; their rows are in quarantine: correct the file, or the column's type or format in the project spec"
    return Change("retyped", column.name, was, looks_like(row["example"]), hint)
