"""The contract: text becomes typed values, and every cell that breaks the spec becomes a stated fault.

Pure `Table → Table`, in Ibis, so that DuckDB and Spark do the same. What counts as what:

- white space around a value is not part of it (a `text` or `ignore` value is kept as written);
- an empty value is missing; in a `required` column it is a fault. A value listed in `null_values` is missing, no fault.
  `EMPTY` is what programs write for an empty cell, and counts as one (not in `text` and `ignore` columns). `NA` and
  `None` are not in it: as often as not they are a country and a category, so who means "missing" by them says so;
- a number is digits with an optional sign, point and exponent: `1,234.5`, `1.5 kg` and `inf` are faults;
- a date follows its format, else ISO 8601 (data/dates.py);
- a label that is missing leaves the row unlabelled; one outside `labels` is a fault. White space around it is not part
  of it unless `trim` is false; with `ignore_case` it is spelt as in `labels`, whatever its capitals;
- a value outside `minimum` and `maximum`, or that `pattern` does not match, is a fault (data/ranges.py);
- a row whose number of cells differs from the header's has that one fault and no values;
- where the spec says `drift: {retyped: coerce}`, a cell that is no number or no date counts as missing and is no fault;
  its column is named in `_coerced`. Not so the label, nor a required column: there it stays a fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from operator import or_

import ibis
import ibis.expr.types as ir

from data import dates, marks, merge, plain, ranges
from data.plain import EMPTY
from data.spec import Column, Spec
from data.trim import trimmed

FAULT = "struct<column: string, value: string, reason: string>"
LONGEST_VALUE = 200  # characters of a value quoted in a fault; the whole of it is in the quarantined record
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_LARGEST = 1.7976931348623157e308
BOOKKEEPING = frozenset(
    {
        "_row",
        "_source",
        "_number",
        "_problem",
        "_text",
        plain.NAME,
        "_digest",
        "_replayed_number",
        *merge.STAMPS,
    }
)
_VERBATIM = frozenset({"text", "ignore"})
COERCE = "coerce"
_LONGEST_WORD = max(map(len, EMPTY))
_FEW, _MANY = 4, 20  # words that are compared one by one; words from which a join is the cheaper way
_Check = tuple[
    str, ir.StringValue, ir.StringValue, ir.BooleanValue
]  # column, cell, reason, and whether it is so


def apply(raw: ir.Table, spec: Spec) -> ir.Table:
    """Type every column of the spec and judge every row.

    Args:
        raw: batches as of data/rows.py: bookkeeping and text columns
        spec: the project

    Returns:
        the bookkeeping columns but `_problem` and `_plain`, the columns (typed; those outside the spec as they were),
        `_marks` (data/marks.py), `_faults` (array of column, value, reason; empty for a good row), `_record` (a faulty
        row as it was, else null), and when cells are coerced `_coerced` (the columns whose cell was).
    """
    columns = [name for name in raw.columns if name not in BOOKKEEPING]
    # A view between two stages keeps Ibis from writing each stage's expressions out wherever the next one uses them:
    # without it the SQL of 7 columns is 60 kB and takes DuckDB a second to plan.
    given = raw.mutate(
        **{_given(place): _cleaned(raw, column) for place, column in enumerate(spec.columns)}
    ).view()
    typed = given.mutate(
        **{_value(place): _typed(given, place, column, spec) for place, column in enumerate(spec.columns)},
        _marks=marks.of(given, spec, _given),
    ).view()
    coerced = {"_coerced": _coerced(typed, spec)} if spec.drift.retyped == COERCE else {}
    judged = typed.mutate(_faults=_faults(typed, spec), **coerced).view()
    places = {column.name: place for place, column in enumerate(spec.columns)}
    return judged.select(
        *(name for name in raw.columns if name in BOOKKEEPING - {"_problem", plain.NAME}),
        *(_final(judged, name, places).name(name) for name in columns),
        "_marks",
        "_faults",
        *coerced,
        _record=_record(judged, columns),
    )


def _given(place: int) -> str:
    return f"_given_{place}"


def _value(place: int) -> str:
    return f"_value_{place}"


def _cleaned(raw: ir.Table, column: Column) -> ir.StringValue:
    """The cell without white space around it; null when it is empty."""
    cell = trimmed(raw, column.name)
    words = ["", *(word for word in EMPTY if word not in column.null_values)]
    none = cell == "" if column.role in _VERBATIM else (cell.length() <= _LONGEST_WORD) & among(cell, words)
    sound = raw[plain.NAME] == plain.PLAIN
    return ibis.cases((sound, raw[column.name]), (none, ibis.null("string")), else_=cell)


def among(text: ir.StringValue, words: Sequence[str]) -> ir.BooleanValue:
    """Whether it is one of these words.

    DuckDB makes a join of a list of five and more, which for few words costs four times as much as comparing them.
    """
    size = _FEW if len(words) <= _MANY else len(words)
    groups = [words[start : start + size] for start in range(0, len(words), size)] or [()]
    return reduce(or_, (text.isin(list(group)) for group in groups))


def _present(table: ir.Table, place: int, column: Column) -> ir.StringValue:
    """The cell, null also when it is one of the column's null values."""
    given = table[_given(place)]
    return ibis.cases((~among(given, column.null_values), given)) if column.null_values else given


def _typed(given: ir.Table, place: int, column: Column, spec: Spec) -> ir.Value:
    present = _present(given, place, column)
    if column.role == "date":
        return dates.parse(present, column.format)
    if column.role == "number":
        return _number(present)
    if column.role in _VERBATIM:
        return ibis.cases((present.notnull(), given[column.name]))
    if column.role != "label":
        return present
    return _label(
        present if column.trim else ibis.cases((present.notnull(), given[column.name])), column, spec
    )


