"""The documents Prepare leaves: what became of every object, what the dataset is. Schemas: statemachine/contracts/."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from data import merge, plain, sources
from data.errors import BadUpload
from data.files import Source
from data.spec import Column, SourceRule, Spec
from data.split import SIDES
from data.store import Drop

WRITTEN = (*SIDES, "unlabelled")
ROWS = (*WRITTEN, "quarantined", *merge.FATES)
Counts = dict[str, int]


@dataclass
class Tally:
    """How many rows of each object are on each side, and how many of each class."""

    sources: dict[str, Counts] = field(default_factory=dict)
    classes: dict[str, Counts] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=dict)

    @property
    def rows(self) -> Counts:
        """The rows on each side, of all objects."""
        return {side: sum(counts.get(side, 0) for counts in self.sources.values()) for side in ROWS}

    @property
    def labelled(self) -> int:
        """The good rows that have a label."""
        return sum(self.rows[side] for side in SIDES)


def tally(
    sides: Iterable[Mapping[str, Any]],
    classes: Iterable[Mapping[str, Any]],
    faults: Iterable[Mapping[str, Any]],
) -> Tally:
    """Gather the small results of the counting queries."""
    result = Tally()
    for row in sides:
        counted = result.sources.setdefault(row["_source"], {})
        counted[row["_side"]] = counted.get(row["_side"], 0) + row["rows"]
    for row in sorted(classes, key=lambda row: str(row["target"])):
        result.classes.setdefault(row["target"], {})[row["_side"]] = row["rows"]
    for row in sorted(faults, key=lambda row: (-row["rows"], row["column"], row["reason"])):
        where = f"column {row['column']!r} {row['reason']}" if row["column"] else f"the row {row['reason']}"
        result.faults.setdefault(row["_source"], []).append(f"{where} (rows: {row['rows']})")
    return result


def judge(found: Sequence[Source], counted: Tally) -> list[Source]:
    """Refuse an object of which no row is good, saying what is wrong most often."""
    return [_judged(source, counted) for source in found]


def _judged(source: Source, counted: Tally) -> Source:
    counts = counted.sources.get(source.drop.key, {})
    empty_deletes = not source.header  # data/files.py refuses every other file without rows
    if source.refusal or empty_deletes or any(rows for side, rows in counts.items() if side != "quarantined"):
        return source
    bad = counts.get("quarantined", 0)
    reasons = "; ".join(counted.faults.get(source.drop.key, ["it has no rows"])[:3])
    return replace(
        source, refusal=f"none of its {bad} rows is good: {reasons}. Correct the file or the project spec"
    )


def usable(found: Sequence[Source]) -> list[Source]:
    """The sources that are not refused.

    Raises:
        BadUpload: none of those that are new is among them.
    """
    new = [source for source in found if source.drop.claimed_now]
    if new and all(source.refusal for source in new):
        first = f"{new[0].drop.key}: {new[0].refusal}"
        raise BadUpload(
            first if len(new) == 1 else f"none of the {len(new)} new objects can be used. {first}"
        )
    good = [source for source in found if not source.refusal]
    if not good:
        raise BadUpload("none of the project's objects can be used; drop a file")
    return good


def enough(spec: Spec, counted: Tally) -> None:
    """Whether there are rows to learn from and to judge by.

    Raises:
        BadUpload: with the counts.
    """
    rows = counted.rows
    said = ", ".join(f"{side} {rows[side]}" for side in ROWS if rows[side] or side not in merge.FATES)
    if counted.labelled < spec.min_rows:
        raise BadUpload(
            f"{counted.labelled} good labelled rows, min_rows is {spec.min_rows} ({said}){_mostly(counted)}; "
            "drop more rows"
        )
    for side in ("train", "test"):
        if not rows[side]:
            raise BadUpload(
                f"the {side} split has no rows ({said}); drop more rows or change the shares in split"
            )
    trained = [name for name, sides in counted.classes.items() if sides.get("train")]
    if spec.classification and len(trained) < 2:
        raise BadUpload(
            f"the train split has one class only, {trained[0]!r} ({said}); drop rows of another class, "
            "or correct the label in the project spec"
        )


def _mostly(counted: Tally) -> str:
    reasons = [reason for reasons in counted.faults.values() for reason in reasons][:3]
    return f"; refused because {'; '.join(reasons)}" if reasons else ""


def dataset(
    spec: Spec, version: int, run: str, columns: Sequence[str], counted: Tally, keys: Sequence[str]
) -> dict[str, Any]:
    """dataset.json; `columns` in the order of the Parquet files."""
    return {
        "project": spec.project,
        "version": version,
        "run": run,
        "task": spec.task,
        "target": spec.label.name,
        "classes": list(counted.classes) if spec.classification else None,
        "columns": _with_nulls(spec, columns),
        "rows": counted.rows,
        "source_objects": list(keys),
        "split": sided(spec),
    }


def sided(spec: Spec) -> dict[str, Any]:
    """How rows came to their sides. Two versions of which this is equal have no row that changed its side, unless it
    has a `key`: then a row of that key may have, whose newer version says something else.
    """
    split = spec.split
    told = {"method": split.method, "test": split.test, "validation": split.validation, "seed": split.seed}
    if split.method != "hash":
        return told
    hashed = sorted(column.name for column in spec.columns if column.role not in {"label", "ignore"})
    if split.group:
        return {**told, "by": [split.group]}
    moving = spec.key and not set(hashed) <= set(spec.key)
    return {**told, "by": hashed, **({"key": list(spec.key)} if moving else {})}


def described(spec: Spec, columns: Sequence[str]) -> list[dict[str, Any]]:
    """Name, role and format of every column; those the spec does not name are kept and ignored."""
    known = {column.name: column for column in spec.columns}
    every = [known.get(name, Column(name, "ignore")) for name in columns]
    return [{"name": column.name, "role": column.role, "format": column.format} for column in every]


def _with_nulls(spec: Spec, columns: Sequence[str]) -> list[dict[str, Any]]:
    """`described`, and of what is learnt from the words that mean missing: they mean it in requests, too."""
    known = {column.name: column for column in spec.features}
    every = described(spec, columns)
    for told in every:
        if column := known.get(told["name"]):
            empty = () if column.role == "text" else plain.EMPTY
            told |= {"null_values": list(dict.fromkeys([*column.null_values, *empty]))}
    return every


def result(
    head: Mapping[str, Any], *, objects: Sequence[Mapping[str, Any]], counted: Tally,
    unmatched: Sequence[Mapping[str, Any]], reason: str | None, dataset_uri: str | None, quarantine_uri: str | None,
) -> dict[str, Any]:  # fmt: skip
    """prepare.json. With a reason the outcome is refused; an object that is good by itself is prepared all the same:
    its rows wait for the next run.
    """
    return {
        **head,
        "outcome": "refused" if reason else "prepared",
        "reason": reason,
        "objects": list(objects),
        "rows": counted.rows,
        "unmatched": list(unmatched),
        "dataset_uri": dataset_uri,
        "quarantine_uri": quarantine_uri,
    }


def verdicts(
    spec: Spec, found: Sequence[Source], ignored: Sequence[Drop], counted: Tally
) -> list[dict[str, Any]]:
    """What became of each object: those looked at, then those no source takes."""
    looked_at = [_verdict(source, counted.sources.get(source.drop.key, {})) for source in found]
    return [*looked_at, *(_ignored(drop, spec) for drop in ignored)]


def _verdict(source: Source, counts: Counts) -> dict[str, Any]:
    return {
        "key": source.drop.key,
        "etag": source.drop.etag,
        "verdict": "refused" if source.refusal else "prepared",
        "reason": source.refusal,
        "notes": list(source.notes),
        "drift": [change.document() for change in source.drift],
        "rows": {
            "good": sum(counts.get(side, 0) for side in SIDES),
            "refused": counts.get("quarantined", 0),
            "unlabelled": counts.get("unlabelled", 0),
            # Only of a project that merges: elsewhere they would be five zeros on every line people read.
            **{side: counts[side] for side in merge.FATES if counts.get(side)},
        },
    }


def _ignored(drop: Drop, spec: Spec) -> dict[str, Any]:
    reason = sources.nobody(spec)
    return {"key": drop.key, "etag": drop.etag, "verdict": "ignored", "reason": reason, "rows": {}}


def unmatched(rule: SourceRule, rows: int, keys: Sequence[str]) -> dict[str, Any]:
    """What a reference had no partner for: how many rows, and the first of their keys, as in `join_on`."""
    return {
        "source": rule.name,
        "join_on": list(rule.join_on),
        "rows": rows,
        "keys": [key.split(merge.UNIT) for key in keys],
    }
