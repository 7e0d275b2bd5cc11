"""SAGEMAKER_INFERENCE_OUTPUT: which of a prediction's sides an answer shows, by the model's objective."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

log = logging.getLogger(__name__)

_SCORES = ("raw_score", "raw_scores")
_LABELS = ("predicted_label", "labels")
_CHANCES = ("probability", "probabilities")
_REGRESSIONS = ("reg:squarederror", "reg:logistic", "reg:gamma", "reg:absoluteerror", "reg:tweedie")
VALID: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(_REGRESSIONS, ("predicted_score",)),
    "binary:logistic": (*_LABELS, *_CHANCES, *_SCORES),
    "binary:logitraw": (*_LABELS, *_SCORES),
    "binary:hinge": (*_LABELS, *_SCORES),
    "multi:softmax": (*_LABELS, *_SCORES),
    "multi:softprob": (*_LABELS, *_CHANCES, *_SCORES),
}


def keys(text: str) -> list[str]:
    """The keys of the environment variable."""
    return text.replace(" ", "").lower().split(",")


def select(predictions: Any, wanted: Sequence[str], objective: str, classes: int) -> list[dict[str, Any]]:
    """One object a prediction with the wanted keys; NaN for those the objective has not. Raises ValueError."""
    if objective not in VALID:
        raise ValueError(f"Objective `{objective}` unsupported for selectable inference predictions.")
    wrong = [key for key in wanted if key not in VALID[objective]]
    if wrong:
        log.warning(
            "Selected key(s) %s incompatible for objective '%s'. Please use list of compatible selectable inference "
            "predictions: %s", set(wrong), objective, VALID[objective],
        )  # fmt: skip
    right = [key for key in VALID[objective] if key in wanted]
    return [
        {**{key: _SIDES[key](one, objective, classes) for key in right}, **dict.fromkeys(wrong, math.nan)}
        for one in predictions
    ]


def _label(one: Any, objective: str, _classes: int) -> float:
    if objective == "multi:softprob":
        return int(np.argmax(one))
    if objective == "binary:logistic":
        return int(one > 0.5)
    return int(one > 0) if objective == "binary:logitraw" else float(one)


def _all_labels(_one: Any, objective: str, classes: int) -> list[int]:
    return [0, 1] if objective.startswith("binary:") else list(range(classes))


def _best(one: Any, _objective: str, _classes: int) -> float:
    return float(np.max(one))


def _each(one: Any, objective: str, _classes: int) -> list[float]:
    if objective == "multi:softprob":
        return [float(value) for value in one]
    return [1.0 - float(one), float(one)]


_SIDES: Mapping[str, Callable[[Any, str, int], Any]] = {
    "predicted_label": _label,
    "labels": _all_labels,
    "probability": _best,
    "probabilities": _each,
    "raw_score": _best,
    "raw_scores": _each,
    "predicted_score": _best,
}
