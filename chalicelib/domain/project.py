"""A project: what its columns mean, how rows are split, which learner, and what a model must prove."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from chalicelib.domain import judging
from chalicelib.errors import Fault

Spec = Mapping[str, Any]

NAME = re.compile(r"^[a-z][a-z0-9-]{0,22}[a-z0-9]$")
RESERVED = re.compile(
    "(?i)^_(row|plain|source|number|problem|text|side|faults|record|marks|digest|position|coerced"
    "|replayed_number|(given|value)_[0-9]+|merge_.*)$"
)
"""Names that the rows of a dataset have besides their columns, while they are made or afterwards."""
METRICS, LOWER_IS_BETTER = judging.METRICS, judging.LOWER_IS_BETTER
EMBEDDINGS, WORD_VECTORS = "embeddings", "word_vectors"
_BESIDE_TEXT = frozenset({"id", "group", "date", "ignore"})
"""Columns that texts to learn words from may have beside them."""
_SPLIT = {"method": "hash", "test": 0.2, "validation": 0.1, "seed": 42, "group": None}
_DRIFT = {"added": "accept", "missing": "refuse", "retyped": "quarantine", "renamed": "refuse"}
_LEAKS = {"action": "warn", "group": None, "near_duplicates": True}
_GATE = {"beat_baseline": True, "beat_champion": True}
_TUNE = {"strategy": "Bayesian", "max_jobs": 10, "parallel": 2, "warm_start": True, "early_stopping": False}
_AUTO = {"minutes": 60, "usd": 5}
_RELEASE = {"mode": "realtime", "instance": "ml.m5.large", "approval": "automatic"}


def name_fault(name: str) -> str | None:
    """Why this cannot name a project, or None. Names go into keys, job names and endpoint names."""
    if not NAME.match(name) or "--" in name:
        return "use 2 to 24 lower-case letters, digits and single hyphens, a letter first, no hyphen last"
    return None


def column(value: Any) -> dict[str, Any]:
    """A column's meaning as a mapping; `columns: {age: number}` is short for `{age: {type: number}}`."""
    return {"type": value} if isinstance(value, str) else dict(value)


def columns_of(spec: Spec, kind: str) -> list[str]:
    """Names of the columns of one type, in the order of the spec."""
    return [name for name, value in spec["columns"].items() if column(value)["type"] == kind]


def key(spec: Spec) -> list[str]:
    """The columns that say which rows are versions of one thing; none when every row is its own."""
    named = spec.get("key") or []
    return [named] if isinstance(named, str) else list(named)


def sources(spec: Spec) -> dict[str, dict[str, Any]]:
    """What the files are, each source with its kind: one source of all files when the spec names none."""
    named = spec.get("sources") or {"data": {"path": "**"}}
    return {
        name: {"kind": _kind(name), "format": "auto", "header": True, **one} for name, one in named.items()
    }


def _kind(name: str) -> str:
    return "deletes" if name == "deletes" else "upserts"


def schedules(spec: Spec) -> dict[str, str]:
    """When runs are due besides when files come, by kind: prepare (only if files wait) and retrain (always)."""
    named = {
        "prepare": spec.get("schedule", {}).get("prepare"),
        "retrain": spec.get("retrain", {}).get("schedule"),
    }
    return {kind: expression for kind, expression in named.items() if expression}


def complete(spec: Spec) -> dict[str, Any]:
    """The spec with every default written out, so that a run's copy says all that was done."""
    task = spec["task"]
    split = {**_SPLIT, **spec.get("split", {})}
    split.setdefault("stratify", task == "classification" and split["method"] == "hash")
    learner = {"name": _usual_learner(spec), **spec.get("learner", {})}
    learner.setdefault("hyperparameters", {})
    return {
        **spec,
        "sources": sources(spec),
        **({"key": key(spec)} if "key" in spec else {}),
        "columns": {name: column(value) for name, value in spec["columns"].items()},
        "min_rows": spec.get("min_rows", 20),
        "split": split,
        "drift": {**_DRIFT, **spec.get("drift", {})},
        "leaks": {**_LEAKS, **spec.get("leaks", {})},
        "learner": learner,
        **({"tune": {**_TUNE, **spec["tune"]}} if "tune" in spec else {}),
        **({"auto": {**_AUTO, **spec.get("auto", {})}} if learner["name"] == "auto" else {}),
        "retrain": {"warm_start": False, **spec.get("retrain", {})},
        "evaluate": judging.complete(spec),
        "gate": {"metric": judging.DEFAULT_METRIC[task], **_GATE, **spec.get("gate", {})},
        "release": {**_RELEASE, **spec.get("release", {})},
        "notices": spec.get("notices", "all"),
    }


def _usual_learner(spec: Spec) -> str:
    """Who learns when the spec names nobody."""
    if spec["task"] == EMBEDDINGS:
        return WORD_VECTORS
    text = spec["task"] == "classification" and columns_of(spec, "text")
    return "text_linear" if text else "gradient_boosting"


