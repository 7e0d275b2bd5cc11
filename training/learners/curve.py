"""One exponential curve through one number or date: `a * exp(b * (x - origin) / scale + c)`, as scipy fits it.

`a` and `c` are not two things the data can tell apart (a * exp(c) is one number), so a least-squares fit of all three
gives whichever pair it came upon. Here a is fixed at the sign of the answers, +1 or -1, and c is the level; b and every
answer are those of the three-parameter fit. Outside the rows it has seen the curve goes on: that is what it is for.
"""

import json
import math
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from learners import drawing
from learners.encoding import dates, numbers
from learners.errors import BadData, BadRequest
from learners.hyperparameters import Known, Number, flag, parse
from learners.problem import Column, Floats, Problem, Rows, Table
from learners.schema import Feature

CURVE, PLOT = "curve.json", "curve.svg"
HYPERPARAMETERS: Known = {
    "origin": Number(0, -1e9, 1e9),
    "scale": Number(1, 1e-9, 1e9),
    "draw_until": Number(0, -1e9, 1e9),  # 0: as far again as a fifth of the rows' range
    "refit": flag(True),
}
ALIASES: dict[str, str] = {}
MOST_DRAWN = 2000  # points of the plot


class Model:
    """A fitted curve. `fitted` holds a, b, c, their origin and scale, the range seen, b's standard error."""

    def __init__(self, feature: Feature, fitted: Mapping[str, float], points: Floats) -> None:
        self.features = [feature]
        self.importance = [(feature.name, 1.0)]
        self.fitted = dict(fitted)
        self._points = points  # (n, 2), drawn and not kept

    def predict(self, columns: Table, rows: int) -> Floats:
        """Return (rows,) values; raise BadRequest if one lacks the column, which is all there is to answer from."""
        feature = self.features[0]
        x = abscissa(columns.get(feature.name, [None] * rows), feature.role)
        if missing := np.flatnonzero(~np.isfinite(x)).tolist():
            problem = "is missing, and the curve has nothing else to answer from"
            faults = [{"instance": row, "column": feature.name, "problem": problem} for row in missing[:20]]
            raise BadRequest(f"{len(missing)} value(s) cannot be used", faults)
        return self.at(x)

    def at(self, x: Floats) -> Floats:
        """Return the curve's values at the numbers `x` (a date's: its year and the part of it gone by)."""
        with np.errstate(over="ignore"):  # far out it is as large as a number can be
            power = self.fitted["b"] * (x - self.fitted["origin"]) / self.fitted["scale"] + self.fitted["c"]
            largest = np.finfo(np.float64).max
            return np.clip(self.fitted["a"] * np.exp(power), -largest, largest)

    def save(self, directory: Path) -> list[str]:
        """Write the curve (JSON) and its picture (SVG); return the files' names."""
        document = {"feature": self.features[0].document(), "fitted": self.fitted}
        (directory / CURVE).write_text(json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8")
        (directory / PLOT).write_text(self._picture(), encoding="utf-8")
        return [CURVE, PLOT]

    def _picture(self) -> str:
        if not len(self._points):
            return drawing.chart(self._points, self._points, self.features[0].name, "")
        low, high = self._points[:, 0].min(), max(self._points[:, 0].max(), self.fitted["draw_until"])
        x = np.linspace(low, high, 200)
        f = self.fitted
        title = f"{f['a']:g} exp({f['b']:.4f} (x - {f['origin']:g}) / {f['scale']:g} + {f['c']:.4f})"
        return drawing.chart(self._points, np.column_stack([x, self.at(x)]), self.features[0].name, title)


def load(directory: Path) -> Model:
    """Return the curve `save` wrote."""
    document = json.loads((directory / CURVE).read_text(encoding="utf-8"))
    return Model(Feature(**document["feature"]), document["fitted"], np.empty((0, 2)))


def fit(
    problem: Problem,
    hyperparameters: Mapping[str, str],
    say: Callable[[str], None],
    threads: int = 1,  # noqa: ARG001 - two parameters keep one core busy for a moment
) -> Model:
    """Return the curve through the training rows; raise BadData if there is not one column or no curve fits."""
    values = {name: float(value) for name, value in parse(hyperparameters, HYPERPARAMETERS).items()}
    column = _column(problem, say)
    return _fitted(column, [problem.train], values, say)


def finish(
    model: Model,
    problem: Problem,
    hyperparameters: Mapping[str, str],
    say: Callable[[str], None],
    threads: int = 1,  # noqa: ARG001 - as in fit
) -> Model:
    """Return the curve to ship: through the rows of train and validation together, unless `refit` is false."""
    values = {name: float(value) for name, value in parse(hyperparameters, HYPERPARAMETERS).items()}
    if problem.validation is None or not values["refit"]:
        return model
    say("fitted again on train and validation together")
    column = _column(problem, lambda _: None)
    return _fitted(column, [problem.train, problem.validation], values, say)


def abscissa(values: Any, role: str) -> Floats:
    """Return a column as numbers: a date as its year and the part of the year gone by; NaN where there is none."""
    if role != "date":
        return numbers(values)
    moments = dates(values)
    there = ~np.isnat(moments)
    years = moments[there].astype("datetime64[Y]")
    starts, ends = (part.astype("datetime64[s]").astype(np.float64) for part in (years, years + 1))
    gone = (moments[there].astype(np.float64) - starts) / (ends - starts)
    out = np.full(len(moments), np.nan)
    out[there] = years.astype(np.int64) + 1970 + gone
    return out


def _column(problem: Problem, say: Callable[[str], None]) -> Column:
    if problem.dataset.task != "regression":
        raise BadData("curve answers with a number: set task to regression, or take another learner.name.")
    columns = [c for c in problem.dataset.features if c.name in problem.train.columns]
    usable = [c for c in columns if c.role in {"number", "date"}]
    if len(usable) != 1:
        named = ", ".join(c.name for c in usable[:20]) or "none"
        raise BadData(
            f"curve reads exactly one number or date column, and the project has {named}: "
            "give the others the type ignore."
        )
    if unused := [c.name for c in columns if c not in usable]:
        say(f"warning: curve reads one column; left out: {', '.join(unused)}")
    return usable[0]


def _fitted(
    column: Column, parts: list[Rows], values: Mapping[str, float], say: Callable[[str], None]
) -> Model:
    x = np.concatenate([abscissa(part.columns[column.name], column.role) for part in parts])
    y = np.concatenate([part.target for part in parts])
    there = np.isfinite(x)
    if not there.all():
        raise BadData(
            f"curve cannot use {int((~there).sum())} rows without a finite {column.name}: make the column required "
            "in the project's columns, so that Prepare puts such rows into quarantine."
        )
    if len(np.unique(x)) < 3:
        raise BadData(
            f"A curve needs three different values of {column.name}, and there are {len(np.unique(x))}."
        )
    low, width = float(x.min()), float(x.max() - x.min())
    sign, slope, level, error = _least_squares((x - low) / width, y, column.name)
    # From the units of the fit (0 to 1) to those asked for.
    b = slope * values["scale"] / width
    c = level + slope * (values["origin"] - low) / width
    fitted = {
        "a": sign, "b": b, "c": c, "origin": values["origin"], "scale": values["scale"],
        "from": low, "to": low + width, "rows": float(len(x)),
        "draw_until": values["draw_until"] or low + 1.2 * width,
    }  # fmt: skip
    if error is not None:
        fitted["b_error"] = error * values["scale"] / width
    give_or_take = f" +- {fitted['b_error']:.6f}" if error is not None else ""
    say(f"curve: a={sign:g} b={b:.6f}{give_or_take} c={c:.6f}, {len(x)} rows")
    points = np.column_stack([x, y])[:: max(1, len(x) // MOST_DRAWN)]
    return Model(Feature(column.name, column.role, column.format, list(column.null_values)), fitted, points)


def _least_squares(x: Floats, y: npt.NDArray[Any], name: str) -> tuple[float, float, float, float | None]:
    """Return (sign, slope, level, the slope's standard error) of sign * exp(slope * x + level), x from 0 to 1."""
    from scipy.optimize import OptimizeWarning, curve_fit  # noqa: PLC0415 - a second to import: only to fit

    sign = -1.0 if y.mean() < 0 else 1.0
    size = float(np.abs(y).max())
    if size == 0:
        raise BadData("Every answer is 0: there is no curve in it.")

    def curve(at: Floats, slope: float, level: float) -> Floats:
        return sign * np.exp(np.clip(slope * at + level, -700, 700))

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OptimizeWarning)  # an exact curve has no error
            found, spread = curve_fit(curve, x, y / size, p0=_first_guess(x, y / size * sign), maxfev=20_000)
    except RuntimeError as failure:
        raise BadData(
            f"No exponential curve through {name} found: {failure} Take gradient_boosting."
        ) from None
    slope, level = (float(value) for value in found)
    error = math.sqrt(spread[0, 0]) if math.isfinite(spread[0, 0]) else None
    return sign, slope, level + math.log(size), error


def _first_guess(x: Floats, y: Floats) -> tuple[float, float]:
    """Return slope and level of the straight line through the logarithms of the answers above 0."""
    above = y > 0
    if len(np.unique(x[above])) < 2:
        return 0.0, math.log(max(float(y.mean()), 1e-6))
    slope, level = np.polyfit(x[above], np.log(y[above]), 1)
    return float(slope), float(level)
