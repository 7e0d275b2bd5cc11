"""One object before it is read: fetched, verified, checked as text, its header judged against the spec."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from data import drift, fetching, formats, heading, jsonlines, limits, sources, store
from data.dialect import NO_DIALECT, Dialect
from data.errors import NoRows, RefusedObject
from data.heading import Heading
from data.limits import DEFAULT, Limits
from data.spec import SourceRule, Spec

SAMPLED = 1000  # rows whose cells are looked at to tell a renamed column
SAMPLE = 1 << 20  # bytes of a file its format and its dialect are guessed from
LONGEST_NAME = 255  # characters; what a Glue table takes
RESERVED = re.compile(
    r"_(row|source|number|problem|text|plain|digest|marks|faults|record|side|position|dealt|(given|value)_\d+|coerced|merge_\w+)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Source:
    """An object that was looked at: readable as `dialect` says, with its columns' names, or refused with a reason.

    Without a header and without a refusal it is a file of deletes that has none.
    """

    drop: store.Drop
    path: str = ""
    dialect: Dialect = NO_DIALECT
    header: tuple[str, ...] = ()
    refusal: str | None = None
    format: formats.Format = "delimited"
    given: tuple[str, ...] = ()  # the columns' names as the file has them, in the order of `header`
    date_formats: tuple[str | None, ...] = ()  # of the columns, as the spec has them
    limits: Limits = DEFAULT
    notes: tuple[str, ...] = ()  # what was taken for granted about the file; part of its verdict
    drift: tuple[drift.Change, ...] = ()


def check(s3: Any, drop: store.Drop, folder: str, spec: Spec) -> Source:
    """Fetch one object into a folder and judge it. Never raises for what is in the object."""
    path = os.path.join(folder, str(drop.ordinal))
    rule = sources.rule(spec, drop.key)
    try:
        return _judged(fetching.fetch(s3, drop, path, limits.of(spec)), drop, path, spec, rule)
    except RefusedObject as refusal:
        if os.path.exists(path):
            os.unlink(path)
        nothing = isinstance(refusal, NoRows) and rule.kind == "deletes"
        return Source(drop, refusal=None if nothing else str(refusal))


def _judged(fetched: fetching.Fetched, drop: store.Drop, path: str, spec: Spec, rule: SourceRule) -> Source:
    most = limits.of(spec)
    kind, found = _looked(fetched, path, spec, rule, most)
    if problem := limits.too_many_columns(len(found.names), most):
        raise RefusedObject(problem)
    header = _header(found.names, spec, rule)
    name = formats.notes(drop.key, rule.format, kind, found.dialect.delimiter, fetched.packing)
    notes = (*name, *([fetched.note] if fetched.note else ()), *found.notes)
    source = Source(
        drop, path, found.dialect, header, format=kind, given=found.names, limits=most, notes=notes
    )
    source = _dated(source, spec)
    return _compared(source, spec) if rule.kind == "upserts" else source


def _dated(source: Source, spec: Spec) -> Source:
    """With the format of each column that holds dates."""
    dates = {column.name: column.format for column in spec.columns if column.role == "date"}
    return replace(source, date_formats=tuple(dates.get(column) for column in source.header))


def _compared(source: Source, spec: Spec) -> Source:
    """Its columns compared with the spec's: read under other names, or refused, as the spec says."""
    judged = drift.judge(source.header, spec, lambda: _first_cells(source))
    if judged.problem is None:
        return _dated(replace(source, header=judged.header, drift=judged.changes), spec)
    os.unlink(source.path)
    return Source(source.drop, refusal=judged.problem, drift=judged.changes, notes=source.notes)


def _first_cells(source: Source) -> drift.Cells:
    from data import rows  # noqa: PLC0415  # it reads what this module makes

    first = next(rows.batches(source, source.path, source.header), None)
    return {name: first.column(name)[:SAMPLED].to_pylist() for name in source.header} if first else {}


def _looked(
    fetched: fetching.Fetched, path: str, spec: Spec, rule: SourceRule, most: Limits
) -> tuple[formats.Format, Heading]:
    """What format a file is in, and the names of its columns."""
    if fetched.parquet:
        from data import parquet  # noqa: PLC0415  # only when there is such a file

        return "parquet", Heading(NO_DIALECT, parquet.look(path, most))
    with open(path, "rb") as file:
        head = file.read(SAMPLE)
        whole = not file.read(1)
    sample = head.decode("utf-8-sig", errors="ignore")
    if formats.of_text(sample) == "jsonl":
        return "jsonl", Heading(NO_DIALECT, jsonlines.look(path, most))
    found = heading.find(sample, whole=whole, spec=spec, rule=rule)
    if found is None:
        raise NoRows("the file holds only blank lines; drop one with a header line and rows")
    if found.dialect.rows_seen == 0 and whole:
        raise NoRows("there is a header line and no row below it; drop a file with rows")
    return "delimited", found


def same_spelling(sources: Sequence[Source]) -> list[Source]:
    """Spell a column one way in all files: engines and Athena take `Name` and `name` for one column."""
    spelling: dict[str, str] = {}
    result = []
    for source in sources:
        header = tuple(spelling.setdefault(name.lower(), name) for name in source.header)
        result.append(replace(source, header=header))
    return result


def _header(given: Sequence[str], spec: Spec, rule: SourceRule) -> tuple[str, ...]:
    """The names of the columns, spelt as in the spec; a column without a name is called after its place."""
    spelling = {name.lower(): name for name in spec.names}
    # Line breaks within a name are how a spreadsheet shows it, not part of it.
    plain = (" ".join(name.split()) for name in given)
    header = tuple(name or f"column_{place}" for place, name in enumerate(plain, 1))
    header = tuple(spelling.get(name.lower(), name) for name in header)
    rules = (_odd(header), _twice(header), _reserved(header), _serves(header, spec, rule))
    for problem in rules:
        if problem:
            raise RefusedObject(problem)
    return header


def _odd(header: Sequence[str]) -> str | None:
    odd = [name for name in header if len(name) > LONGEST_NAME or not name.isprintable()]
    return (
        f"the header has a name that is longer than {LONGEST_NAME} characters or holds control characters "
        f"({drift.listed(odd)}): is its first line a header line? Correct the name"
        if odd
        else None
    )


def _twice(header: Sequence[str]) -> str | None:
    twice = [name for name, times in Counter(name.lower() for name in header).items() if times > 1]
    return (
        f"the header names {drift.listed(twice)} twice (upper and lower case are one); rename one"
        if twice
        else None
    )


def _reserved(header: Sequence[str]) -> str | None:
    taken = [name for name in header if RESERVED.fullmatch(name)]
    return (
        f"the header uses {drift.listed(taken)}, which Penstock keeps for itself; rename the column"
        if taken
        else None
    )


def _serves(header: Sequence[str], spec: Spec, rule: SourceRule) -> str | None:
    """A file of deletes is its keys, a reference what it is joined on: whatever else they have or lack."""
    if rule.kind == "upserts":
        return None
    missing = [name for name in sources.must_have(rule, spec) if name not in header]
    return (
        drift.missing("key column" if rule.kind == "deletes" else "join column", missing, header)
        if missing
        else None
    )
