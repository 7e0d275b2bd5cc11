"""Metrics in plain numpy (importing scikit-learn costs a second a job); the tests compare each with scikit-learn's.

Scores are (n, k) probabilities in class order and answers are class numbers; regression has (n,) of each.
A metric that is not defined on these rows (AUC with one class present, R² of a constant) is left out, not made up.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def classification(answers: Array, scores: Array) -> dict[str, float]:
    """Return accuracy, macro_f1, auc (binary: of the second class; else one-vs-rest, macro) and log_loss."""
    predicted = scores.argmax(axis=1)
    named = {
        "accuracy": float(np.mean(predicted == answers)),
        "macro_f1": macro_f1(confusion(answers, predicted, scores.shape[1])),
        "auc": auc(answers, scores),
        "log_loss": log_loss(answers, scores),
    }
    return {name: value for name, value in named.items() if value is not None}


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
    ranks = _ranks(score)
    return float((ranks[positive].sum() - n1 * (n1 + 1) / 2) / (n1 * n0))


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


def _ranks(score: Array) -> Array:
    """Return ranks from 1, tied values sharing their mean rank."""
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[inverse]
