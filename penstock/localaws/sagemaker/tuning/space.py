"""The hyperparameters a tuning searches: ranges as numbers, values as the strings a training job receives.

A range maps every value to a coordinate in which its scaling is linear, and back; a search works on coordinates. Pure.
"""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Params = dict[str, Any]
Values = dict[str, str]  # hyperparameter → what the training job gets

_WIDE = 100.0  # Auto: a positive range over this many times its smallest value is searched by magnitude


class Kind(StrEnum):
    """The three kinds of range."""

    INTEGER = "Integer"
    CONTINUOUS = "Continuous"
    CATEGORICAL = "Categorical"


class Scaling(StrEnum):
    """How a numeric range is searched; Auto is decided when the range is read."""

    LINEAR = "Linear"
    LOGARITHMIC = "Logarithmic"
    REVERSE = "ReverseLogarithmic"


@dataclass(frozen=True)
class Range:
    """One hyperparameter: its numeric bounds (both may be taken), or its categories."""

    name: str
    kind: Kind
    low: float = 0.0
    high: float = 0.0
    scaling: Scaling = Scaling.LINEAR
    categories: tuple[str, ...] = ()

    @property
    def size(self) -> float:
        """How many values there are; infinite when continuous."""
        if self.kind is Kind.CATEGORICAL:
            return len(self.categories)
        if self.kind is Kind.INTEGER:
            return self.high - self.low + 1
        return 1 if self.low == self.high else math.inf

    def draw(self, dice: random.Random) -> str:
        """A value, uniform in its scaling."""
        if self.kind is Kind.CATEGORICAL:
            return dice.choice(self.categories)
        if self.kind is Kind.INTEGER and self.scaling is Scaling.LINEAR:
            return str(dice.randint(int(self.low), int(self.high)))
        low, high = self.bounds
        return self.text(dice.uniform(low, high))

    @property
    def bounds(self) -> tuple[float, float]:
        """The smallest and the largest coordinate."""
        ends = (self._forward(self.low), self._forward(self.high))
        return min(ends), max(ends)

    def coordinate(self, text: str) -> float | None:
        """Where a numeric value lies; None when it is no number of this range."""
        try:
            value = float(text)
        except ValueError:
            return None
        if not self.low <= value <= self.high or (self.kind is Kind.INTEGER and value != int(value)):
            return None
        return self._forward(value)

    def text(self, coordinate: float) -> str:
        """The value at a coordinate, as the training job gets it."""
        value = min(max(self._backward(coordinate), self.low), self.high)
        return str(round(value)) if self.kind is Kind.INTEGER else repr(float(value))

    def holds(self, text: str) -> bool:
        """Whether `text` is a value of this range."""
        if self.kind is Kind.CATEGORICAL:
            return text in self.categories
        return self.coordinate(text) is not None

    def _forward(self, value: float) -> float:
        if self.scaling is Scaling.LOGARITHMIC:
            return math.log(value)
        return -math.log(1.0 - value) if self.scaling is Scaling.REVERSE else value

    def _backward(self, coordinate: float) -> float:
        if self.scaling is Scaling.LOGARITHMIC:
            return math.exp(coordinate)
        return 1.0 - math.exp(-coordinate) if self.scaling is Scaling.REVERSE else coordinate


Space = tuple[Range, ...]


def read(ranges: Params) -> Space:
    """The space of checked ParameterRanges."""
    numeric = [(Kind.INTEGER, one) for one in ranges.get("IntegerParameterRanges", [])]
    numeric += [(Kind.CONTINUOUS, one) for one in ranges.get("ContinuousParameterRanges", [])]
    found = [_numeric(kind, one) for kind, one in numeric]
    for one in ranges.get("CategoricalParameterRanges", []):
        found.append(Range(one["Name"], Kind.CATEGORICAL, categories=tuple(one["Values"])))
    return tuple(found)


def _numeric(kind: Kind, given: Params) -> Range:
    low, high = float(given["MinValue"]), float(given["MaxValue"])
    asked = given.get("ScalingType", "Auto")
    if asked == "Auto":
        asked = Scaling.LOGARITHMIC if low > 0 and high / low >= _WIDE else Scaling.LINEAR
    return Range(given["Name"], kind, low, high, Scaling(asked))


def combinations(space: Space) -> float:
    """How many different settings there are; infinite with anything continuous."""
    return math.prod((one.size for one in space), start=1.0)


def nth(space: Space, number: int) -> Values:
    """The `number`-th (from 0) of all combinations; the last range turns fastest. For finite ranges only."""
    chosen: Values = {}
    for one in reversed(space):
        number, at = divmod(number, int(one.size))
        chosen[one.name] = _value(one, at)
    return {one.name: chosen[one.name] for one in space}


def _value(one: Range, at: int) -> str:
    if one.kind is Kind.CATEGORICAL:
        return one.categories[at]
    return str(int(one.low) + at) if one.kind is Kind.INTEGER else repr(one.low)


def fit(space: Space, known: Mapping[str, str]) -> Values | None:
    """The settings of `known` that this space searches; None when one is missing or outside."""
    if all(one.name in known and one.holds(known[one.name]) for one in space):
        return {one.name: known[one.name] for one in space}
    return None


def names(space: Sequence[Range]) -> list[str]:
    """The hyperparameters' names."""
    return [one.name for one in space]
