"""What is to be learnt: the dataset's description and its rows, checked before any learner sees them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from learners.errors import BadData

Table = Mapping[str, Sequence[Any] | npt.NDArray[Any]]  # column name → values, all of one length
Floats = npt.NDArray[np.float64]
FEW_OF_A_CLASS = 1  # training rows up to which a class cannot be learnt
MANY_COLUMNS = 1000
EMBEDDINGS = "embeddings"
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
    """dataset.json: task, target, classes in their order (None but for a classification), and columns.

    Embeddings have no answers: their target is the text itself, which is learned from.
    """

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
        words = self.task == EMBEDDINGS
        return [c for c in self.columns if c.role in FEATURE_ROLES and (words or c.name != self.target)]


@dataclass(frozen=True)
class Rows:
    """Rows with their answers: `target` holds class numbers, values (regression) or, of embeddings, zeros."""

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


def problem(
    dataset: Dataset, train: Table, validation: Table | None, say: Callable[[str], None] = lambda _: None
) -> Problem:
    """Return the problem; raise BadData if there is nothing to learn from or to tell apart.

    What can be learnt from all the same is told by `say`, a line each that begins with `warning:`.
    """
    rows = rows_of(dataset, train, "train")
    if len(rows) == 0:
        raise BadData(
            "The training split has no rows: upload more labelled rows or lower split.test and split.validation."
        )
    if dataset.task != EMBEDDINGS and len(np.unique(rows.target)) < 2:
        only = dataset.classes[rows.target[0]] if dataset.classes else f"{rows.target[0]:g}"
        raise BadData(
            f"Every one of the {len(rows)} training rows has the same {dataset.target}, {only}: "
            "upload rows with other values."
        )
    for warning in doubts(dataset, rows):
        say(f"warning: {warning}")
    checked = rows_of(dataset, validation, "validation") if validation is not None else None
    return Problem(dataset, rows, checked if checked is not None and len(checked) else None)


def doubts(dataset: Dataset, rows: Rows) -> Iterator[str]:
    """Yield what is odd about training rows that can be learnt from all the same."""
    if dataset.classes is not None:
        yield from _rare(dataset, rows, dataset.classes)
        yield from _same_but_for_case(dataset)
    if len(dataset.features) >= MANY_COLUMNS:
        yield f"{len(dataset.features)} columns to learn from: give those that say nothing the type ignore"
    for column in dataset.features:
        yield from _cells(column, rows)


def _rare(dataset: Dataset, rows: Rows, classes: Sequence[str]) -> Iterator[str]:
    counts = np.bincount(rows.target, minlength=len(classes))
    for name, count in zip(classes, counts.tolist(), strict=True):
        if count <= FEW_OF_A_CLASS:
            told = "no training row: it will never be answered" if not count else f"{count} training row(s)"
            yield f"class {name!r} of {dataset.target} has {told}; upload more of it"


def _cells(column: Column, rows: Rows) -> Iterator[str]:
    values = rows.columns.get(column.name)
    if values is None:
        return
    if column.role == "number" and isinstance(values, np.ndarray) and values.dtype.kind == "f":
        if endless := int(np.isinf(values).sum()):
            yield f"{column.name} is infinite in {endless} training row(s): taken for missing"
    elif column.role == "text":
        empty = sum(not (isinstance(value, str) and value.strip()) for value in values)
        if empty:
            yield f"{column.name} is empty in {empty} of {len(rows)} training rows"


def _same_but_for_case(dataset: Dataset) -> Iterator[str]:
    spelt: dict[str, list[str]] = {}
    for name in dataset.classes or ():
        spelt.setdefault(name.strip().casefold(), []).append(name)
    for names in spelt.values():
        if len(names) > 1:
            yield (
                f"the classes {names} of {dataset.target} differ by case or spaces only and are learnt as different: "
                "list the right ones as labels and set ignore_case on the label column"
            )


def rows_of(dataset: Dataset, table: Table, split: str) -> Rows:
    """Return a split's rows with their answers; raise BadData if an answer is missing or not a class."""
    if dataset.target not in table:
        raise BadData(
            f"The {split} split has no column {dataset.target!r}, the target: check the project's columns."
        )
    values = table[dataset.target]
    if dataset.task == EMBEDDINGS:
        return Rows(table, np.zeros(len(values), dtype=np.int64))
    if len(values) and all(value is None or value != value for value in values):  # noqa: PLR0124 - NaN equals nothing
        raise BadData(
            f"The {split} split has no {dataset.target} at all: every label is missing. Upload rows that have one."
        )
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