def faults(spec: Spec, *, name: str) -> list[Fault]:
    """Everything a schema cannot say that is wrong with a spec of the right shape; empty when it is sound."""
    rules = (_columns, _sources, _versions, _split, _leaks, _learner, _code, judging.faults)
    found = [*_name(spec, name), *(fault for rule in rules for fault in rule(spec))]
    return [Fault(where, problem) for where, problem in found]


def _name(spec: Spec, name: str) -> Iterator[tuple[str, str]]:
    if spec["project"] != name:
        yield "project", f"is {spec['project']!r}, but the address says {name!r}"


def _columns(spec: Spec) -> Iterator[tuple[str, str]]:
    labels = columns_of(spec, "label")
    if spec["task"] == EMBEDDINGS:
        yield from _of_words(spec)
    elif len(labels) != 1:
        yield (
            "columns",
            f"exactly one column must have type label; these have it: {', '.join(labels) or 'none'}",
        )
    if spec["task"] != EMBEDDINGS and len(spec["columns"]) == 1:
        yield "columns", "there is nothing to learn from; name a column besides the label"
    yield from _called(spec["columns"])
    for name, value in spec["columns"].items():
        yield from _column(name, column(value), spec)
    if "labels" in spec and spec["task"] != "classification":
        yield "labels", "only a classification has classes; leave it out"


