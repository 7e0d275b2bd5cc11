"""The scorecard: figures beside a baseline and the champion, leakage, warnings. Schema: scorecard.schema.json."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from judge import (
    calibration,
    checks,
    figures,
    leakage,
    leakfree,
    metrics,
    mistakes,
    resample,
    slices,
    thresholds,
)
from judge.figures import Sample, rounded
from judge.leakfree import Outcome
from judge.rules import Rules

Array = npt.NDArray[Any]
MOST_IMPORTANT = 25
CROSSTABS = (0.5, 0.3)  # cutoffs that are always shown
_DIGITS = figures.DIGITS


@dataclass(frozen=True)
class Evidence:
    """What is judged. Answers are class numbers or values; scores come from the model; `classes` None: regression."""

    manifest: Mapping[str, Any]
    columns: Sequence[str]  # every column of the data but the target and our own
    categories: Sequence[str]  # those that are categories
    train: Mapping[str, Any]
    test: Mapping[str, Any]
    sample: Sample
    rules: Rules
    leak_free: Outcome | None = None
    permutation: Sequence[Mapping[str, Any]] = ()
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

    @property
    def said(self) -> Array:
        """Return the class each test row is given."""
        return metrics.labels(self.sample.scores, self.rules.rule)


def scorecard(evidence: Evidence, project: str, run: str) -> dict[str, Any]:
    """Return the scorecard as JSON, without the names of plots, which are not drawn yet."""
    found = _leakage(evidence)
    judged = figures.document(evidence.sample, evidence.rules)
    target = evidence.manifest["target"]
    return {
        "project": project or evidence.manifest["project"],
        "run": run or evidence.manifest["run"],
        "learner": evidence.manifest["learner"],
        "task": evidence.manifest["task"],
        "rows": {"train": len(evidence.sample.learned), "test": len(evidence.sample.answers)},
        "target": target,
        "classes": evidence.classes,
        **judged,
        "leak_free": leakfree.document(evidence.leak_free, evidence.rules),
        "settings": _settings(evidence),
        "per_class": _per_class(evidence),
        "confusion_matrix": _confusion(evidence).tolist() if evidence.classes else None,
        **_of_scores(evidence),
        "slices": _slices(evidence),
        "mistakes": _mistakes(evidence),
        "importance": list(evidence.manifest["importance"][:MOST_IMPORTANT]),
        "permutation": [_rounded_row(row) for row in evidence.permutation],
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
        "warnings": [*_warnings(evidence, found, judged), *evidence.notes],
        "plots": [],
    }


def _settings(evidence: Evidence) -> dict[str, Any]:
    """What the figures were made by: the spec's wishes with every default filled in."""
    rules, classes = evidence.rules, evidence.classes
    two, costs = classes is not None and len(classes) == 2, rules.rule.costs
    return {
        "metric": rules.metric,
        "gate": dict(rules.gate),
        "problem": dict(rules.problem),
        "positive": classes[rules.rule.positive] if classes is not None and two else None,
        "cutoff": rules.rule.cutoff if two else None,
        "chosen": rules.cutoff if isinstance(rules.cutoff, str) and two else None,
        "max_fpr": rules.rule.max_fpr if two else None,
        "costs": None
        if costs is None or not two
        else {name: getattr(costs, name) for name in ("fp", "fn", "tp", "tn")},
        "confidence": rules.confidence,
        "bootstrap": resample.times(rules.bootstrap, len(evidence.sample.answers)),
    }


def _of_scores(evidence: Evidence) -> dict[str, Any]:
    """What only probabilities have: calibration, histogram; of two classes also threshold table and crosstabs."""
    sample, rule = evidence.sample, evidence.rules.rule
    if not sample.classes:
        return {"calibration": None, "histogram": None, "thresholds": None, "operating_points": None}
    told = calibration.calibration(sample.answers, sample.scores, rule.positive)
    found = {
        "calibration": {**told, **rounded({name: told[name] for name in ("ece", "brier")}),
                        "bins": [_rounded_row(row) for row in told["bins"]]},
        "histogram": calibration.histogram(sample.answers, sample.scores, rule.positive),
        "thresholds": None,
        "operating_points": None,
    }  # fmt: skip
    if sample.classes == 2:
        found |= _cutoffs(sample.answers == rule.positive, sample.scores[:, rule.positive], evidence.rules)
    return found


