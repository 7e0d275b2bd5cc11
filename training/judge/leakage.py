"""How well each column ALONE tells the answer, on rows it was not fitted to. What nearly gives it away is flagged.

A number is cut into at most 64 bins of equal counts, anything else is looked up by value; each bin or value answers
with the mean of its fitting rows, drawn towards the overall mean by one row's weight. Two halves take turns, so an id
that is different in every row answers with the overall mean on the other half: AUC 0.5, R² 0.

Flagged alone: of the columns a model uses, AUC ≥ 0.985 or R² ≥ 0.95 (an honest measurement can be strong: the best of
the breast-cancer set has 0.957); of those left out, AUC ≥ 0.9 or R² ≥ 0.8, to say why not to take them in. Flagged
together: numbers which, added to one another, reach 0.995, as the regional sales add up to the global ones although
Japan's alone tell little.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from judge import metrics

Array = npt.NDArray[Any]
STRONG_AUC, STRONG_R2 = 0.9, 0.8
GIVES_AWAY_AUC, GIVES_AWAY_R2 = 0.985, 0.95
SUM = 0.995  # what columns added up must reach to be parts of the answer
MOST_PARTS = 6
_STEP = 0.001  # what a part must add
_BINS = 64
_MOST_ROWS = 20_000
_FEWEST_ROWS = 20
_NUMBERS_SHARE = 0.9  # of a text column's values, to take it for numbers


@dataclass(frozen=True)
class Finding:
    """One column: how well it predicts alone (None: too few rows to say), and the columns it adds up with."""

    column: str
    alone: float | None
    used: bool
    parts: tuple[str, ...] = ()
    strong: bool = False

    @property
    def flagged(self) -> bool:
        """Return whether a person should look."""
        return self.strong or bool(self.parts)

    def verdict(self, target: str) -> str:
        """Return the finding in words."""
        if self.alone is None:
            return "too few rows to say"
        if not self.flagged:
            return "no sign of a leak"
        what = (
            f"adds up with {', '.join(self.parts)} to {target}"
            if self.parts
            else f"nearly gives {target} away"
        )
        if self.used:
            return f"LEAK? {what}: make sure it is known before {target} is, or set its role to ignore"
        return f"left out, rightly: it {what}"


def find(
    columns: Mapping[str, Any], answers: Array, classes: int, used: Sequence[str], names: Sequence[str]
) -> list[Finding]:
    """Return a finding for each of `names`, strongest first. `classes` is 0 for regression."""
    rows = _sample(len(answers))
    answers = answers[rows]
    values = {name: readable(_take(columns[name], rows)) for name in names if name in columns}
    if len(answers) < _FEWEST_ROWS:
        return [Finding(name, None, name in used) for name in values]
    targets = np.eye(classes)[answers] if classes else answers[:, None].astype(float)
    alone = {name: _alone(value, targets, answers, classes) for name, value in values.items()}
    parts = _parts(values, alone, answers, classes)
    left_out, taken = (STRONG_AUC, GIVES_AWAY_AUC) if classes else (STRONG_R2, GIVES_AWAY_R2)
    findings = [
        Finding(
            name,
            score,
            name in used,
            tuple(other for other in parts if other != name) if name in parts else (),
            score is not None and score >= (taken if name in used else left_out),
        )
        for name, score in alone.items()
    ]
    return sorted(findings, key=lambda f: (not f.flagged, -(f.alone or 0), f.column))


def readable(values: Any) -> Array:
    """Return a column as floats if it is numbers, dates, or texts that are nearly all numbers; else as texts."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiub":
        return values.astype(np.float64)
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        seconds = values.astype("datetime64[s]")
        return np.where(np.isnat(seconds), np.nan, seconds.astype(np.int64).astype(np.float64))
    present = [value for value in values if value is not None]
    numbers = [number for number in map(_number, present) if number is not None]
    if present and len(numbers) >= _NUMBERS_SHARE * len(present):
        read = [np.nan if value is None else _number(value) for value in values]
        return np.array([np.nan if number is None else number for number in read], dtype=np.float64)
    return np.array(["\0" if value is None else str(value) for value in values], dtype=object)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) else None


def _sample(rows: int) -> Array:
    return np.random.default_rng(0).permutation(rows)[:_MOST_ROWS]


def _take(values: Any, rows: Array) -> Any:
    return values[rows] if isinstance(values, np.ndarray) else [values[row] for row in rows]


def _alone(values: Array, targets: Array, answers: Array, classes: int) -> float | None:
    """Return the mean over two halves, each judged by what the other half taught."""
    middle = len(answers) // 2
    halves = slice(0, middle), slice(middle, None)
    scores = []
    for fit, held in (halves, halves[::-1]):
        score = _score(answers[held], _answer(values, targets, fit, held), classes)
        if score is not None:
            scores.append(score)
    return float(np.mean(scores)) if scores else None


def _answer(values: Array, targets: Array, fit: slice, held: slice) -> Array:
    known, asked = (
        _bins(values[fit], values[held]) if values.dtype.kind == "f" else _codes(values[fit], values[held])
    )
    overall = targets[fit].mean(axis=0)
    size = int(max(known.max(initial=0), asked.max(initial=0))) + 1
    counts = np.bincount(known, minlength=size)
    sums = np.column_stack([np.bincount(known, weights=column, minlength=size) for column in targets[fit].T])
    means: Array = (sums + overall) / (counts + 1)[:, None]
    return means[asked]


def _bins(known: Array, asked: Array) -> tuple[Array, Array]:
    present = known[~np.isnan(known)]
    edges = (
        np.unique(np.quantile(present, np.linspace(0, 1, _BINS + 1)[1:-1])) if len(present) else np.array([])
    )
    places = [
        np.where(np.isnan(part), len(edges) + 1, np.searchsorted(edges, part)) for part in (known, asked)
    ]
    return places[0], places[1]


def _codes(known: Array, asked: Array) -> tuple[Array, Array]:
    codes = {value: number for number, value in enumerate(dict.fromkeys(known), start=1)}
    return np.array([codes[v] for v in known]), np.array([codes.get(v, 0) for v in asked])


def _score(answers: Array, told: Array, classes: int) -> float | None:
    if classes:
        return metrics.auc(answers, told)
    found = metrics.r2(answers, told[:, 0])
    return None if found is None else max(found, 0.0)


def _parts(
    values: Mapping[str, Array], alone: Mapping[str, float | None], answers: Array, classes: int
) -> list[str]:
    """Return number columns whose plain sum tells the answer (almost) exactly though none of them does alone."""
    numbers = {
        name: np.nan_to_num(value)
        for name, value in values.items()
        if value.dtype.kind == "f" and (alone[name] or 0) < SUM and np.isfinite(value).mean() > 0.5
    }
    chosen: list[str] = []
    total, best = np.zeros(len(answers)), 0.0
    while len(chosen) < MOST_PARTS and len(chosen) < len(numbers):
        tried = {n: _told(total + v, answers, classes) for n, v in numbers.items() if n not in chosen}
        name = max(tried, key=lambda n: tried[n])
        if tried[name] < best + _STEP:
            break
        chosen, total, best = [*chosen, name], total + numbers[name], tried[name]
    return chosen if len(chosen) > 1 and best >= SUM else []


def _told(score: Array, answers: Array, classes: int) -> float:
    """Return how well a number tells the answer: AUC of the last class of two, or R² of the best line."""
    if classes > 2 or score.std() == 0:
        return 0.0
    if classes:
        return metrics.binary_auc(answers == 1, score) or 0.0
    return float(np.corrcoef(score, answers)[0, 1] ** 2) if answers.std() else 0.0
