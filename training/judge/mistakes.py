"""The rows a model is most sure of and wrong about, and those a regression misses by most. People learn from them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
MOST, MOST_COLUMNS, LONGEST = 12, 4, 160


def of_classes(
    columns: Mapping[str, Any],
    shown: Sequence[str],
    answers: Array,
    scores: Array,
    said: Array,
    classes: list[str],
) -> list[dict[str, Any]]:
    """Return the wrong rows with the highest score for what was said, surest first."""
    sure = scores[np.arange(len(said)), said]
    wrong = np.flatnonzero(said != answers)
    chosen = wrong[np.argsort(-sure[wrong], kind="stable")][:MOST]
    return [
        {
            **_row(columns, shown, k),
            "truth": classes[answers[k]],
            "said": classes[said[k]],
            "score": float(sure[k]),
        }
        for k in chosen.tolist()
    ]


def of_numbers(
    columns: Mapping[str, Any], shown: Sequence[str], answers: Array, values: Array
) -> list[dict[str, Any]]:
    """Return the rows that are furthest off, worst first."""
    chosen = np.argsort(-np.abs(answers - values), kind="stable")[:MOST]
    return [
        {**_row(columns, shown, k), "truth": float(answers[k]), "said": float(values[k]), "score": None}
        for k in chosen.tolist()
    ]


def _row(columns: Mapping[str, Any], shown: Sequence[str], number: int) -> dict[str, Any]:
    """The row's number in the lake and the few columns the model goes by most; ids and groups are never among them."""
    row = columns["_row"][number] if "_row" in columns else None
    named = [name for name in shown if name in columns][:MOST_COLUMNS]
    return {
        "row": None if row is None else int(row),
        "shown": {name: _short(columns[name][number]) for name in named},
    }


def _short(value: Any) -> str:
    if value is None or value != value:  # noqa: PLR0124 - NaN and NaT equal nothing
        return ""
    text = f"{value:g}" if isinstance(value, float) else " ".join(str(value).split())
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
