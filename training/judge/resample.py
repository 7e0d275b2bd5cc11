"""Bootstrap: how much a figure would move with other test rows. Every figure sees the same resamples, so that two
models are compared row by row. Rows are drawn with replacement by a fixed seed; percentile intervals.

A resample is a row of weights (how often each test row was drawn), so a figure over all resamples of a block is a few
products and sums over a matrix. At most `_BUDGET` weights are drawn in all, so many rows get fewer resamples, but never
fewer than `FEWEST`, of which percentiles can still be taken: from 200,000 rows on the cost grows with the rows. At most
`_BLOCK` weights are held at once, or one resample of more rows than that.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt

from judge import metrics
from judge.metrics import Rule

Array = npt.NDArray[Any]
Family = Callable[[Array], dict[str, Array]]  # weights (resamples, rows) → a value a resample, by metric
SEED = 42
FEWEST = 200
_BUDGET, _BLOCK = 40_000_000, 2_000_000
_KNOWN = 0.5  # share of the resamples in which a figure must be defined


def times(wanted: int, rows: int) -> int:
    """Return how many resamples are drawn: those wanted, or as many as the budget allows, `FEWEST` at least."""
    return min(wanted, max(FEWEST, _BUDGET // max(rows, 1)))


def weights(rows: int, count: int) -> Iterator[Array]:
    """Yield `count` resamples in blocks: how often each row is drawn."""
    dice = np.random.default_rng(SEED)
    step = max(1, _BLOCK // rows)
    for start in range(0, count, step):
        size = min(step, count - start)
        drawn = dice.integers(0, rows, (size, rows)) + np.arange(size)[:, None] * rows
        yield np.bincount(drawn.ravel(), minlength=size * rows).reshape(size, rows).astype(np.float64)


def replicates(judged: Mapping[str, Family], rows: int, count: int) -> dict[str, dict[str, Array]]:
    """Return every figure of every one judged in every resample; NaN where it is not defined."""
    found: dict[str, dict[str, list[Array]]] = {who: {} for who in judged}
    for block in weights(rows, count):
        for who, family in judged.items():
            for name, values in family(block).items():
                found[who].setdefault(name, []).append(values)
    return {who: {name: np.concatenate(v) for name, v in named.items()} for who, named in found.items()}


def interval(values: Array, confidence: float) -> dict[str, float] | None:
    """Return the percentile interval, None if the figure is hardly ever defined."""
    known = values[np.isfinite(values)]
    if len(known) < _KNOWN * len(values):
        return None
    low, high = np.quantile(known, [(1 - confidence) / 2, (1 + confidence) / 2])
    return {"low": float(low), "high": float(high)}


def ends(values: Array, confidence: float) -> dict[str, float | None]:
    """Return the percentile interval, its ends None if the figure is hardly ever defined."""
    return {"low": None, "high": None, **(interval(values, confidence) or {})}


def wilson(share: float, rows: int, confidence: float) -> dict[str, float]:
    """Return the score interval of a share (Wilson, 1927), which says something of 13 out of 13, too."""
    z2 = NormalDist().inv_cdf((1 + confidence) / 2) ** 2
    middle, half = share + z2 / (2 * rows), math.sqrt(z2 * (share * (1 - share) + z2 / (4 * rows)) / rows)
    low, high = ((middle + side * half) / (1 + z2 / rows) for side in (-1, 1))
    return {"low": max(0.0, low), "high": min(1.0, high)}


def classification(answers: Array, scores: Array, rule: Rule) -> Family:
    """Return the figures of metrics.classification as functions of weights."""
    said = metrics.labels(scores, rule)
    confused = _confused(answers, said, scores.shape[1])
    rows = np.arange(len(answers))
    tiny = np.finfo(np.float64).eps
    loss = -np.log(np.clip(scores[rows, answers], tiny, 1 - tiny))
    means = {"accuracy": (said == answers).astype(np.float64), "log_loss": loss}
    others: list[Family] = [confused]
    if scores.shape[1] == 2:
        positive, called = answers == rule.positive, said == rule.positive
        if rule.costs is not None:
            means["cost"] = rule.costs.of(positive, called)
        others += [_ranked(positive, scores[:, rule.positive], rule.max_fpr), _f1(positive, called)]
    else:
        spread = auc_influence(answers, scores)
        means |= {} if spread is None else {"auc": spread}
    return _together(_means(means), *others)


def regression(answers: Array, values: Array) -> Family:
    """Return rmse, mae and r2 as functions of weights."""
    wrong = (answers - values) ** 2
    centred = answers - answers.mean()  # large numbers would lose digits in the difference below

    def family(block: Array) -> dict[str, Array]:
        rows = block.shape[1]
        total = block @ centred**2 - (block @ centred) ** 2 / rows
        squares = block @ wrong
        with np.errstate(divide="ignore", invalid="ignore"):
            explained = np.where(total > 0, 1 - squares / total, np.nan)
        return {
            "rmse": np.sqrt(squares / rows),
            "mae": block @ np.abs(answers - values) / rows,
            "r2": explained,
        }

    return family


def auc_influence(answers: Array, scores: Array) -> Array | None:
    """Return values a row whose mean is the macro AUC and whose spread is its sampling error (DeLong's components).

    Ranking a hundred classes anew in every resample would take minutes; this is exact to the first order.
    """
    rows, parts = len(answers), []
    for number in range(scores.shape[1]):
        positive = answers == number
        area = metrics.binary_auc(positive, scores[:, number])
        if area is None:
            continue
        ranks = metrics.ranks(scores[:, number])
        ones, zeros = int(positive.sum()), int((~positive).sum())
        above = np.empty(
            rows
        )  # of a positive: the share of negatives below it; of a negative: of positives above it
        above[positive] = (ranks[positive] - metrics.ranks(scores[positive, number])) / zeros
        above[~positive] = 1 - (ranks[~positive] - metrics.ranks(scores[~positive, number])) / ones
        share = np.where(positive, rows / ones, rows / zeros)
        parts.append(area + share * (above - area))
    return np.mean(parts, axis=0) if parts else None


def _means(named: Mapping[str, Array]) -> Family:
    table = np.column_stack(list(named.values()))
    return lambda block: dict(zip(named, (block @ table / block.shape[1]).T, strict=True))


def _f1(positive: Array, said: Array) -> Family:
    hits, whole = (positive & said).astype(np.float64), positive.astype(np.float64) + said
    return lambda block: {"f1": _over(2 * (block @ hits), block @ whole)}


def _confused(answers: Array, said: Array, classes: int) -> Family:
    """Macro F1 from the cells of the confusion matrix that occur, however many classes there are."""
    codes = answers * classes + said
    order = np.argsort(codes, kind="stable")
    cells, starts = np.unique(codes[order], return_index=True)
    actual, called = np.eye(classes)[cells // classes], np.eye(classes)[cells % classes]
    hits = actual * called

    def family(block: Array) -> dict[str, Array]:
        counts = np.add.reduceat(block[:, order], starts, axis=1)
        whole = counts @ (actual + called)
        each = np.divide(2 * (counts @ hits), whole, out=np.zeros_like(whole), where=whole > 0)
        return {"macro_f1": each.sum(axis=1) / (whole > 0).sum(axis=1)}

    return family


def _ranked(positive: Array, score: Array, most: float) -> Family:
    """auc, pr_auc and tpr_at_fpr from the counts above each distinct score."""
    order = np.argsort(-score, kind="stable")
    last = np.r_[np.flatnonzero(np.diff(score[order])), len(score) - 1]
    first = positive[order]

    def family(block: Array) -> dict[str, Array]:
        drawn = block[:, order]
        hits = np.cumsum(drawn * first, axis=1)[:, last]
        misses = np.cumsum(drawn * ~first, axis=1)[:, last]
        ones, zeros = hits[:, -1], misses[:, -1]
        found, wrong = np.diff(hits, prepend=0, axis=1), np.diff(misses, prepend=0, axis=1)
        precision = np.divide(hits, hits + misses, out=np.zeros_like(hits), where=hits + misses > 0)
        allowed = np.where(misses <= most * zeros[:, None], hits, 0).max(axis=1)
        return {
            "auc": _over((wrong * (hits - found / 2)).sum(axis=1), ones * zeros),
            "pr_auc": _over((found * precision).sum(axis=1), ones),
            "tpr_at_fpr": np.where(zeros > 0, _over(allowed, ones), np.nan),
        }

    return family


def _over(above: Array, below: Array) -> Array:
    """Return the quotient, NaN where it is not defined."""
    found: Array = np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0)
    return found


def _together(*families: Family) -> Family:
    return lambda block: {name: values for family in families for name, values in family(block).items()}
