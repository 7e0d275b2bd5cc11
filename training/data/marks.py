"""What only the text of a row as it was dropped can tell, kept in one number beside the typed row: `_marks`.

Bit i says that the cell of the spec's column i is empty as dropped (of the first `MOST`); bit `MOST` says that the row
repeats the header. A null after typing may be an empty cell, a null value ("tbd") or a fault: empty cells are counted
by their marks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from operator import add
from typing import Any

import ibis
import ibis.expr.types as ir

from data import plain
from data.spec import Spec

MOST = 61
NAME = "_marks"


def of(given: ir.Table, spec: Spec, cleaned: Callable[[int], str]) -> ir.IntegerValue:
    """The marks of rows whose cells are still text. A row with a wrong number of cells has none.

    Args:
        given: the rows as dropped, and beside them their cells without white space and null when empty
        spec: the project
        cleaned: the name of such a cell's column, by the place of its own in the spec
    """
    empty = [
        ibis.cases((given[cleaned(place)].isnull(), 1 << place), else_=0)
        for place, _ in enumerate(spec.columns[:MOST])
    ]
    header = ibis.cases((_header(given, spec), 1 << MOST), else_=0)
    marks = reduce(add, [*empty, header]).cast("int64")
    return ibis.cases(
        (given[plain.NAME] == plain.PLAIN, header.cast("int64")), (given["_problem"].isnull(), marks), else_=0
    )


def _header(given: ir.Table, spec: Spec) -> ir.BooleanValue:
    """Each of the first columns' cells is the name of its column."""
    # Three is enough to tell a header from a row of data, and spares comparing every cell.
    names = spec.names[:3]
    same = [given[name].isin(sorted({name, name.lower(), name.upper()})) for name in names]
    return reduce(lambda one, other: one & other, same).fill_null(False)


def empties(rows: ir.Table, spec: Spec) -> ir.Table:
    """One row: `e<i>`, the empty cells of the spec's column i, as dropped, in all rows whatever became of them."""
    aggregates: dict[str, ir.Scalar] = {"rows": rows.count()}
    for place, _ in enumerate(spec.columns[:MOST]):
        aggregates[f"e{place}"] = has(rows, place).sum()
    return rows.aggregate(**aggregates)


def has(rows: ir.Table, place: int) -> ir.BooleanColumn:
    """Whether bit `place` is set."""
    marked: ir.BooleanColumn = (rows[NAME] & (1 << place)) != 0
    return marked


def headers(rows: ir.Table, most: int) -> ir.Table:
    """`_source`, `number` of the rows that repeat the header."""
    found = rows.filter(has(rows, MOST)).order_by("_row").limit(most)
    return found.select("_source", number=found["_number"])


def counted(row: Mapping[str, Any], spec: Spec) -> dict[str, int]:
    """Empty cells by column, from the row of `empties`."""
    return {column.name: int(row[f"e{place}"] or 0) for place, column in enumerate(spec.columns[:MOST])}