def _number(present: ir.StringValue) -> ir.FloatingValue:
    number = ibis.cases((present.re_search(_NUMBER), present.try_cast("float64")))
    # Not isinf(): Ibis 12 compiles it to a constant on Spark.
    return ibis.cases((number.abs() <= _LARGEST, number))


def _label(present: ir.StringValue, column: Column, spec: Spec) -> ir.Value:
    if column.above is not None:
        number = _number(present)
        return ibis.cases((number > column.above, "1"), (number.notnull(), "0"))
    if not spec.classification:
        return _number(present)
    if not spec.labels:
        return present
    spelt = [(present.lower() == ibis.literal(label).lower(), label) for label in spec.labels]
    return ibis.cases((among(present, spec.labels), present), *(spelt if column.ignore_case else ()))


def _faults(typed: ir.Table, spec: Spec) -> ir.ArrayValue:
    checks = list(_checks(typed, spec))
    every = ibis.array([_fault(*check) for check in checks]).filter(lambda fault: fault.notnull())
    # Nearly all rows are good: only for the others is the list made, which costs more than all the rest.
    some = reduce(or_, (wrong.fill_null(False) for *_, wrong in checks))
    return ibis.cases((some, every), else_=ibis.literal([], type=f"array<{FAULT}>"))


def _checks(typed: ir.Table, spec: Spec) -> Iterator[_Check]:
    """Every way in which a row can be at fault."""
    sound = typed["_problem"].isnull()
    yield "", typed["_text"], typed["_problem"], ~sound
    for place, column in enumerate(spec.columns):
        given, present, value = typed[_given(place)], _present(typed, place, column), typed[_value(place)]
        text, reason = typed[column.name], unparsed(column, spec)
        if column.required:
            yield column.name, text, ibis.literal("is required and empty"), sound & given.isnull()
        if reason and not _is_coerced(column, spec):
            yield column.name, text, ibis.literal(reason), sound & present.notnull() & value.isnull()
        for breach, rule in _breaches(typed, place, column, spec):
            yield column.name, text, ibis.literal(rule), sound & breach
    yield from _undated(typed, spec, sound)


def _undated(typed: ir.Table, spec: Spec, sound: ir.BooleanValue) -> Iterator[_Check]:
    """A version date that is none: the row cannot be told from a newer or an older one (data/merge.py)."""
    by = spec.version_by
    if by is None or merge.VERSION not in typed.columns:
        return
    place, column = next((place, one) for place, one in enumerate(spec.columns) if one.name == by.column)
    if (column.role, column.format) == ("date", by.format):
        return  # a fault of the column already
    wrong = sound & typed[_given(place)].notnull() & typed[merge.VERSION].isnull()
    said = f"is not a version date {f'of the format {by.format}' if by.format else 'as of ISO 8601 (2022-03-21)'}"
    yield by.column, typed[by.column], ibis.literal(said), wrong


def _breaches(
    typed: ir.Table, place: int, column: Column, spec: Spec
) -> Iterator[tuple[ir.BooleanValue, str]]:
    present, value = _present(typed, place, column), typed[_value(place)]
    numeric = column.role == "number" or _is_number(column, spec)
    text = present if numeric or column.role == "date" else value
    if column.role == "label" and column.above is not None:
        value = _number(present)  # what was cut in two is one class or the other
    return ranges.breaches(text, value if numeric or column.role == "date" else None, column)


def _is_number(column: Column, spec: Spec) -> bool:
    return column.role == "label" and (column.above is not None or not spec.classification)


def _is_coerced(column: Column, spec: Spec) -> bool:
    typed = column.role in {"number", "date"}
    return spec.drift.retyped == COERCE and typed and not column.required


def _coerced(typed: ir.Table, spec: Spec) -> ir.ArrayValue:
    """The names of the columns whose cell was there and is no value."""
    names = [ibis.null("string")]
    for place, column in enumerate(spec.columns):
        if _is_coerced(column, spec):
            lost = typed["_problem"].isnull() & _present(typed, place, column).notnull()
            names.append(ibis.cases((lost & typed[_value(place)].isnull(), column.name)))
    return ibis.array(names).filter(lambda name: name.notnull())


def unparsed(column: Column, spec: Spec) -> str | None:
    """What is wrong with a cell that is there and has no value; None where every text is a value."""
    if column.role == "date":
        return f"is not a date {f'of the format {column.format}' if column.format else 'as of ISO 8601 (2022-03-21)'}"
    if column.role == "number" or _is_number(column, spec):
        return (
            "is not a number (or too large for one); if it stands for a missing one, list it in null_values"
        )
    if column.role == "label" and spec.labels:
        return (
            f"is not one of the labels: {', '.join(spec.labels[:20])}{', …' if len(spec.labels) > 20 else ''}"
        )
    return None


def _fault(
    column: str, value: ir.StringValue, reason: ir.StringValue, wrong: ir.BooleanValue
) -> ir.StructValue:
    parts = {"column": ibis.literal(column), "value": value.substr(0, LONGEST_VALUE), "reason": reason}
    return ibis.cases((wrong, ibis.struct(parts, type=FAULT)), else_=ibis.null(FAULT))


def _final(judged: ir.Table, name: str, places: Mapping[str, int]) -> ir.Value:
    if name in places:
        return judged[_value(places[name])]
    return ibis.cases((judged[name].strip() != "", judged[name]))


def _record(judged: ir.Table, columns: Sequence[str]) -> ir.MapValue:
    record = ibis.map(ibis.array(list(columns)), ibis.array([judged[name] for name in columns]))
    return ibis.cases((judged["_problem"].isnull() & (judged["_faults"].length() > 0), record))
