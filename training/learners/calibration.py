"""Margins to probabilities: softmax at one temperature (Guo et al. 2017), which leaves every answer as it was."""

import numpy as np
import numpy.typing as npt

from learners.problem import Floats

_RANGE = (
    np.log(0.02),
    np.log(50.0),
)  # temperatures looked at; at the ends a model is sure of all or of nothing
_STEPS = 60


def softmax(margins: Floats) -> Floats:
    """Return (rows, classes) probabilities; a margin of minus infinity gets none."""
    shifted = np.exp(margins - margins.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True), dtype=np.float64)


def log_loss(probabilities: Floats, answers: npt.NDArray[np.int64]) -> float:
    """Return the mean negative log of the probability given to the answer, clipped away from nought."""
    tiny = np.finfo(np.float64).eps
    chosen = probabilities[np.arange(len(answers)), answers]
    return float(-np.log(np.clip(chosen, tiny, 1 - tiny)).mean())


def temperature(margins: Floats, answers: npt.NDArray[np.int64]) -> float:
    """Return the temperature of the smallest log loss on these rows: golden-section search on its logarithm."""
    ratio = (np.sqrt(5) - 1) / 2
    low, high = _RANGE

    def loss(at: float) -> float:
        return log_loss(softmax(margins / np.exp(at)), answers)

    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = loss(left), loss(right)
    for _ in range(_STEPS):
        if at_left <= at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = loss(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = loss(right)
    return float(np.exp((low + high) / 2))
