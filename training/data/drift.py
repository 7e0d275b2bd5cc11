"""Drift: what is different about a file's columns, and what the spec says is to become of such a file. Pure.

A verdict depends on the spec and the file alone, never on what came before: the same files give the same dataset. The
last version's columns only tell what is news.

- `missing`: a column of the spec is not there. `refuse` (the target, a required column, every column to learn from),
  or `accept`: it is read as empty;
- `added`: a column the spec does not name. `accept`: kept, and nothing is learnt from it; or `refuse`;
- `renamed`: a missing and an added column whose names are almost one and whose values fit: `refuse`, or `accept`: it
  is read under the spec's name;
- `retyped`: half the cells of a number or a date, or more, are none. `quarantine`: their rows are refused; `coerce`:
  the cells count as missing (any such cell is told of); `refuse`: the whole file.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from data import dates
from data.spec import Column, Spec

NEAR = 0.6  # likeness from which a name is worth a hint
SURE = 0.85  # likeness from which two names are one, if the values fit as well
FITTING = 0.9  # share of the cells looked at that must be values of the column's type
UNNAMED = re.compile(
    r"column_\d+|_replayed_number"
)  # besides what data/replayed.py adds, what data/files.py calls a column without a name
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)

Cells = Mapping[str, Sequence[str | None]]


@dataclass(frozen=True)
class Change:
    """One difference: of which column, what it was, what it is, and what the uploader can do about it."""

    kind: str
    column: str
    was: str | None
    now: str | None
    hint: str

    def document(self) -> dict[str, str | None]:
        """As in prepare.json."""
        return {"kind": self.kind, "column": self.column, "was": self.was, "is": self.now, "hint": self.hint}


@dataclass(frozen=True)
class Judged:
    """A header as it is to be read, what is different about it, and why the file cannot be used (None: it can)."""

    header: tuple[str, ...]
    changes: tuple[Change, ...]
    problem: str | None


def judge(header: Sequence[str], spec: Spec, cells: Callable[[], Cells]) -> Judged:
    """Compare the header of a file of rows with the spec.

    Args:
        header: its columns, spelt as in the spec
        spec: the project
        cells: the first cells of each column; asked for only when a column may be a renamed one
    """
    # What a reference may bring is not missing: only all files together tell.
    joined = _joined(spec)
    missing = [one for one in spec.columns if one.name not in header and one.role != "ignore"]
    added = [name for name in header if name not in spec.names and not UNNAMED.fullmatch(name)]
    renamed = {} if joined else _renamed(missing, added, spec, cells)
    changes = [_rename(name, old, spec) for name, old in renamed.items()]
    changes += [_absence(one, header) for one in missing if not joined and one.name not in renamed.values()]
    changes += [_addition(name) for name in added if name not in renamed]
    accepted = renamed if spec.drift.renamed == "accept" else {}
    read_as = tuple(accepted.get(name, name) for name in header)
    rules = (_target(read_as, spec), _required(read_as, spec), _features(read_as, spec))
    problems = (
        *rules,
        _names_changed(renamed, spec),
        _too_many([name for name in added if name not in renamed], spec),
    )
    return Judged(read_as, tuple(changes), next(filter(None, problems), None))


def news(
    changes: Iterable[Change], header: Sequence[str], before: Sequence[str], spec: Spec
) -> tuple[Change, ...]:
    """The changes, without the additions the last version has too, and with what it has that is gone.

    Args:
        changes: of one file
        header: its columns as they are read
        before: the last version's columns; empty when there is none
        spec: the project
    """
    kept = [one for one in changes if one.kind != "added" or one.column not in before]
    gone = [
        name
        for name in before
        if name not in header and name not in spec.names and not UNNAMED.fullmatch(name)
    ]
    hint = "the last version has it, and the spec does not name it: nothing is learnt from it"
    return (*kept, *(Change("missing", name, "ignore", None, hint) for name in gone))


def _renamed(
    missing: Sequence[Column], added: Sequence[str], spec: Spec, cells: Callable[[], Cells]
) -> dict[str, str]:
    """The added columns that surely are missing ones, by their names in the file."""
    pairs = sorted(
        ((likeness(name, one.name), name, one) for one in missing for name in added),
        key=lambda pair: -pair[0],
    )
    found: dict[str, str] = {}
    sample: Cells | None = None
    for alike, name, one in pairs:
        if alike < SURE:
            break
        if name in found or one.name in found.values():
            continue
        sample = cells() if sample is None else sample
        if _fit(sample.get(name, ()), one, spec):
            found[name] = one.name
    return found


def likeness(one: str, other: str) -> float:
    """How alike two names are, from 0 to 1; capitals, spaces and punctuation do not count, numbers must be the same."""
    if re.findall(r"\d+", one) != re.findall(r"\d+", other):
        return 0.0
    left, right = (re.sub(r"[\W_]+", "", name.lower()) for name in (one, other))
    return difflib.SequenceMatcher(None, left, right, autojunk=False).ratio() if left and right else 0.0


def _fit(cells: Sequence[str | None], column: Column, spec: Spec) -> bool:
    """Whether cells are values of a column; where any text is one, they are."""
    present = [cell.strip() for cell in cells if cell and cell.strip() not in ("", *column.null_values)]
    sound = [kind_of(cell, column, spec) for cell in present]
    return not present or sum(sound) >= FITTING * len(sound)


def kind_of(cell: str, column: Column, spec: Spec) -> bool:
    """Whether a cell is a value of the column's type."""
    if column.role == "date":
        return re.search(dates.pattern(column.format).expression, cell.lower()) is not None
    if column.role == "number" or is_number(column, spec):
        return _NUMBER.fullmatch(cell) is not None
    if column.role == "label" and spec.labels:
        return cell.lower() in {label.lower() for label in spec.labels}
    return True