def _called(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """What cannot be a column's name: Prepare's own, and one that SQL takes for another."""
    spelt: dict[str, str] = {}
    for name in names:
        same = spelt.setdefault(name.strip().casefold(), name)
        if RESERVED.match(name.strip()):
            yield (
                f"columns.{name}",
                "is a name Prepare needs for itself; give the column another one in the files",
            )
        if same != name:
            yield f"columns.{name}", f"is {same!r} but for capitals; name one of them"


def _of_words(spec: Spec) -> Iterator[tuple[str, str]]:
    texts = columns_of(spec, "text")
    if len(texts) != 1:
        yield (
            "columns",
            f"embeddings are learnt from exactly one column of type text; these are: {', '.join(texts) or 'none'}",
        )
    for name, value in spec["columns"].items():
        kind = column(value)["type"]
        if kind not in _BESIDE_TEXT and kind != "text":
            yield f"columns.{name}", f"embeddings have no {kind}; give it the type ignore"


def _column(name: str, meaning: Mapping[str, Any], spec: Spec) -> Iterator[tuple[str, str]]:
    kind = meaning["type"]
    if "format" in meaning and kind != "date":
        yield f"columns.{name}.format", f"only a date has a format, and this is a {kind}"
    if "above" in meaning and (kind != "label" or spec["task"] != "classification"):
        yield f"columns.{name}.above", "only the label of a classification can be cut at a number"
    for rule in ("trim", "ignore_case"):
        if rule in meaning and kind != "label":
            yield f"columns.{name}.{rule}", f"is a rule for the label, and this is a {kind}"
    yield from _values(name, meaning)


def _values(name: str, meaning: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    kind, sound = meaning["type"], True
    for rule in ("minimum", "maximum"):
        problem = _bound(kind, meaning[rule]) if rule in meaning else None
        if problem:
            sound = False
            yield f"columns.{name}.{rule}", problem
    if sound and "minimum" in meaning and "maximum" in meaning and meaning["minimum"] > meaning["maximum"]:
        yield f"columns.{name}.minimum", "is above maximum: no value would be good"
    problem = _pattern(meaning.get("pattern", ""))
    if problem:
        yield f"columns.{name}.pattern", f"{meaning['pattern']!r} {problem}"


def _bound(kind: str, bound: float | str) -> str | None:
    """What is wrong with a minimum or maximum."""
    if kind == "date":
        return None if _is_moment(bound) else f'{bound!r} is no date; write it as "2022-03-21", with quotes'
    if kind not in {"number", "label"}:
        return f"only a number or a date has a range, and this is a {kind}"
    return None if isinstance(bound, (int, float)) else f"{bound!r} is no number"


def _is_moment(bound: float | str) -> bool:
    try:
        return datetime.fromisoformat(str(bound)).year > 0 and isinstance(bound, str) and "-" in bound
    except ValueError:
        return False


def _pattern(pattern: str) -> str | None:
    """What is wrong with a regular expression: the engines of Prepare know less than Python's."""
    try:
        re.compile(pattern)
    except re.error:
        return "is no regular expression"
    plain = re.sub(r"\[\^?\]?[^\]]*\]", "x", re.sub(r"\\[^1-9]", "x", pattern))
    foreign = re.search(r"\(\?(?![a-zA-Z-]*[:)])|\\[1-9]|[*+?}]\+", plain)
    return f"uses {foreign[0]!r}, which not every engine of Prepare knows" if foreign else None


def _sources(spec: Spec) -> Iterator[tuple[str, str]]:
    named = sources(spec)
    if not any(one["kind"] == "upserts" for one in named.values()):
        yield "sources", "none is of kind upserts, so there would be no rows; name one"
    for name, one in named.items():
        if one["kind"] == "reference" and "join_on" not in one:
            yield f"sources.{name}.join_on", "a reference is joined by columns; name them"
        if one["kind"] != "reference" and "join_on" in one:
            yield f"sources.{name}.join_on", f"only a reference is joined, and this is of kind {one['kind']}"
        if one["kind"] == "deletes" and not key(spec):
            yield (
                f"sources.{name}",
                "what a file of deletes removes is named by its key; name the columns in key",
            )
        absent = [column for column in one.get("join_on", ()) if column not in spec["columns"]]
        if absent:
            yield f"sources.{name}.join_on", f"{', '.join(map(repr, absent))}: not in columns"


def _versions(spec: Spec) -> Iterator[tuple[str, str]]:
    absent = [name for name in key(spec) if name not in spec["columns"]]
    if absent:
        yield "key", f"{', '.join(map(repr, absent))}: not in columns"
    if "version_by" in spec:
        by = spec["version_by"]["column"]
        if by not in spec["columns"]:
            yield "version_by.column", f"{by!r} is not one of the columns"
        if not key(spec):
            yield "version_by", "rows have versions by their key; name its columns in key"
    if spec.get("drop_duplicates") and key(spec):
        yield "drop_duplicates", "with a key, equal rows are versions of one another already; leave it out"


def _leaks(spec: Spec) -> Iterator[tuple[str, str]]:
    group = spec.get("leaks", {}).get("group")
    if group is not None and group not in spec["columns"]:
        yield "leaks.group", f"{group!r} is not one of the columns"


def _split(spec: Spec) -> Iterator[tuple[str, str]]:
    split = {**_SPLIT, **spec.get("split", {})}
    if split["test"] + split["validation"] >= 1:
        yield (
            "split",
            f"test {split['test']} and validation {split['validation']} leave no rows to learn from",
        )
    group = split["group"]
    if group is not None and group not in spec["columns"]:
        yield "split.group", f"{group!r} is not one of the columns"
    if split["method"] == "shuffled" and (group is not None or split.get("stratify")):
        yield "split", "method shuffled keeps neither groups nor classes together; use method hash"
    yield from _by_time(spec, split)
    if spec["task"] == EMBEDDINGS and split.get("stratify"):
        yield "split.stratify", "embeddings have no classes to keep in proportion; leave it out"
    if spec["task"] == "regression" and split.get("stratify"):
        yield "split.stratify", "a number has no classes to keep in proportion; leave it out"


def _by_time(spec: Spec, split: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if split["method"] != "time":
        for word in ("by", "cuts"):
            if word in split:
                yield f"split.{word}", f"only method time has a date to go by, and this is {split['method']}"
        return
    named = spec["columns"].get(split.get("by"))
    if named is None or column(named)["type"] != "date":
        yield "split.by", "method time needs the name of a column of type date"
    if split["group"] is not None or split.get("stratify"):
        yield "split", "method time keeps neither groups nor classes together; use method hash"
    cuts = split.get("cuts") or {}
    if "validation" in cuts and cuts["validation"].replace("T", " ") > cuts["test"].replace("T", " "):
        yield "split.cuts", "the test starts before the validation; the newest rows are the test"


def _code(spec: Spec) -> Iterator[tuple[str, str]]:
    learner = spec.get("learner", {})
    if learner.get("name") == "script" and "source" not in learner:
        yield "learner.source", "script runs your own code: name its archive, like code/sourcedir.tar.gz"
    if learner.get("name") == "curve" and spec["task"] != "regression":
        yield "learner.name", "curve answers with a number; use gradient_boosting for a classification"
    if "source" not in learner:
        return
    if learner.get("name") != "script":
        yield "learner.source", "is the code of learner script; leave it out"
    elif "sources" not in spec:
        yield "learner.source", "would be taken for data: name the data's own path in sources, like data/**"


def _learner(spec: Spec) -> Iterator[tuple[str, str]]:
    name = spec.get("learner", {}).get("name", "")
    if (name or _usual_learner(spec)) != WORD_VECTORS and spec["task"] == EMBEDDINGS:
        yield "learner.name", f"embeddings are learnt by word_vectors, not by {name}; leave it out"
    if name == WORD_VECTORS and spec["task"] != EMBEDDINGS:
        yield "learner.name", f"word_vectors learns embeddings; this is a {spec['task']}"
    if spec["task"] == EMBEDDINGS and "tune" in spec:
        yield "tune", "word vectors are counted once, with nothing to tune by; leave it out"
    if name.startswith("text_"):
        if not columns_of(spec, "text"):
            yield "learner.name", f"{name} learns from text, and no column has type text"
        if spec["task"] == "regression":
            yield "learner.name", f"{name} only classifies; use gradient_boosting for a regression"
    usable = [kind for kind in ("number", "category", "date", "text") if columns_of(spec, kind)]
    if not usable:
        yield "columns", "nothing to learn from: name a column of type number, category, date or text"
