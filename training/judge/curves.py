"""Figures of probabilities: ROC, precision and recall, reliability, scores by class, cost by cutoff."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from judge import metrics
from judge.calibration import BARS
from judge.metrics import Costs
from judge.paint import Draw, Theme, grid, legend, short
from judge.thresholds import cost

Array = npt.NDArray[Any]
Figure = tuple[str, str, float, Draw]  # file name, caption, height in inches, how it is drawn
MOST_LINES = 5  # classes drawn one against the rest: those with most rows
_MOST_POINTS = 2000
_CALIBRATION = (
    "Do scores come true? Each dot is a tenth of the scale: the mean score across, how often it was true upwards. "
    "Below the line it promises too much; a larger dot has more rows."
)


def figures(card: Mapping[str, Any], answers: Array, scores: Array, positive: int) -> Iterator[Figure]:
    """Yield the figures that the classes and the test rows allow."""
    numbers = [positive] if scores.shape[1] == 2 else _commonest(answers, scores.shape[1])
    whose = [(short(card["classes"][k]), answers == k, scores[:, k]) for k in numbers]
    whose = [one for one in whose if 0 < one[1].sum() < len(answers)]
    if whose:
        yield from _ranking(whose)
    yield (
        "calibration",
        _CALIBRATION,
        3.6,
        lambda axes, theme: _reliability(axes, theme, card["calibration"]["bins"]),
    )
    yield (
        "scores",
        "The scores of the test rows: the further the two sides stand apart, the better.",
        3.6,
        lambda axes, theme: _histogram(axes, theme, card["histogram"]),
    )
    if card["settings"]["costs"]:
        costs = Costs(**card["settings"]["costs"])
        yield (
            "cost",
            "What all test rows cost together if rows are called positive from that score on.",
            3.6,
            lambda axes, theme: _cost(axes, theme, card, costs),
        )


def _commonest(answers: Array, classes: int) -> list[int]:
    counts = np.bincount(answers, minlength=classes)
    return sorted(np.argsort(-counts, kind="stable")[:MOST_LINES].tolist())


def _ranking(whose: list[tuple[str, Array, Array]]) -> Iterator[Figure]:
    what = f"“{whose[0][0]}”" if len(whose) == 1 else "a class, against all others"
    rocs = [(name, *metrics.roc(true, score)) for name, true, score in whose]
    precise = [(name, *metrics.precision_recall(true, score)) for name, true, score in whose]
    share = float(whose[0][1].mean()) if len(whose) == 1 else None
    yield (
        "roc",
        f"ROC: of the rows that are {what}, how many are found as more false alarms are allowed.",
        3.6,
        lambda axes, theme: _lines(axes, theme, rocs, ("False alarms", "Found"), (0, 1)),
    )
    yield (
        "precision_recall",
        f"Precision and recall of {what}." + ("" if share is None else " The dashed line is guessing."),
        3.6,
        lambda axes, theme: _lines(
            axes,
            theme,
            precise,
            ("Found (recall)", "Right (precision)"),
            None if share is None else (share, share),
        ),
    )


def _lines(
    axes: Any,
    theme: Theme,
    lines: list[tuple[str, Array, Array]],
    names: tuple[str, str],
    guess: tuple[float, float] | None,
) -> None:
    if guess is not None:
        axes.plot([0, 1], guess, color=theme.ink, linewidth=1, linestyle="--", alpha=0.5)
    for (name, x, y), colour in zip(lines, theme.lines, strict=False):
        step = max(1, len(x) // _MOST_POINTS)
        shown = np.r_[np.arange(0, len(x) - 1, step), len(x) - 1]
        axes.plot(x[shown], y[shown], color=colour, linewidth=2, solid_joinstyle="round", label=name)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel=names[0], ylabel=names[1])
    if len(lines) > 1:
        legend(axes, theme)
    grid(axes, theme, "both")


def _reliability(axes: Any, theme: Theme, bins: list[Mapping[str, float]]) -> None:
    axes.plot([0, 1], [0, 1], color=theme.ink, linewidth=1, linestyle="--", alpha=0.5)
    scores, shares = [one["score"] for one in bins], [one["share"] for one in bins]
    most = max(one["rows"] for one in bins)
    axes.plot(scores, shares, color=theme.first, linewidth=1.2, alpha=0.6)
    axes.scatter(scores, shares, s=[14 + 90 * one["rows"] / most for one in bins], color=theme.first)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="Score", ylabel="Came true")
    grid(axes, theme, "both")


def _histogram(axes: Any, theme: Theme, counts: Mapping[str, list[int]]) -> None:
    places = (np.arange(BARS) + 0.5) / BARS
    for (name, rows), colour in zip(counts.items(), theme.lines, strict=False):
        axes.bar(places, rows, 0.9 / BARS, color=colour, alpha=0.6, label=name)
    if max(max(rows) for rows in counts.values()) > 20 * max(1, min(max(rows) for rows in counts.values())):
        axes.set_yscale("symlog")  # or the rare class would not be seen
    axes.set(xlim=(0, 1), xlabel="Score", ylabel="Test rows")
    legend(axes, theme)
    grid(axes, theme, "y")


def _cost(axes: Any, theme: Theme, card: Mapping[str, Any], costs: Costs) -> None:
    rows = card["thresholds"]
    axes.plot(
        [row["cutoff"] for row in rows], [cost(row, costs) for row in rows], color=theme.first, linewidth=2
    )
    for point in card["operating_points"]:
        if point["name"] in {"0.5", "cheapest", "in use"}:
            axes.plot(point["cutoff"], point["cost"], "o", color=theme.second)
            axes.annotate(point["name"], (point["cutoff"], point["cost"]), xytext=(4, 6),
                          textcoords="offset points", fontsize=8, color=theme.ink)  # fmt: skip
    axes.set(xlim=(0, 1), xlabel="Called positive from this score on", ylabel="Cost of all test rows")
    grid(axes, theme, "both")
