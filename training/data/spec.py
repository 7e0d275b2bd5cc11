"""The project spec as Prepare needs it: typed, with every default filled in.

The document was checked against `statemachine/contracts/project.schema.json` when it was stored, so this only reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from data.errors import BadUpload

FEATURE_ROLES = frozenset({"number", "category", "date", "text"})


@dataclass(frozen=True)
class Column:
    """What one column of the files means."""

    name: str
    role: str
    format: str | None = None
    null_values: tuple[str, ...] = ()
    required: bool = False
    above: float | None = None


@dataclass(frozen=True)
class Split:
    """How labelled rows are dealt out; `group` names the column whose rows stay together (method hash)."""

    method: str
    test: float
    validation: float
    seed: int
    group: str | None


@dataclass(frozen=True)
class Spec:
    """A project: its columns in the order of the document, exactly one of them the label."""

    project: str
    task: str
    columns: tuple[Column, ...]
    labels: tuple[str, ...]
    min_rows: int
    split: Split

    @property
    def label(self) -> Column:
        """The column to be predicted."""
        return next(column for column in self.columns if column.role == "label")

    @property
    def classification(self) -> bool:
        """Whether the target is a class (text) and not a number."""
        return self.task == "classification"

    @property
    def features(self) -> tuple[Column, ...]:
        """The columns a model may learn from."""
        return tuple(column for column in self.columns if column.role in FEATURE_ROLES)

    @property
    def names(self) -> tuple[str, ...]:
        """Every column the spec names."""
        return tuple(column.name for column in self.columns)


def parse(document: Mapping[str, Any]) -> Spec:
    """Read a project document.

    Raises:
        BadUpload: not exactly one column is the label, so there is nothing to predict.
    """
    columns = tuple(_column(name, value) for name, value in document["columns"].items())
    labels = [column.name for column in columns if column.role == "label"]
    if len(labels) != 1:
        raise BadUpload(
            f"project spec, columns: exactly one must be the label, these are: {labels or 'none'}"
        )
    return Spec(
        project=document["project"],
        task=document["task"],
        columns=columns,
        labels=tuple(str(label).strip() for label in document.get("labels") or ()),
        min_rows=int(document.get("min_rows", 20)),
        split=_split(document.get("split") or {}, columns),
    )


def _column(name: str, value: str | Mapping[str, Any]) -> Column:
    meaning: Mapping[str, Any] = {"type": value} if isinstance(value, str) else value
    above = meaning.get("above")
    return Column(
        name=name,
        role=meaning["type"],
        format=meaning.get("format"),
        null_values=tuple(str(text).strip() for text in meaning.get("null_values") or ()),
        required=bool(meaning.get("required", False)),
        above=None if above is None else float(above),
    )


def _split(document: Mapping[str, Any], columns: tuple[Column, ...]) -> Split:
    groups = [column.name for column in columns if column.role == "group"]
    return Split(
        method=document.get("method", "hash"),
        test=float(document.get("test", 0.2)),
        validation=float(document.get("validation", 0.1)),
        seed=int(document.get("seed", 42)),
        # A column of type group has no other purpose, so a single one needs no second mention.
        group=document.get("group") or (groups[0] if len(groups) == 1 else None),
    )
