"""The contract: text becomes typed values, and every cell that breaks the spec becomes a stated fault.

Pure `Table → Table`, in Ibis, so that DuckDB and Spark do the same. What counts as what:

- white space around a value is not part of it (a `text` or `ignore` value is kept as written);
- an empty value is missing; in a `required` column it is a fault. A value listed in `null_values` is missing, no fault.
  `EMPTY` is what programs write for an empty cell, and counts as one (not in `text` and `ignore` columns). `NA` and
  `None` are not in it: as often as not they are a country and a category, so who means "missing" by them says so;
- a number is digits with an optional sign, point and exponent: `1,234.5`, `1.5 kg` and `inf` are faults;
- a date follows its format, else ISO 8601 (data/dates.py);
- a label that is missing leaves the row unlabelled; one outside `labels` is a fault;
- a row whose number of cells differs from the header's has that one fault and no values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.types as ir

from data import dates
from data.spec import Column, Spec

FAULT = "struct<column: string, value: string, reason: string>"
LONGEST_VALUE = 200  # characters of a value quoted in a fault; the whole of it is in the quarantined record
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_LARGEST = 1.7976931348623157e308
EMPTY = ("N/A", "n/a", "#N/A", "NaN", "nan", "-nan", "NULL", "null", "<NA>")
_VERBATIM = frozenset({"text", "ignore"})


@dataclass(frozen=True)
class Cell:
    """One column's value for the model and what may be wrong with it: (condition, reason) pairs."""

    value: ir.Value
    faults: Sequence[tuple[ir.BooleanValue, str]] = ()


def apply(raw: ir.Table, spec: Spec) -> ir.Table:
    """Type every column of the spec and judge every row.

    Args:
        raw: batches as of data/rows.py: bookkeeping and text columns
        spec: the project

    Returns:
        the bookkeeping columns but `_problem`, the columns (typed; those outside the spec as they were),
        `_faults` (array of column, value, reason; empty for a good row), `_record` (a faulty row as it was, else null).
    """
    columns = [name for name in raw.columns if name not in _BOOKKEEPING]
    cells = {column.name: _cell(raw[column.name], column, spec) for column in spec.columns}
    sound = raw["_problem"].isnull()
    faults = [_fault("", raw["_text"], raw["_problem"], ~sound)]
    for column in spec.columns:
        for wrong, reason in cells[column.name].faults:
            faults.append(_fault(column.name, raw[column.name], ibis.literal(reason), sound & wrong))
    listed = ibis.array(faults).filter(lambda fault: fault.notnull())
    record = ibis.map(ibis.array(columns), ibis.array([raw[name] for name in columns]))
    return raw.select(
        *(name for name in raw.columns if name in _BOOKKEEPING and name != "_problem"),
        *((cells[name].value if name in cells else _kept(raw[name])).name(name) for name in columns),
        _faults=listed,
        _record=ibis.cases((sound & (listed.length() > 0), record)),
    )


_BOOKKEEPING = frozenset({"_row", "_source", "_number", "_problem", "_text", "_digest"})


def _fault(
    column: str, value: ir.StringValue, reason: ir.StringValue, wrong: ir.BooleanValue
) -> ir.StructValue:
    parts = {"column": ibis.literal(column), "value": value.substr(0, LONGEST_VALUE), "reason": reason}
    return ibis.cases((wrong, ibis.struct(parts, type=FAULT)), else_=ibis.null(FAULT))


def _kept(text: ir.StringValue) -> ir.StringValue:
    return ibis.cases((text.strip() != "", text))


def _cell(text: ir.StringValue, column: Column, spec: Spec) -> Cell:
    given = present = text.strip().nullif("")
    if column.null_values:
        present = ibis.cases((given.notin(column.null_values), given))
    empty = [marker for marker in EMPTY if marker not in column.null_values]
    if column.role not in _VERBATIM:
        given, present = (ibis.cases((value.notin(empty), value)) for value in (given, present))
    cell = _typed(text, present, column, spec)
    if not column.required:
        return cell
    return Cell(cell.value, [(given.isnull(), "is required and empty"), *cell.faults])


def _typed(text: ir.StringValue, present: ir.StringValue, column: Column, spec: Spec) -> Cell:
    if column.role == "number":
        return _number(present)
    if column.role == "date":
        moment = dates.parse(present, column.format)
        form = f"of the format {column.format}" if column.format else "as of ISO 8601 (2022-03-21)"
        return Cell(moment, [(present.notnull() & moment.isnull(), f"is not a date {form}")])
    if column.role == "label":
        return _label(present, column, spec)
    if column.role in _VERBATIM:
        return Cell(ibis.cases((present.notnull(), text)))
    return Cell(present)


def _number(present: ir.StringValue) -> Cell:
    written = present.re_search(_NUMBER)
    number = ibis.cases((written, present.try_cast("float64")))
    # Not isinf(): Ibis 12 compiles it to a constant on Spark.
    large = written & (number.isnull() | (number.abs() > _LARGEST))
    return Cell(
        ibis.cases((number.abs() <= _LARGEST, number)),
        [
            (
                present.notnull() & ~written,
                "is not a number; if it stands for a missing one, list it in null_values",
            ),
            (large, "is too large for a number"),
        ],
    )


def _label(present: ir.StringValue, column: Column, spec: Spec) -> Cell:
    if column.above is not None:
        number = _number(present)
        return Cell(
            ibis.cases((number.value > column.above, "1"), (number.value.notnull(), "0")), number.faults
        )
    if not spec.classification:
        return _number(present)
    if not spec.labels:
        return Cell(present)
    allowed = ", ".join(spec.labels[:20]) + (", …" if len(spec.labels) > 20 else "")
    return Cell(present, [(present.notin(spec.labels), f"is not one of the labels: {allowed}")])
