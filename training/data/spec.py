"""The project spec as Prepare needs it: typed, with every default filled in.

The document was checked against `statemachine/contracts/project.schema.json` when it was stored, so this only reads it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
    trim: bool = True
    ignore_case: bool = False
    minimum: float | str | None = None
    maximum: float | str | None = None
    pattern: str | None = None


@dataclass(frozen=True)
class SourceRule:
    """Which files are one source's (`path`, below drop/<project>/), and what their rows do (`kind`)."""

    name: str
    path: str
    kind: str = "upserts"
    join_on: tuple[str, ...] = ()
    format: str = "auto"
    header: bool = True


@dataclass(frozen=True)
class VersionBy:
    """The column whose date says which row of a key is the newest; no format: ISO 8601."""

    column: str
    format: str | None = None


@dataclass(frozen=True)
class Drift:
    """What becomes of a file whose columns differ from the spec's."""

    added: str = "accept"
    missing: str = "refuse"
    retyped: str = "quarantine"
    renamed: str = "refuse"


@dataclass(frozen=True)
class Leaks:
    """What becomes of a dataset whose sides are not independent; `group` None: that of the split."""

    action: str = "warn"
    group: str | None = None
    near_duplicates: bool = True


@dataclass(frozen=True)
class Limits:
    """What one file may hold; None is no limit of its own."""

    max_object_mb: int | None = None
    max_unpacked_mb: int | None = None
    max_rows: int | None = None
    max_columns: int | None = None


ALL_FILES = SourceRule("data", "**")


@dataclass(frozen=True)
class Split:
    """How labelled rows are dealt out; `group` names the column whose rows stay together (method hash), `by` the date
    they are ordered by (method time), `cuts` when a side starts (side and moment) instead of by its share.
    """

    method: str
    test: float
    validation: float
    seed: int
    group: str | None
    by: str | None = None
    cuts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Spec:
    """A project: its columns in the order of the document, exactly one of them the label (of embeddings: none)."""

    project: str
    task: str
    columns: tuple[Column, ...]
    labels: tuple[str, ...]
    min_rows: int
    split: Split
    sources: tuple[SourceRule, ...] = (ALL_FILES,)
    key: tuple[str, ...] = ()
    version_by: VersionBy | None = None
    drop_duplicates: bool = False
    drift: Drift = Drift()
    leaks: Leaks = Leaks()
    limits: Limits = Limits()

    @property
    def label(self) -> Column:
        """The column to be predicted. Of embeddings it is the text itself: a row without it is of no use either."""
        role = "text" if self.embeddings else "label"
        return next(column for column in self.columns if column.role == role)

    @property
    def embeddings(self) -> bool:
        """Whether nothing is to be predicted: words are learned from texts."""
        return self.task == "embeddings"

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
        BadUpload: not exactly one column is the label (of embeddings: a text), so there is nothing to predict.
    """
    columns = tuple(_column(name, value) for name, value in document["columns"].items())
    what = "text" if document["task"] == "embeddings" else "label"
    labels = [column.name for column in columns if column.role == what]
    if len(labels) != 1:
        raise BadUpload(
            f"project spec, columns: exactly one must be the {what}, these are: {labels or 'none'}"
        )
    key, version_by = _names(document.get("key")), _version_by(document.get("version_by"), columns)
    identity = {*key, *([version_by.column] if version_by else ())}
    return Spec(
        project=document["project"],
        task=document["task"],
        # A row without its key or its version date is nobody's version.
        columns=tuple(replace(one, required=one.required or one.name in identity) for one in columns),
        labels=_labels(document.get("labels") or (), columns),
        min_rows=int(document.get("min_rows", 20)),
        split=_split(document.get("split") or {}, columns),
        sources=_sources(document.get("sources") or {}),
        key=key,
        version_by=version_by,
        drop_duplicates=bool(document.get("drop_duplicates", False)),
        drift=Drift(**(document.get("drift") or {})),
        leaks=Leaks(**(document.get("leaks") or {})),
        limits=Limits(**(document.get("limits") or {})),
    )


def _labels(document: Sequence[Any], columns: Sequence[Column]) -> tuple[str, ...]:
    trim = next((column.trim for column in columns if column.role == "label"), True)
    return tuple(str(label).strip() if trim else str(label) for label in document)


def _names(value: str | Sequence[str] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value or ())


def _sources(document: Mapping[str, Mapping[str, Any]]) -> tuple[SourceRule, ...]:
    return tuple(_source(name, one) for name, one in document.items()) or (ALL_FILES,)


def _source(name: str, document: Mapping[str, Any]) -> SourceRule:
    return SourceRule(
        name=name,
        path=document["path"],
        kind=document.get("kind") or ("deletes" if name == "deletes" else "upserts"),
        join_on=_names(document.get("join_on")),
        format=document.get("format", "auto"),
        header=bool(document.get("header", True)),
    )


def _version_by(document: Mapping[str, Any] | None, columns: tuple[Column, ...]) -> VersionBy | None:
    if not document:
        return None
    own = next((column.format for column in columns if column.name == document["column"]), None)
    return VersionBy(document["column"], document.get("format") or own)


def _column(name: str, value: str | Mapping[str, Any]) -> Column:
    meaning: Mapping[str, Any] = {"type": value} if isinstance(value, str) else value
    return Column(
        name=name,
        role=meaning["type"],
        format=meaning.get("format"),
        null_values=tuple(str(text).strip() for text in meaning.get("null_values") or ()),
        required=bool(meaning.get("required", False)),
        above=_number(meaning.get("above")),
        trim=bool(meaning.get("trim", True)),
        ignore_case=bool(meaning.get("ignore_case", False)),
        minimum=_bound(meaning.get("minimum")),
        maximum=_bound(meaning.get("maximum")),
        pattern=meaning.get("pattern"),
    )


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)


def _bound(value: float | str | None) -> float | str | None:
    """A number, or a date as text."""
    return value if isinstance(value, str) else _number(value)


def _split(document: Mapping[str, Any], columns: tuple[Column, ...]) -> Split:
    groups = [column.name for column in columns if column.role == "group"]
    return Split(
        method=document.get("method", "hash"),
        test=float(document.get("test", 0.2)),
        validation=float(document.get("validation", 0.1)),
        seed=int(document.get("seed", 42)),
        # A column of type group has no other purpose, so a single one needs no second mention.
        group=document.get("group") or (groups[0] if len(groups) == 1 else None),
        by=document.get("by"),
        cuts=tuple(sorted((document.get("cuts") or {}).items())),
    )
