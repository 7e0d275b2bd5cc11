"""Is one model better than another on the same rows, or is it chance? McNemar for accuracy, bootstrap for the rest."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
_SURE = 0.05
_NAMES = {"baseline": "the baseline", "champion": "the released model"}


def mcnemar(right: Array, other: Array) -> dict[str, Any]:
    """Return on how many rows only the one, and only the other is right, and the exact two-sided p-value.

    If the two are equally good, of the rows on which only one is right each is right on half: a binomial test.
    Source: McNemar, Psychometrika 12 (1947), in its exact form.
    """
    only, others = int(np.sum(right & ~other)), int(np.sum(other & ~right))
    return {"only_model_right": only, "only_other_right": others, "p_value": _binomial(only, others)}


def _binomial(one: int, other: int) -> float:
    """Two-sided p-value of so uneven a division when each side has a chance of one half."""
    rows, fewer = one + other, min(one, other)
    if not rows:
        return 1.0
    ways = [math.lgamma(rows + 1) - math.lgamma(k + 1) - math.lgamma(rows - k + 1) for k in range(fewer + 1)]
    return min(1.0, 2 * math.fsum(math.exp(way - rows * math.log(2)) for way in ways))


def bootstrap(model: Array, other: Array) -> float:
    """Return the two-sided p-value of the difference of two figures over the same resamples: never quite 0."""
    difference = (model - other)[np.isfinite(model - other)]
    below, above = int(np.sum(difference <= 0)), int(np.sum(difference >= 0))
    return float(min(1.0, 2 * (min(below, above) + 1) / (len(difference) + 1)))


def words(whom: str, metric: str, won: bool, difference: float, p_value: float) -> str:
    """Return in plain words what the test says."""
    name = _NAMES.get(whom, whom)
    if not difference:
        return f"As good as {name} by {metric} on these rows."
    told = "Better" if won else "Worse"
    chance = "less than 1 in 1,000" if p_value < 0.001 else f"p = {p_value:.2g}"
    if p_value < _SURE:
        return f"{told} than {name} by {metric}, and hardly by chance ({chance})."
    return f"{told} than {name} by {metric} on these rows, but that may well be chance ({chance})."
