"""The scorecard: metrics beside a baseline and the champion, leakage, warnings. Schema: scorecard.schema.json."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from judge import checks, leakage, metrics

Array = npt.NDArray[Any]
MOST_IMPORTANT = 25
_DIGITS = 6


@dataclass(frozen=True)
class Evidence:
    """What is judged. Answers are class numbers or values; scores come from the model; `classes` None: regression."""

    manifest: Mapping[str, Any]
    columns: Sequence[str]  # every column of the data but the target and our own
    train: Mapping[str, Any]
    test: Mapping[str, Any]
    train_answers: Array
    test_answers: Array
    scores: Array
    champion_scores: Array | None
    notes: Sequence[str] = ()  # warnings that came up while gathering

    @property
    def classes(self) -> list[str] | None:
        """Return the classes in their order, None for regression."""
        classes: list[str] | None = self.manifest["classes"]
        return classes

    @property
    def features(self) -> list[str]:
        """Return the columns the model looks at."""
        return [feature["name"] for feature in self.manifest["schema"]]


def scorecard(evidence: Evidence, project: str, run: str) -> dict[str, Any]:
    """Return the scorecard as JSON, without the names of plots, which are not drawn yet."""
    found = _leakage(evidence)
    model, baseline = _measure(evidence, evidence.scores), _measure(evidence, _baseline_scores(evidence))
    champion = evidence.champion_scores
    target = evidence.manifest["target"]
    return {
        "project": project or evidence.manifest["project"],
        "run": run or evidence.manifest["run"],
        "learner": evidence.manifest["learner"],
        "task": evidence.manifest["task"],
        "rows": {"train": len(evidence.train_answers), "test": len(evidence.test_answers)},
        "target": target,
        "classes": evidence.classes,
        "metrics": _rounded(model),
        "baseline": {"name": "majority class" if evidence.classes else "mean", "metrics": _rounded(baseline)},
        "champion": None if champion is None else {"metrics": _rounded(_measure(evidence, champion))},
        "per_class": _per_class(evidence),
        "confusion_matrix": _confusion(evidence).tolist() if evidence.classes else None,
        "importance": list(evidence.manifest["importance"][:MOST_IMPORTANT]),
        "leakage": [
            {
                "column": f.column,
                "alone": None if f.alone is None else round(f.alone, _DIGITS),
                "used": f.used,
                "flagged": f.flagged,
                "verdict": f.verdict(target),
            }
            for f in found
        ],
        "warnings": [*_warnings(evidence, found, model, baseline), *evidence.notes],
        "plots": [],
    }


def _measure(evidence: Evidence, scores: Array) -> dict[str, float]:
    if evidence.classes is None:
        return metrics.regression(evidence.test_answers, scores)
    return metrics.classification(evidence.test_answers, scores)


def _baseline_scores(evidence: Evidence) -> Array:
    """Return what an answer that looks at nothing says: the classes' shares, or the mean, of the training rows."""
    rows = len(evidence.test_answers)
    if evidence.classes is None:
        return np.full(rows, evidence.train_answers.mean())
    counts = np.bincount(evidence.train_answers, minlength=len(evidence.classes))
    return np.tile(counts / counts.sum(), (rows, 1))


def _confusion(evidence: Evidence) -> Array:
    return metrics.confusion(
        evidence.test_answers, evidence.scores.argmax(axis=1), len(evidence.classes or ())
    )


def _per_class(evidence: Evidence) -> list[dict[str, Any]] | None:
    if evidence.classes is None:
        return None
    rows = metrics.per_class(_confusion(evidence))
    return [{"class": name, **_rounded(row)} for name, row in zip(evidence.classes, rows, strict=True)]


def _leakage(evidence: Evidence) -> list[leakage.Finding]:
    joined = {
        name: _join(evidence.train[name], evidence.test[name])
        for name in evidence.columns
        if name in evidence.train and name in evidence.test
    }
    answers = np.concatenate([evidence.train_answers, evidence.test_answers])
    return leakage.find(joined, answers, len(evidence.classes or ()), evidence.features, list(joined))


def _join(first: Any, second: Any) -> Any:
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return np.concatenate([first, second])
    return [*first, *second]


def _warnings(
    evidence: Evidence,
    found: list[leakage.Finding],
    model: Mapping[str, float],
    baseline: Mapping[str, float],
) -> list[str]:
    target, classes = evidence.manifest["target"], evidence.classes
    warnings = [*checks.leaks(found, target), *checks.no_better(model, baseline)]
    support = {row["class"]: int(row["support"]) for row in _per_class(evidence) or ()}
    warnings += checks.few_rows(len(evidence.test_answers), support)
    if classes:
        counts = np.bincount(evidence.train_answers, minlength=len(classes)).tolist()
        warnings += checks.imbalance(dict(zip(classes, counts, strict=True)))
    names = [name for name in evidence.features if name in evidence.train and name in evidence.test]
    return [*warnings, *checks.duplicates(evidence.train, evidence.test, names, len(evidence.test_answers))]


def _rounded(values: Mapping[str, float]) -> dict[str, float]:
    return {
        name: value if isinstance(value, int) else round(value, _DIGITS) for name, value in values.items()
    }
