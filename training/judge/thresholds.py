"""From which score on is a row called positive? Counts at every cutoff, their cost, and the best cutoff."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from judge.metrics import Costs

Array = npt.NDArray[Any]
CUTOFFS = np.arange(1, 100) / 100
COUNTS = ("tp", "fp", "fn", "tn")


def table(positive: Array, score: Array, cutoffs: Iterable[float] = CUTOFFS) -> list[dict[str, float]]:
    """Return, a cutoff a row, how many rows are found (tp), falsely called (fp), missed (fn) and rightly left (tn).

    A row is called positive when its score is the cutoff or more.
    """
    asked = np.array(list(cutoffs), np.float64)
    ones, zeros = np.sort(score[positive]), np.sort(score[~positive])
    tp = len(ones) - np.searchsorted(ones, asked, side="left")
    fp = len(zeros) - np.searchsorted(zeros, asked, side="left")
    counts = np.column_stack([tp, fp, len(ones) - tp, len(zeros) - fp]).tolist()
    return [
        {"cutoff": float(cutoff), **dict(zip(COUNTS, row, strict=True))}
        for cutoff, row in zip(asked, counts, strict=True)
    ]


def rates(row: dict[str, float], costs: Costs | None) -> dict[str, float]:
    """Return the row with precision, recall and false positive rate (0 where there is nothing) and, if known, cost."""
    said, ones, zeros = row["tp"] + row["fp"], row["tp"] + row["fn"], row["fp"] + row["tn"]
    told = {
        **row,
        "precision": row["tp"] / said if said else 0.0,
        "recall": row["tp"] / ones if ones else 0.0,
        "fpr": row["fp"] / zeros if zeros else 0.0,
    }
    return told if costs is None else {**told, "cost": cost(row, costs)}


def cost(row: dict[str, float], costs: Costs) -> float:
    """Return what all rows cost at a cutoff."""
    return sum(row[name] * float(getattr(costs, name)) for name in COUNTS)


def cheapest(rows: list[dict[str, float]], costs: Costs) -> dict[str, float]:
    """Return the cheapest cutoff's row; of several the one nearest to one half."""
    return min(rows, key=lambda row: (cost(row, costs), abs(row["cutoff"] - 0.5)))


def best_f1(rows: list[dict[str, float]]) -> dict[str, float]:
    """Return the row of the cutoff with the best F1; of several the one nearest to one half."""
    return min(rows, key=lambda row: (-_f1(row), abs(row["cutoff"] - 0.5)))


def _f1(row: dict[str, float]) -> float:
    whole = 2 * row["tp"] + row["fp"] + row["fn"]
    return 2 * row["tp"] / whole if whole else 0.0
