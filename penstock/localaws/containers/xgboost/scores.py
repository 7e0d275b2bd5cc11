"""Evaluation metrics of the image besides XGBoost's own, and which of a job's metrics are which."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

Scorer = Callable[[Any, Any], float]  # (labels, predictions) → score
Evaluation = Callable[[Any, Any], list[tuple[str, float]]]  # (predictions, DMatrix) → names and scores
_OF_CLASSES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "accuracy": ("accuracy_score", {}),
    "balanced_accuracy": ("balanced_accuracy_score", {}),
    "f1": ("f1_score", {"average": "macro"}),
    "f1_binary": ("f1_score", {"average": "binary"}),
    "f1_macro": ("f1_score", {"average": "macro"}),
    "precision": ("precision_score", {}),
    "precision_macro": ("precision_score", {"average": "macro"}),
    "precision_micro": ("precision_score", {"average": "micro"}),
    "recall": ("recall_score", {}),
    "recall_macro": ("recall_score", {"average": "macro"}),
    "recall_micro": ("recall_score", {"average": "micro"}),
}
_OF_VALUES = {
    "mae": "mean_absolute_error",
    "mse": "mean_squared_error",
    "rmse": "root_mean_squared_error",
    "r2": "r2_score",
}
CUSTOM = (*_OF_CLASSES, *_OF_VALUES)


def wanted(eval_metric: Sequence[str] | None, tuned: Sequence[str] | None) -> list[str]:
    """The metrics of a job, those of its tuning job among them; sorted when both ask, so that all hosts agree."""
    if eval_metric and tuned:
        return sorted({*eval_metric, *tuned})
    return list(eval_metric or tuned or [])


def custom(metrics: Sequence[str], objective: str) -> Evaluation | None:
    """What computes those of the metrics that XGBoost does not know itself; None when there is none."""
    chosen = [(name, _scorer(name, objective)) for name in metrics if name in CUSTOM]
    if not chosen:
        return None

    def evaluate(predictions: Any, data: Any) -> list[tuple[str, float]]:
        labels = data.get_label()
        return [(name, float(score(labels, predictions))) for name, score in chosen]

    return evaluate


def _scorer(name: str, objective: str) -> Scorer:
    from sklearn import metrics  # noqa: PLC0415 - heavy, and most jobs do without

    if name in _OF_VALUES:
        return getattr(metrics, _OF_VALUES[name])  # type: ignore[no-any-return]
    function, arguments = _OF_CLASSES[name]
    return partial(_of_classes, partial(getattr(metrics, function), **arguments), objective)


def _of_classes(score: Scorer, objective: str, labels: Any, predictions: Any) -> float:
    return score(labels, classes(predictions, objective)) if predictions.size else 0.0


def classes(predictions: Any, objective: str) -> Any:
    """The predicted classes. XGBoost hands over probabilities, classes or, for logitraw, log-odds.

    (The image compares probabilities with 0, as if they were log-odds, since XGBoost 2; that bug is not copied.)
    """
    if predictions.ndim > 1:
        return np.argmax(predictions, axis=-1)
    if objective.startswith("multi:"):
        return predictions.astype(int)
    return (predictions > (0.0 if objective == "binary:logitraw" else 0.5)).astype(int)