def is_number(column: Column, spec: Spec) -> bool:
    """Whether the column is a label that is a number."""
    return column.role == "label" and (column.above is not None or not spec.classification)


def _rename(name: str, old: str, spec: Spec) -> Change:
    if spec.drift.renamed == "accept":
        hint = f"it is read as {old!r}, as the spec accepts renamed columns"
    else:
        hint = (
            f"rename the column to {old!r}, or accept it with drift: {{renamed: accept}} in the project spec"
        )
    return Change("renamed", old, old, name, hint)


def _absence(column: Column, header: Sequence[str]) -> Change:
    near = sorted(header, key=lambda name: -likeness(name, column.name))[:1]
    maybe = f"{near[0]!r} may be it; " if near and likeness(near[0], column.name) >= NEAR else ""
    hint = (
        f"{maybe}its cells are read as empty: add the column to the file, or take it out of the project spec"
    )
    return Change("missing", column.name, column.role, None, hint)


def _addition(name: str) -> Change:
    hint = "nothing is learnt from it: name it under columns in the project spec to use it"
    return Change("added", name, None, "ignore", hint)


def _names_changed(renamed: Mapping[str, str], spec: Spec) -> str | None:
    if not renamed or spec.drift.renamed == "accept":
        return None
    pairs = ", ".join(f"{name!r} where the project spec has {old!r}" for name, old in renamed.items())
    return (
        f"the header has {pairs}: a renamed column would be read as empty. Rename it in the file, or accept it with "
        "drift: {renamed: accept} in the project spec"
    )


def _too_many(added: Sequence[str], spec: Spec) -> str | None:
    if not added or spec.drift.added == "accept":
        return None
    return (
        f"the header has {listed(added)}, which the project spec does not name, and it refuses added columns. Take "
        "them out of the file, or name them under columns (of type ignore, if nothing is to be learnt from them)"
    )


def _target(header: Sequence[str], spec: Spec) -> str | None:
    if spec.drift.missing == "accept" or spec.label.name in header:
        return None
    return missing("target column", [spec.label.name], header)


def _required(header: Sequence[str], spec: Spec) -> str | None:
    if spec.drift.missing == "accept" or _joined(spec):
        return None  # a reference may bring it; where none does, the rows say so
    absent = [column.name for column in spec.columns if column.required and column.name not in header]
    return missing("required column", absent, header) if absent else None


def _features(header: Sequence[str], spec: Spec) -> str | None:
    if _joined(spec) or any(column.name in header for column in spec.features):
        return None
    return missing("any column to learn from:", [column.name for column in spec.features], header)


def _joined(spec: Spec) -> bool:
    return any(one.kind == "reference" for one in spec.sources)


def missing(what: str, absent: Sequence[str], header: Sequence[str]) -> str:
    """Why a file cannot be used that lacks columns, with the nearest names it has."""
    lower = {name.lower(): name for name in header}
    near = {name: difflib.get_close_matches(name.lower(), lower, 1, NEAR) for name in absent}
    hints = [f"{name!r} may be {lower[found[0]]!r}" for name, found in near.items() if found]
    hint = f" ({'; '.join(hints)})" if hints else ""
    has = f"it has {listed(header)}"
    return f"the header lacks {what} {listed(absent)}{hint}; {has}. Rename the column, or correct the project spec"


def listed(names: Sequence[str]) -> str:
    """The first twenty names, quoted."""
    shown = ", ".join(repr(name[:80]) for name in names[:20])
    return f"{shown} and {len(names) - 20} more" if len(names) > 20 else shown


def looks_like(cell: Any) -> str:
    """What a cell looks like: number, date or text."""
    text = str(cell).strip()
    if _NUMBER.fullmatch(text):
        return "number"
    return "date" if re.search(dates.ISO, text.lower()) else "text"
