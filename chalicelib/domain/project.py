"""A project: what its columns mean, how rows are split, which learner, and what a model must prove."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.errors import Fault

Spec = Mapping[str, Any]

NAME = re.compile(r"^[a-z][a-z0-9-]{0,22}[a-z0-9]$")
METRICS = {
    "classification": ("macro_f1", "accuracy", "auc", "log_loss"),
    "regression": ("rmse", "mae", "r2"),
}
LOWER_IS_BETTER = frozenset({"log_loss", "rmse", "mae"})
_DEFAULT_METRIC = {"classification": "macro_f1", "regression": "rmse"}
_SPLIT = {"method": "hash", "test": 0.2, "validation": 0.1, "seed": 42, "group": None}
_GATE = {"beat_baseline": True, "beat_champion": True}
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


def complete(spec: Spec) -> dict[str, Any]:
    """The spec with every default written out, so that a run's copy says all that was done."""
    task = spec["task"]
    split = {**_SPLIT, **spec.get("split", {})}
    split.setdefault("stratify", task == "classification" and split["method"] == "hash")
    learner = {
        "name": "text_forest" if columns_of(spec, "text") else "gradient_boosting",
        **spec.get("learner", {}),
    }
    learner.setdefault("hyperparameters", {})
    return {
        **spec,
        "sources": spec.get("sources") or {"data": {"path": "**"}},
        "columns": {name: column(value) for name, value in spec["columns"].items()},
        "min_rows": spec.get("min_rows", 20),
        "split": split,
        "learner": learner,
        "gate": {"metric": _DEFAULT_METRIC[task], **_GATE, **spec.get("gate", {})},
        "release": {**_RELEASE, **spec.get("release", {})},
    }


def faults(spec: Spec, *, name: str) -> list[Fault]:
    """Everything a schema cannot say that is wrong with a spec of the right shape; empty when it is sound."""
    found = [*_name(spec, name), *_columns(spec), *_split(spec), *_learner(spec), *_gate(spec)]
    return [Fault(where, problem) for where, problem in found]


def _name(spec: Spec, name: str) -> Iterator[tuple[str, str]]:
    if spec["project"] != name:
        yield "project", f"is {spec['project']!r}, but the address says {name!r}"


def _columns(spec: Spec) -> Iterator[tuple[str, str]]:
    labels = columns_of(spec, "label")
    if len(labels) != 1:
        yield (
            "columns",
            f"exactly one column must have type label; these have it: {', '.join(labels) or 'none'}",
        )
    for name, value in spec["columns"].items():
        meaning = column(value)
        if "format" in meaning and meaning["type"] != "date":
            yield f"columns.{name}.format", f"only a date has a format, and this is a {meaning['type']}"
        if "above" in meaning and (meaning["type"] != "label" or spec["task"] != "classification"):
            yield f"columns.{name}.above", "only the label of a classification can be cut at a number"
    if "labels" in spec and spec["task"] != "classification":
        yield "labels", "only a classification has classes; leave it out"


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
    if spec["task"] == "regression" and split.get("stratify"):
        yield "split.stratify", "a number has no classes to keep in proportion; leave it out"


def _learner(spec: Spec) -> Iterator[tuple[str, str]]:
    if spec.get("learner", {}).get("name") == "text_forest":
        if not columns_of(spec, "text"):
            yield "learner.name", "text_forest learns from text, and no column has type text"
        if spec["task"] != "classification":
            yield "learner.name", "text_forest only classifies; use gradient_boosting for a regression"
    usable = [kind for kind in ("number", "category", "date", "text") if columns_of(spec, kind)]
    if not usable:
        yield "columns", "nothing to learn from: name a column of type number, category, date or text"


def _gate(spec: Spec) -> Iterator[tuple[str, str]]:
    gate, task = spec.get("gate", {}), spec["task"]
    metric = gate.get("metric", _DEFAULT_METRIC[task])
    if metric not in METRICS[task]:
        yield "gate.metric", f"{metric} does not judge a {task}; use one of {', '.join(METRICS[task])}"
    if metric in LOWER_IS_BETTER and "at_least" in gate:
        yield "gate.at_least", f"lower is better for {metric}: use at_most"
    if metric not in LOWER_IS_BETTER and "at_most" in gate:
        yield "gate.at_most", f"higher is better for {metric}: use at_least"
