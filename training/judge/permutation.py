"""What a model would lose without a column: the gate's metric with the column's values dealt to other test rows.

Source: Breiman, Machine Learning 45 (2001). Bounded: `MOST_ROWS` rows, `MOST_COLUMNS` columns (those of most gain
first), `REPEATS` times, and no new column is begun after `SECONDS`.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from judge import metrics

Array = npt.NDArray[Any]
MOST_ROWS, MOST_COLUMNS, REPEATS, SECONDS = 2000, 20, 3, 20.0


def permutation(
    predict: Callable[[Mapping[str, Any], int], Array],
    columns: Mapping[str, Any],
    names: Sequence[str],
    measure: Callable[[Array, Array], float | None],
    metric: str,
) -> list[dict[str, Any]]:
    """Return the mean loss of the metric without each column, and its spread, largest first.

    `measure` takes the chosen rows' numbers and their scores. A loss below 0 is noise: the column did no good.
    """
    began, dice = time.monotonic(), np.random.default_rng(0)
    rows = _rows(columns, dice)
    sampled = {name: _take(columns[name], rows) for name in names if name in columns}
    before = measure(rows, predict(sampled, len(rows)))
    if before is None:
        return []
    sign = -1 if metric in metrics.LOWER_IS_BETTER else 1
    found = []
    for name in list(sampled)[:MOST_COLUMNS]:
        if time.monotonic() - began > SECONDS:
            break
        lost = []
        for _ in range(REPEATS):
            dealt = {**sampled, name: _take(sampled[name], dice.permutation(len(rows)))}
            after = measure(rows, predict(dealt, len(rows)))
            lost += [] if after is None else [sign * (before - after)]
        if lost:
            found.append({"column": name, "loss": float(np.mean(lost)), "spread": float(np.std(lost))})
    return sorted(found, key=lambda row: -row["loss"])


def _rows(columns: Mapping[str, Any], dice: np.random.Generator) -> Array:
    count = len(next(iter(columns.values())))
    return np.sort(dice.permutation(count)[:MOST_ROWS])


def _take(values: Any, rows: Array) -> Any:
    return values[rows] if isinstance(values, np.ndarray) else [values[row] for row in rows]
