"""What is to be learnt: the dataset's description and its rows, checked before any learner sees them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from learners.errors import BadData

Table = Mapping[str, Sequence[Any] | npt.NDArray[Any]]  # column name → values, all of one length
Floats = npt.NDArray[np.float64]
FEATURE_ROLES = ("number", "category", "date", "text")


@dataclass(frozen=True)
class Column:
    """One column of the dataset: its role, and how its text is written in uploads and requests."""

    name: str
    role: str
    format: str | None = None
    null_values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dataset:
    """dataset.json: task, target, classes in their order (None for regression), and columns."""

    project: str
    version: int
    task: str
    target: str
    classes: list[str] | None
    columns: list[Column]
    rows: dict[str, int] = field(default_factory=dict)
    split: dict[str, Any] = field(default_factory=dict)  # how rows came to their sides

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> "Dataset":
        """Return the dataset `document` describes; raise BadData naming what it lacks."""
        lacking = [key for key in ("project", "version", "task", "target", "columns") if key not in document]
        if lacking:
            raise BadData(f"dataset.json lacks {', '.join(lacking)}: run Prepare again.")
        columns = [
            Column(c["name"], c["role"], c.get("format"), tuple(c.get("null_values") or ()))
            for c in document["columns"]
        ]
        return cls(
            project=document["project"],
            version=document["version"],
            task=document["task"],
            target=document["target"],
            classes=document.get("classes") if document["task"] == "classification" else None,
            columns=columns,
            rows=dict(document.get("rows") or {}),
            split=dict(document.get("split") or {}),
        )

    @property
    def features(self) -> list[Column]:
        """Return the columns a model may look at, in order."""
        return [c for c in self.columns if c.role in FEATURE_ROLES and c.name != self.target]


@dataclass(frozen=True)
class Rows:
    """Rows with their answers: `target` holds class numbers (classification) or values (regression)."""

    columns: Table
    target: npt.NDArray[Any]

    def __len__(self) -> int:
        return len(self.target)


@dataclass(frozen=True)
class Problem:
    """A dataset, its training rows and, if there are any, its validation rows."""

    dataset: Dataset
    train: Rows
    validation: Rows | None


def problem(dataset: Dataset, train: Table, validation: Table | None) -> Problem:
    """Return the problem; raise BadData if there is nothing to learn from or to tell apart."""
    rows = rows_of(dataset, train, "train")
    if len(rows) == 0:
        raise BadData(
            "The training split has no rows: upload more labelled rows or lower split.test and split.validation."
        )
    if len(np.unique(rows.target)) < 2:
        raise BadData(f"Every training row has the same {dataset.target}: upload rows with other values.")
    checked = rows_of(dataset, validation, "validation") if validation is not None else None
    return Problem(dataset, rows, checked if checked is not None and len(checked) else None)


def rows_of(dataset: Dataset, table: Table, split: str) -> Rows:
    """Return a split's rows with their answers; raise BadData if an answer is missing or not a class."""
    if dataset.target not in table:
        raise BadData(
            f"The {split} split has no column {dataset.target!r}, the target: check the project's columns."
        )
    values = table[dataset.target]
    if dataset.task == "regression":
        return Rows(table, _numbers(values, dataset.target, split))
    codes = {name: number for number, name in enumerate(dataset.classes or ())}
    unknown = sorted({repr(value) for value in values if value not in codes})
    if unknown:
        raise BadData(
            f"The {split} split has {dataset.target} {', '.join(unknown[:5])}, not among the classes {list(codes)}."
        )
    return Rows(table, np.array([codes[value] for value in values], dtype=np.int64))


def _numbers(values: Sequence[Any] | npt.NDArray[Any], target: str, split: str) -> Floats:
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise BadData(
            f"{target} in the {split} split is not all numbers, and the task is regression."
        ) from None
    if not np.isfinite(numbers).all():
        raise BadData(
            f"{target} in the {split} split has missing or infinite values: Prepare must leave those rows out."
        )
    return numbers
