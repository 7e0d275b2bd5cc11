"""One object before it is read: fetched, verified, checked as text, its header judged against the spec."""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from data import drift, sources, store, text
from data.dialect import NO_DIALECT, Dialect, sniff
from data.errors import NoRows, RefusedObject
from data.spec import SourceRule, Spec

SAMPLED = 1000  # rows whose cells are looked at to tell a renamed column
SAMPLE = 1 << 20  # bytes of a file its dialect is guessed from
RESERVED = re.compile(
    r"_(row|source|number|problem|text|digest|faults|record|side|position|dealt|(given|value)_\d+|coerced|merge_\w+)",
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
    drift: tuple[drift.Change, ...] = ()


def check(s3: Any, drop: store.Drop, folder: str, spec: Spec) -> Source:
    """Fetch one object into a folder and judge it. Never raises for what is in the object."""
    path = os.path.join(folder, f"{drop.ordinal}.csv")
    rule = sources.rule(spec, drop.key)
    try:
        fetch(s3, drop, path)
        dialect = _dialect(path, spec)
        header = _header(dialect, spec, rule)
    except RefusedObject as refusal:
        if os.path.exists(path):
            os.unlink(path)
        nothing = isinstance(refusal, NoRows) and rule.kind == "deletes"
        return Source(drop, refusal=None if nothing else str(refusal))
    source = Source(drop, path, dialect, header)
    return _compared(source, spec) if rule.kind == "upserts" else source


def _compared(source: Source, spec: Spec) -> Source:
    """Its columns compared with the spec's: read under other names, or refused, as the spec says."""
    judged = drift.judge(source.header, spec, lambda: _first_cells(source))
    if judged.problem is None:
        return replace(source, header=judged.header, drift=judged.changes)
    os.unlink(source.path)
    return Source(source.drop, refusal=judged.problem, drift=judged.changes)


def _first_cells(source: Source) -> drift.Cells:
    from data import rows  # noqa: PLC0415  # it reads what this module makes

    first = next(rows.batches(source, source.path, source.header), None)
    return {name: first.column(name)[:SAMPLED].to_pylist() for name in source.header} if first else {}


def same_spelling(sources: Sequence[Source]) -> list[Source]:
    """Spell a column one way in all files: engines and Athena take `Name` and `name` for one column."""
    spelling: dict[str, str] = {}
    result = []
    for source in sources:
        header = tuple(spelling.setdefault(name.lower(), name) for name in source.header)
        result.append(replace(source, header=header))
    return result


def fetch(s3: Any, drop: store.Drop, path: str) -> None:
    """Stream an object to a file, unpacked, verified, as checked text.

    Raises:
        RefusedObject: it is not what was announced, or no text.
    """
    digest = hashlib.md5(usedforsecurity=False)
    size = 0

    def counted(stream: Iterable[bytes]) -> Iterator[bytes]:
        nonlocal size
        for chunk in stream:
            digest.update(chunk)
            size += len(chunk)
            yield chunk

    opened = store.open_drop(s3, drop)
    with open(path, "wb") as file:
        for chunk in text.checked(counted(opened.chunks)):
            file.write(chunk)
    if size == 0:
        raise NoRows("the file is empty; drop one with a header line and rows")
    if size != drop.size:
        raise RefusedObject(f"{size} bytes arrived where {drop.size} were announced; drop it again")
    if opened.md5 and digest.hexdigest() != opened.md5:
        raise RefusedObject(
            f"its bytes have MD5 {digest.hexdigest()}, its etag says {opened.md5}; drop it again"
        )


def _dialect(path: str, spec: Spec) -> Dialect:
    with open(path, "rb") as file:
        head = file.read(SAMPLE)
        whole = not file.read(1)
    found = sniff(head.decode("utf-8-sig", errors="ignore"), whole=whole, known=spec.names)
    if found is None:
        raise NoRows("the file holds only blank lines; drop one with a header line and rows")
    if found.rows_seen == 0 and whole:
        raise NoRows("there is a header line and no row below it; drop a file with rows")
    return found


def _header(dialect: Dialect, spec: Spec, rule: SourceRule) -> tuple[str, ...]:
    """The names of the columns, spelt as in the spec; a column without a name is called after its place."""
    spelling = {name.lower(): name for name in spec.names}
    header = tuple(name.strip() or f"column_{place}" for place, name in enumerate(dialect.header, 1))
    header = tuple(spelling.get(name.lower(), name) for name in header)
    for problem in (_twice(header), _reserved(header), _serves(header, spec, rule)):
        if problem:
            raise RefusedObject(problem)
    return header


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
