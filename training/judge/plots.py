"""Figures of a scorecard, each drawn for light and for dark pages. matplotlib without pyplot: no global state."""

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from judge import curves
from judge.paint import DARK, LIGHT, Draw, Theme, grid, short

Array = npt.NDArray[Any]
DPI = 110
_WIDTH = 4.8
_MOST_CLASSES, _MOST_BARS, _MOST_POINTS = 20, 12, 4000


@dataclass(frozen=True)
class Plot:
    """A figure: file name without ending, what it shows, and the PNGs for light and dark pages."""

    name: str
    caption: str
    light: bytes
    dark: bytes


def draw(card: Mapping[str, Any], answers: Array, scores: Array, train_answers: Array) -> list[Plot]:
    """Return the figures that fit the task."""
    if card["classes"] is None:
        figures = _regression(answers, scores)
    else:
        figures = _classification(card, answers, scores, train_answers)
    return [figure(*one) for one in (*figures, *_importance(card))]


def _classification(
    card: Mapping[str, Any], answers: Array, scores: Array, train_answers: Array
) -> Iterator[tuple[str, str, float, Draw]]:
    classes = [short(name) for name in card["classes"]]
    if len(classes) <= _MOST_CLASSES:
        matrix = np.array(card["confusion_matrix"])
        yield (
            "confusion_matrix",
            "Every test row: its class (down) and what the model said (across). The diagonal is right.",
            3.6,
            lambda axes, theme: _confusion(axes, theme, matrix, classes),
        )
    positive = (
        1 if card["settings"]["positive"] is None else card["classes"].index(card["settings"]["positive"])
    )
    yield from curves.figures(card, answers, scores, positive)
    counts = [
        np.bincount(part, minlength=len(classes)) / max(len(part), 1) for part in (train_answers, answers)
    ]
    yield (
        "class_balance",
        "How often each class occurs in the training and in the test rows.",
        3.6,
        lambda axes, theme: _balance(axes, theme, counts[0], counts[1], classes),
    )


def _regression(answers: Array, values: Array) -> Iterator[tuple[str, str, float, Draw]]:
    step = max(1, len(answers) // _MOST_POINTS)
    yield (
        "predicted_vs_actual",
        "Each point is a test row. On the line the prediction is right.",
        3.6,
        lambda axes, theme: _scatter(axes, theme, answers[::step], values[::step]),
    )
    yield (
        "residuals",
        "How far off the predictions are (actual minus predicted). A peak at 0 without a long side is good.",
        3.6,
        lambda axes, theme: _histogram(axes, theme, answers - values),
    )


def _importance(card: Mapping[str, Any]) -> Iterator[tuple[str, str, float, Draw]]:
    bars = [(row["column"], row["gain"]) for row in card["importance"] if row["gain"] > 0][:_MOST_BARS]
    if bars:
        yield (
            "importance",
            "What the model goes by: the share of each column (or term) in the improvement splits brought.",
            max(1.6, 0.6 + 0.26 * len(bars)),
            lambda axes, theme: _bars(axes, theme, bars),
        )


def figure(name: str, caption: str, height: float, paint: Draw, width: float = _WIDTH) -> Plot:
    """Return a figure drawn for light and for dark pages; sizes in inches."""
    return Plot(name, caption, _render(paint, LIGHT, height, width), _render(paint, DARK, height, width))


def _render(paint: Draw, theme: Theme, height: float, width: float) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow to import: only if drawn
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(width, height), dpi=DPI, facecolor=theme.paper, layout="constrained")
    axes = figure.add_subplot(facecolor=theme.paper)
    axes.tick_params(colors=theme.ink, labelsize=9, length=0)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(theme.faint)
    paint(axes, theme)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_color(theme.ink)
        label.set_fontsize(9)
    out = io.BytesIO()
    FigureCanvasAgg(figure)  # the canvas becomes the figure's own
    figure.savefig(out, format="png", dpi=DPI)
    return out.getvalue()


def _confusion(axes: Any, theme: Theme, matrix: Array, classes: list[str]) -> None:
    from matplotlib.colors import LinearSegmentedColormap  # noqa: PLC0415

    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(
        shares, cmap=LinearSegmentedColormap.from_list("", [theme.paper, theme.first]), vmin=0, vmax=1
    )
    for (row, column), count in np.ndenumerate(matrix):
        colour = theme.paper if shares[row, column] > 0.55 else theme.ink
        size = 10 if len(classes) <= 6 else 7
        axes.text(column, row, f"{count:,}", ha="center", va="center", color=colour, fontsize=size)
    turn = {"rotation": 45, "ha": "right"} if max(map(len, classes)) > 8 and len(classes) > 2 else {}
    axes.set_xticks(range(len(classes)), classes, **turn)
    axes.set_yticks(range(len(classes)), classes)
    axes.set(xlabel="The model said", ylabel="It is")
    for spine in axes.spines.values():
        spine.set_visible(True)


def _balance(axes: Any, theme: Theme, train: Array, test: Array, classes: list[str]) -> None:
    order = np.argsort(-train, kind="stable")[:_MOST_BARS]
    places = np.arange(len(order))
    axes.barh(places - 0.2, 100 * train[order], 0.38, color=theme.first, label="training")
    axes.barh(places + 0.2, 100 * test[order], 0.38, color=theme.second, label="test")
    axes.set_yticks(places, [classes[k] for k in order])
    axes.invert_yaxis()
    axes.set(xlabel="% of the rows")
    axes.legend(frameon=False, labelcolor=theme.ink, fontsize=9)
    grid(axes, theme, "x")


def _scatter(axes: Any, theme: Theme, answers: Array, values: Array) -> None:
    low, high = float(min(answers.min(), values.min())), float(max(answers.max(), values.max()))
    axes.plot([low, high], [low, high], color=theme.ink, linewidth=1, linestyle="--", alpha=0.5)
    axes.scatter(answers, values, s=10, color=theme.first, alpha=0.35, linewidths=0)
    axes.set(xlabel="Actual", ylabel="Predicted")
    grid(axes, theme, "both")


def _histogram(axes: Any, theme: Theme, residuals: Array) -> None:
    axes.hist(residuals, bins=min(40, max(10, len(residuals) // 20)), color=theme.first)
    axes.axvline(0, color=theme.ink, linewidth=1, linestyle="--", alpha=0.5)
    axes.set(xlabel="Actual minus predicted", ylabel="Test rows")
    grid(axes, theme, "y")


def _bars(axes: Any, theme: Theme, bars: list[tuple[str, float]]) -> None:
    axes.barh([short(name, 28) for name, _ in bars], [100 * gain for _, gain in bars], 0.6, color=theme.first)
    axes.invert_yaxis()
    axes.set(xlabel="% of the gain")
    grid(axes, theme, "x")
