"""Metrics in plain numpy (importing scikit-learn costs a second a job); the tests compare each with scikit-learn's.

Scores are (n, k) probabilities in class order and answers are class numbers; regression has (n,) of each.
A metric that is not defined on these rows (AUC with one class present, R² of a constant) is left out, not made up.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
LOWER_IS_BETTER = frozenset({"log_loss", "cost", "rmse", "mae"})


@dataclass(frozen=True)
class Costs:
    """What a row costs by what was said of it and what it is: false and true positives and negatives."""

    fp: float
    fn: float
    tp: float = 0.0
    tn: float = 0.0

    def of(self, positive: Array, said: Array) -> Array:
        """Return the cost of each row; both arguments are true where the row is, or is said to be, positive."""
        return np.where(positive, np.where(said, self.tp, self.fn), np.where(said, self.fp, self.tn))


@dataclass(frozen=True)
class Rule:
    """How two classes are judged: which is the positive one, from which score on a row is called it (None: whichever
    class is likelier), at most which share of the negatives may be called it, and what mistakes cost.
    """

    positive: int = 1
    cutoff: float | None = None
    max_fpr: float = 0.05
    costs: Costs | None = None


PLAIN = Rule()


def labels(scores: Array, rule: Rule = PLAIN) -> Array:
    """Return the class each row is given: the likeliest or, of two classes with a cutoff, by the cutoff."""
    if scores.shape[1] != 2 or rule.cutoff is None:
        likeliest: Array = scores.argmax(axis=1)
        return likeliest
    return np.where(scores[:, rule.positive] >= rule.cutoff, rule.positive, 1 - rule.positive)


def classification(answers: Array, scores: Array, rule: Rule = PLAIN) -> dict[str, float]:
    """Return accuracy, macro_f1, auc (of more than two classes: one against the rest, mean) and log_loss.

    Of two classes also f1, pr_auc and tpr_at_fpr of the positive one and, if the rule knows costs, the cost of a row.
    """
    predicted = labels(scores, rule)
    named = {
        "accuracy": float(np.mean(predicted == answers)),
        "macro_f1": macro_f1(confusion(answers, predicted, scores.shape[1])),
        "auc": auc(answers, scores),
        "log_loss": log_loss(answers, scores),
    }
    if scores.shape[1] == 2:
        named |= _binary(answers == rule.positive, predicted == rule.positive, scores[:, rule.positive], rule)
    return {name: value for name, value in named.items() if value is not None}


def _binary(positive: Array, said: Array, score: Array, rule: Rule) -> dict[str, float | None]:
    return {
        "f1": f1(positive, said),
        "pr_auc": pr_auc(positive, score),
        "tpr_at_fpr": tpr_at_fpr(positive, score, rule.max_fpr),
        "cost": None if rule.costs is None else float(np.mean(rule.costs.of(positive, said))),
    }


def f1(positive: Array, said: Array) -> float | None:
    """Return the harmonic mean of precision and recall; None where nothing is positive nor said to be."""
    whole = int(positive.sum()) + int(said.sum())
    return float(2 * np.sum(positive & said) / whole) if whole else None


def pr_auc(positive: Array, score: Array) -> float | None:
    """Return the average precision: the mean precision over the positives found; None if there is none."""
    if not positive.any():
        return None
    hits, misses = _cumulative(positive, score)
    return float(np.sum(np.diff(hits, prepend=0) * hits / (hits + misses)) / hits[-1])


def tpr_at_fpr(positive: Array, score: Array, most: float) -> float | None:
    """Return the largest share of positives found by any cutoff that calls at most `most` of the negatives one.

    Nothing is interpolated: it is a cutoff one can set. None if one side is empty.
    """
    hits, misses = _cumulative(positive, score)
    if not hits[-1] or not misses[-1]:
        return None
    allowed = hits[misses <= most * misses[-1]]
    return float(allowed.max(initial=0) / hits[-1])


def regression(answers: Array, values: Array) -> dict[str, float]:
    """Return rmse, mae and r2."""
    named = {
        "rmse": float(np.sqrt(np.mean((answers - values) ** 2))),
        "mae": float(np.mean(np.abs(answers - values))),
        "r2": r2(answers, values),
    }
    return {name: value for name, value in named.items() if value is not None}


def confusion(answers: Array, predicted: Array, classes: int) -> Array:
    """Return the (classes, classes) counts: rows actual, columns predicted."""
    return np.bincount(answers * classes + predicted, minlength=classes**2).reshape(classes, classes)


def per_class(matrix: Array) -> list[dict[str, float]]:
    """Return precision, recall, f1 and support of each class; 0 where nothing was predicted or present."""
    hits, predicted, actual = np.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1)
    rows = []
    for hit, said, true in zip(hits, predicted, actual, strict=True):
        rows.append(
            {
                "precision": float(hit / said) if said else 0.0,
                "recall": float(hit / true) if true else 0.0,
                "f1": float(2 * hit / (said + true)) if said + true else 0.0,
                "support": int(true),
            }
        )
    return rows


def macro_f1(matrix: Array) -> float:
    """Return the mean F1 of the classes present in answers or predictions, as scikit-learn does."""
    present = (matrix.sum(axis=0) + matrix.sum(axis=1)) > 0
    return float(np.mean([row["f1"] for row, here in zip(per_class(matrix), present, strict=True) if here]))


def auc(answers: Array, scores: Array) -> float | None:
    """Return the area under ROC; of several classes the mean over those both present and absent somewhere."""
    if scores.shape[1] == 2:
        return binary_auc(answers == 1, scores[:, 1])
    areas = [binary_auc(answers == k, scores[:, k]) for k in range(scores.shape[1])]
    known = [area for area in areas if area is not None]
    return float(np.mean(known)) if known else None


def binary_auc(positive: Array, score: Array) -> float | None:
    """Return the chance that a positive scores above a negative, ties counting half; None if one side is empty."""
    n1 = int(positive.sum())
    n0 = len(positive) - n1
    if not n1 or not n0:
        return None
    order = ranks(score)
    return float((order[positive].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


def log_loss(answers: Array, scores: Array) -> float:
    """Return the mean negative log of the probability given to the answer, clipped as scikit-learn does."""
    tiny = np.finfo(np.float64).eps
    chosen = np.clip(scores[np.arange(len(answers)), answers], tiny, 1 - tiny)
    return float(-np.mean(np.log(chosen)))


def r2(answers: Array, values: Array) -> float | None:
    """Return the share of the variance explained; None if the answers do not vary."""
    total = float(np.sum((answers - answers.mean()) ** 2))
    return float(1 - np.sum((answers - values) ** 2) / total) if total > 0 else None


def roc(positive: Array, score: Array) -> tuple[Array, Array]:
    """Return (false positive rate, true positive rate) from 0 to 1, one point a distinct score."""
    hits, misses = _cumulative(positive, score)
    return np.r_[0, misses / max(misses[-1], 1)], np.r_[0, hits / max(hits[-1], 1)]


def precision_recall(positive: Array, score: Array) -> tuple[Array, Array]:
    """Return (recall, precision), one point a distinct score."""
    hits, misses = _cumulative(positive, score)
    return hits / max(hits[-1], 1), hits / (hits + misses)


def _cumulative(positive: Array, score: Array) -> tuple[Array, Array]:
    order = np.argsort(-score, kind="stable")
    last = np.r_[np.flatnonzero(np.diff(score[order])), len(score) - 1]
    hits = np.cumsum(positive[order])[last]
    return hits, 1 + last - hits


def ranks(score: Array) -> Array:
    """Return ranks from 1, tied values sharing their mean rank."""
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[inverse]
