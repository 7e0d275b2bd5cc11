"""What a reader of a scorecard must be warned of before believing it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from judge.leakage import Finding
from judge.leakfree import GROUPED_SPLIT, Outcome

Array = npt.NDArray[Any]
FEW_ROWS, FEW_OF_A_CLASS = 100, 10
RARE_SHARE = 0.05
DUPLICATE_SHARE = 0.01


def few_rows(rows: int, support: Mapping[str, int]) -> Iterator[str]:
    """Warn when the figures rest on few test rows, in all or of a class."""
    if rows < FEW_ROWS:
        yield f"Only {rows} test rows: every figure here may be off by several points. Upload more or raise split.test."
    few = [f"{name} ({count})" for name, count in support.items() if count < FEW_OF_A_CLASS]
    if few:
        yield f"Fewer than {FEW_OF_A_CLASS} test rows of: {', '.join(few)}. Their figures say little."


def imbalance(counts: Mapping[str, int]) -> Iterator[str]:
    """Warn when a class is so rare in training that accuracy hides it."""
    total = sum(counts.values())
    rare = [f"{name} ({count / total:.1%})" for name, count in counts.items() if count < RARE_SHARE * total]
    if rare:
        yield f"Rare in training: {', '.join(rare)}. Accuracy hides them; judge by macro_f1 and the table by class."


def duplicates(
    train: Mapping[str, Any], test: Mapping[str, Any], names: Sequence[str], rows: int
) -> Iterator[str]:
    """Warn when test rows have the very features of a training row: the model may remember, not know."""
    seen = set(_contents(train, names))
    again = sum(content in seen for content in _contents(test, names))
    if rows and again / rows >= DUPLICATE_SHARE:
        yield (
            f"{again} of {rows} test rows ({again / rows:.1%}) have the same features as a training row. "
            "The figures may flatter; a split by group keeps such rows together."
        )


def leaks(findings: Sequence[Finding], target: str) -> Iterator[str]:
    """Warn of every used column that nearly gives the answer away."""
    for finding in findings:
        if finding.used and finding.flagged:
            yield f"{finding.column}: {finding.verdict(target)}."


def no_better(metrics: Mapping[str, float], baseline: Mapping[str, float]) -> Iterator[str]:
    """Warn when the model is no better than an answer that looks at nothing."""
    name, sign = ("rmse", -1) if "rmse" in metrics else ("macro_f1", 1)
    if sign * metrics[name] <= sign * baseline[name]:
        yield f"No better than the baseline by {name}: {metrics[name]:.4g} against {baseline[name]:.4g}."


def constant(scores: Array) -> Iterator[str]:
    """Warn when every row gets the same scores: the model has learned nothing, or reads nothing."""
    if len(scores) > 1 and np.ptp(scores, axis=0).max() == 0:
        yield "Every test row gets the same scores: the model looks at nothing."


def cutoff(used: float | None) -> Iterator[str]:
    """Warn when the labels here are not those the endpoint gives: a model is shipped without a cutoff."""
    if used is not None and used != 0.5:
        yield (
            f"The labels here are by the cutoff {used:g}. The endpoint's `prediction` is the likelier class: apply the "
            "cutoff to its `probabilities`."
        )


def kin(found: Outcome) -> Iterator[str]:
    """Warn when test rows have kin among those learned from, and what is judged by instead."""
    if found.protocol != GROUPED_SPLIT:
        advice = f" Split by {found.kin.by}." if not found.kin.by.startswith("nearly") else ""
        yield f"{found.note} The figures of all test rows flatter; the gate does not use them.{advice}"


def _contents(columns: Mapping[str, Any], names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    lists = [
        columns[name].tolist() if isinstance(columns[name], np.ndarray) else columns[name] for name in names
    ]
    for values in zip(*lists, strict=True):
        yield tuple(None if value != value else value for value in values)  # noqa: PLR0124 - a NaN equals nothing
