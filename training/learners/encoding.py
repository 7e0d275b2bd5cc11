"""Columns to the numbers boosted trees read. One function, `Encoder.matrix`, for training and for serving.

A number is itself; a category its place among those fixed at fit, anything else is missing; a date is five numbers.
Nothing raises at prediction: what cannot be read is a missing value (NaN).
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from learners.derived import Derived
from learners.problem import Column, Floats, Table
from learners.schema import Feature

DATE_PARTS = ("year", "month", "day", "weekday", "day since 1970")
FEW = 50  # categories up to which a rare one is still worth its own code
_LARGEST = float(np.finfo(np.float32).max)
_SECOND = "datetime64[s]"


class Encoder:
    """Turns columns into a float32 matrix. Made by `fit`, or from the features a manifest lists."""

    def __init__(self, features: Sequence[Feature], derived: Sequence[Derived] = ()) -> None:
        self.features = list(features)
        self.derived = list(derived)  # the last columns of the matrix
        self._codes = [{name: float(n) for n, name in enumerate(f.categories)} for f in self.features]
        self.types: list[str] = []  # XGBoost's: c = category, q = quantity
        self.sources: list[str] = []  # the column each column of the matrix comes from
        for feature in self.features:
            width = len(DATE_PARTS) if feature.role == "date" else 1
            self.types += ["c" if feature.role == "category" else "q"] * width
            self.sources += [feature.name] * width
        self._sums = [
            [(self.sources.index(name), sign) for name, sign in made.terms] for made in self.derived
        ]
        self.types += ["q"] * len(self.derived)
        self.sources += [made.name for made in self.derived]

    @classmethod
    def fit(
        cls,
        columns: Sequence[Column],
        table: Table,
        min_rows: int,
        max_categories: int,
        derived: Sequence[Derived] = (),
    ) -> "Encoder":
        """Fix the categories: a column of many keeps those with `min_rows` rows, at most `max_categories`.

        A rare category is then missing at training as an unseen one is at serving: the trees learn to handle both.
        """
        features = []
        for column in columns:
            feature = Feature(column.name, column.role, column.format, list(column.null_values))
            if column.role == "category":
                kept = _categories(table[column.name], min_rows, max_categories)
                feature = replace(feature, categories=kept)
            features.append(feature)
        return cls(features, derived)

    def matrix(self, columns: Table, rows: int) -> npt.NDArray[np.float32]:
        """Return the (rows, len(types)) matrix; an absent column is all missing."""
        out = np.full((rows, len(self.types)), np.nan)
        at = 0
        for feature, codes in zip(self.features, self._codes, strict=True):
            values = columns.get(feature.name)
            width = len(DATE_PARTS) if feature.role == "date" else 1
            if values is not None:
                _fill(out[:, at : at + width], feature.role, values, codes)
            at += width
        for place, terms in enumerate(self._sums, at):
            out[:, place] = sum(sign * out[:, column] for column, sign in terms)
        out[~np.isfinite(out)] = np.nan
        np.clip(out, -_LARGEST, _LARGEST, out=out)
        return out.astype(np.float32)


def _fill(out: Floats, role: str, values: Any, codes: dict[str, float]) -> None:
    """Write a column's values into its place of the matrix."""
    if role == "date":
        out[:] = _date_parts(dates(values))
    elif role == "category":
        out[:, 0] = _codes(values, codes)
    else:
        out[:, 0] = numbers(values)


def _categories(values: Iterable[Any], min_rows: int, max_categories: int) -> list[str]:
    counts = Counter(value for value in values if isinstance(value, str))
    few = len(counts) <= FEW
    kept = [name for name, count in counts.items() if few or count >= min_rows]
    kept.sort(key=lambda name: (-counts[name], name))
    return sorted(kept[:max_categories])


def _codes(values: Iterable[Any], codes: dict[str, float]) -> list[float]:
    get, missing = codes.get, float("nan")
    try:
        return [get(value, missing) for value in values]
    except TypeError:  # something unhashable among them
        return [get(value, missing) if isinstance(value, str) else missing for value in values]


def numbers(values: Any) -> Floats:
    """Return values as numbers, NaN where there is none."""
    try:
        found = np.array(values, dtype=np.float64)
        if found.ndim == 1:
            return found
    except (TypeError, ValueError, OverflowError):
        pass
    return np.array([_number(value) for value in values], dtype=np.float64)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return float("nan")


def dates(values: Any) -> npt.NDArray[np.datetime64]:
    """Return values as moments to the second, NaT where there is none."""
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        return values.astype(_SECOND)
    return np.array([_date(value) for value in values], dtype=_SECOND)


def _date(value: Any) -> Any:
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if isinstance(value, datetime) and value.tzinfo:
            value = value.astimezone(UTC).replace(tzinfo=None)
        if isinstance(value, date | np.datetime64):  # a datetime is a date
            return np.datetime64(value).astype(_SECOND)
    except (ValueError, OverflowError):
        pass
    return np.datetime64("NaT", "s")


def _date_parts(moments: npt.NDArray[np.datetime64]) -> Floats:
    """Return year, month, day of month, weekday (0 = Monday) and days since 1970, NaN where there is no date."""
    day, month, year = (moments.astype(f"datetime64[{unit}]") for unit in "DMY")
    days = day.astype(np.int64)
    parts = np.column_stack(
        [
            year.astype(np.int64) + 1970,
            month.astype(np.int64) % 12 + 1,
            (day - month.astype("datetime64[D]")).astype(np.int64) + 1,
            (days + 3) % 7,
            days,
        ]
    ).astype(np.float64)
    parts[np.isnat(moments)] = np.nan
    return parts
