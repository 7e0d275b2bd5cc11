"""Where is the model worse than on the whole? The figure of every value of a category that has rows enough."""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from judge import metrics, resample
from judge.rules import Rules

Array = npt.NDArray[Any]
FEWEST_ROWS = 30
MOST_COLUMNS, MOST_VALUES, MOST_SHOWN = 10, 50, 40
_RESAMPLES = 400
_QUARTERS = (0.25, 0.5, 0.75)


def slices(
    columns: Mapping[str, Any], names: Sequence[str], answers: Array, scores: Array, rules: Rules
) -> tuple[str, list[dict[str, Any]]]:
    """Return the figure's name and a row for each slice, worst first: column, value, rows, value, interval, `worse`.

    The figure is the gate's where it is defined on the whole, else accuracy or mae. `worse` says that even the good end
    of the slice's interval is worse than the whole. Numbers are cut in quarters.
    """
    whole = _measure(answers, scores, rules)
    metric = rules.metric if rules.metric in whole else ("accuracy" if scores.ndim > 1 else "mae")
    sign = 1 if metric in metrics.LOWER_IS_BETTER else -1
    found: list[dict[str, Any]] = []
    for name in [name for name in names if name in columns][:MOST_COLUMNS]:
        for value, rows in _parts(columns[name]):
            made = _slice(answers[rows], scores[rows], rules, metric)
            if made is not None:
                worse = _worse(made, sign, whole[metric])
                found.append({"column": name, "slice": value, "rows": len(rows), **made, "worse": worse})
    return metric, sorted(found, key=lambda row: -sign * float(row["value"]))[:MOST_SHOWN]


def _worse(made: Mapping[str, float | None], sign: int, whole: float) -> bool:
    best = made["low" if sign == 1 else "high"]
    return best is not None and sign * best > sign * whole


def _measure(answers: Array, scores: Array, rules: Rules) -> dict[str, float]:
    if scores.ndim == 1:
        return metrics.regression(answers, scores)
    return metrics.classification(answers, scores, rules.rule)


def _slice(answers: Array, scores: Array, rules: Rules, metric: str) -> dict[str, float | None] | None:
    value = _measure(answers, scores, rules).get(metric)
    if value is None:
        return None
    if scores.ndim == 1:
        family = resample.regression(answers, scores)
    else:
        family = resample.classification(answers, scores, rules.rule)
    drawn = resample.replicates({"it": family}, len(answers), resample.times(_RESAMPLES, len(answers)))
    return {"value": value, **resample.ends(drawn["it"][metric], rules.confidence)}


def _parts(values: Any) -> Iterator[tuple[str, Array]]:
    """Yield each value, or quarter of the numbers, with its row numbers, if they are enough; the commonest first."""
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        return
    named = _quarters(values) if isinstance(values, np.ndarray) and values.dtype.kind == "f" else list(values)
    counts = Counter(str(value) for value in named if value is not None)
    numbers = {value: number for number, (value, _) in enumerate(counts.most_common(MOST_VALUES))}
    codes = np.array([-1 if value is None else numbers.get(str(value), -1) for value in named])
    for value, number in numbers.items():
        if counts[value] >= FEWEST_ROWS:
            yield value, np.flatnonzero(codes == number)


def _quarters(values: Array) -> list[str | None]:
    present = values[np.isfinite(values)]
    if not len(present):
        return [None] * len(values)
    edges = np.unique(np.quantile(present, _QUARTERS))
    ends = [f"{edge:g}" for edge in edges]
    names = [
        f"up to {ends[0]}",
        *(f"{a} to {b}" for a, b in itertools.pairwise(ends)),
        f"above {ends[-1]}",
    ]
    places = np.searchsorted(edges, values, side="left")
    return [names[k] if ok else None for k, ok in zip(places, np.isfinite(values), strict=True)]
