"""What stands above the rows of delimited text: Excel's `sep=` line, comments, a header line, or nothing at all."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from data.dates import pattern
from data.dialect import Dialect, sniff
from data.errors import RefusedObject
from data.plain import EMPTY
from data.spec import Column, SourceRule, Spec

_SEPARATOR = re.compile(r'"?sep=([^\w\s"]|\t)"?[ \t]*(?:\r\n|\n|\r)', re.IGNORECASE)
_COMMENTS = re.compile(r"(?:(?:#[^\r\n]*)?(?:\r\n|\n|\r))+")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


@dataclass(frozen=True)
class Heading:
    """How to read a file, what its columns are called in it, and what must be said of that."""

    dialect: Dialect
    names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def find(sample: str, *, whole: bool, spec: Spec, rule: SourceRule) -> Heading | None:
    """The heading of a text; None when it holds no line at all.

    Args:
        sample: the beginning of the file
        whole: that is all of it
        spec: the project
        rule: its source; that there is a header line, as it may say, a first row that is plainly data overrules

    Raises:
        RefusedObject: without a header line, and not as wide as the columns that would name it.
    """
    above, delimiter = _above(sample)
    notes = [f"its first line, {above.strip()!r}, was taken at its word"] if delimiter else []
    dialect = sniff(sample[len(above) :], whole=whole, known=spec.names, delimiter=delimiter)
    if not delimiter:
        dialect, above, notes = _without_comments(sample, dialect, whole, spec)
    if dialect is None:
        return None
    names = dialect.header
    headless = rule.kind == "upserts" and _plainly_data(dialect, spec)
    if headless or not rule.header:
        notes.append(
            _HEADLESS if rule.header else "it has no header line, as the project spec says of its source"
        )
        names = _spec_names(dialect, spec, rule)
        dialect = replace(dialect, header_lines=0, rows_seen=dialect.rows_seen + 1)
    dialect = replace(dialect, header_lines=dialect.header_lines + _lines(above))
    return Heading(dialect, tuple(names), tuple(notes))


def _spec_names(dialect: Dialect, spec: Spec, rule: SourceRule) -> tuple[str, ...]:
    names = spec.key if rule.kind == "deletes" and dialect.width == len(spec.key) else spec.names
    if dialect.width != len(names):
        raise RefusedObject(
            f"its first row has {dialect.width} cells; the project spec says of source {rule.name!r} that its files "
            f"have no header line, and names {len(names)} columns. Correct the file or the project spec"
        )
    return names


_HEADLESS = (
    "it has no header line: its first row is data; "
    "its columns were taken to be those of the project spec, in their order"
)


def _above(sample: str) -> tuple[str, str | None]:
    """The `sep=` line a text begins with, and the delimiter it names."""
    found = _SEPARATOR.match(sample)
    return (found[0], found[1]) if found else ("", None)


def _without_comments(
    sample: str, dialect: Dialect | None, whole: bool, spec: Spec
) -> tuple[Dialect | None, str, list[str]]:
    """Pass over lines that begin with # above the header, if only without them columns of the spec are found."""
    comments = _COMMENTS.match(sample) if sample.lstrip().startswith("#") else None
    if comments is None:
        return dialect, "", []
    below = sniff(sample[comments.end() :], whole=whole, known=spec.names)
    if below is None or not _known(below, spec) or (dialect and _known(dialect, spec)):
        return dialect, "", []
    lines = sum(line.startswith("#") for line in comments[0].splitlines())
    said = f"comments above its header were passed over (lines: {lines})"
    return below, comments[0], [said]


def _known(dialect: Dialect, spec: Spec) -> int:
    names = {name.lower() for name in spec.names}
    return sum(name.strip().lower() in names for name in dialect.header)


def _lines(text: str) -> int:
    return len(re.findall(r"\r\n|\n|\r", text))


def _plainly_data(dialect: Dialect, spec: Spec) -> bool:
    """Whether the first row is no header: as wide as the spec, none of its names, and what the types say it must be."""
    if _known(dialect, spec) or dialect.width != len(spec.columns):
        return False
    cells = zip(dialect.header, spec.columns, strict=True)
    found = [_fits(cell.strip(), column, spec) for cell, column in cells]
    return True in found and False not in found


def _fits(cell: str, column: Column, spec: Spec) -> bool | None:
    """Whether a cell is a value of a column; None where the column's type cannot tell a value from a name."""
    if cell in ("", *EMPTY, *column.null_values):
        return None
    if column.role == "date":
        form = pattern(column.format).expression
        return re.search(form, cell.lower()) is not None
    if column.role == "number" or (column.role == "label" and _is_number(column, spec)):
        return _NUMBER.fullmatch(cell) is not None
    if column.role == "label" and spec.labels:
        return cell.lower() in [label.lower() for label in spec.labels]
    return None


def _is_number(label: Column, spec: Spec) -> bool:
    return label.above is not None or not spec.classification