def _cutoffs(positive: Array, score: Array, rules: Rules) -> dict[str, Any]:
    rule, rows = rules.rule, thresholds.table(positive, score)
    points = {f"{cutoff:g}": cutoff for cutoff in CROSSTABS}
    if rule.cutoff is not None:
        points["in use"] = rule.cutoff
    if rule.costs is not None:
        points["cheapest"] = thresholds.cheapest(rows, rule.costs)["cutoff"]
    points["best F1"] = thresholds.best_f1(rows)["cutoff"]
    made = thresholds.table(positive, score, points.values())
    return {
        "thresholds": rows,
        "operating_points": [
            {"name": name, **_rounded_row(thresholds.rates(row, rule.costs))}
            for name, row in zip(points, made, strict=True)
        ],
    }


def _slices(evidence: Evidence) -> dict[str, Any]:
    names = evidence.categories if evidence.rules.slices is None else evidence.rules.slices
    sample = evidence.sample
    metric, rows = slices.slices(evidence.test, names, sample.answers, sample.scores, evidence.rules)
    return {"metric": metric, "rows": [_rounded_row(row) for row in rows]}


def _mistakes(evidence: Evidence) -> list[dict[str, Any]]:
    gained = [row["column"] for row in evidence.manifest["importance"] if row["column"] in evidence.features]
    shown = [*gained, *(name for name in evidence.features if name not in gained)]
    sample = evidence.sample
    if evidence.classes is None:
        found = mistakes.of_numbers(evidence.test, shown, sample.answers, sample.scores)
    else:
        found = mistakes.of_classes(
            evidence.test, shown, sample.answers, sample.scores, evidence.said, evidence.classes
        )
    return [_rounded_row(row) for row in found]


def _confusion(evidence: Evidence) -> Array:
    return metrics.confusion(evidence.sample.answers, evidence.said, len(evidence.classes or ()))


def _per_class(evidence: Evidence) -> list[dict[str, Any]] | None:
    if evidence.classes is None:
        return None
    rows = metrics.per_class(_confusion(evidence))
    return [{"class": name, **rounded(row)} for name, row in zip(evidence.classes, rows, strict=True)]


def _leakage(evidence: Evidence) -> list[leakage.Finding]:
    joined = {
        name: _join(evidence.train[name], evidence.test[name])
        for name in evidence.columns
        if name in evidence.train and name in evidence.test
    }
    answers = np.concatenate([evidence.sample.learned, evidence.sample.answers])
    return leakage.find(joined, answers, len(evidence.classes or ()), evidence.features, list(joined))


def _join(first: Any, second: Any) -> Any:
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return np.concatenate([first, second])
    return [*first, *second]


def _warnings(evidence: Evidence, found: list[leakage.Finding], judged: Mapping[str, Any]) -> list[str]:
    target, classes, sample = evidence.manifest["target"], evidence.classes, evidence.sample
    warnings = [
        *checks.leaks(found, target),
        *checks.no_better(judged["metrics"], judged["baseline"]["metrics"]),
    ]
    support = {row["class"]: int(row["support"]) for row in _per_class(evidence) or ()}
    warnings += checks.few_rows(len(sample.answers), support)
    if classes:
        counts = np.bincount(sample.learned, minlength=len(classes)).tolist()
        warnings += checks.imbalance(dict(zip(classes, counts, strict=True)))
        warnings += checks.constant(sample.scores)
        warnings += checks.cutoff(evidence.rules.rule.cutoff if len(classes) == 2 else None)
    if evidence.leak_free is not None:
        return [*warnings, *checks.kin(evidence.leak_free)]
    names = [name for name in evidence.features if name in evidence.train and name in evidence.test]
    return [*warnings, *checks.duplicates(evidence.train, evidence.test, names, len(sample.answers))]


def _rounded_row(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: round(value, _DIGITS) if isinstance(value, float) else value for name, value in row.items()}
