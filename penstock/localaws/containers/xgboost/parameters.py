"""Kinds of hyperparameters: how their text is read, and which values they may have.

The texts of the errors, and how ranges and lists look in them, are those of AWS's sagemaker_algorithm_toolkit.
"""

import ast
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.localaws.containers.xgboost.errors import AlgorithmError, UserError

Check = Callable[[Any, Mapping[str, Any]], None]  # (value, every hyperparameter) → raises UserError


@dataclass(frozen=True)
class Interval:
    """Numbers from `low` to `high`, None for no end; an open end does not belong to them."""

    low: float | None = None
    high: float | None = None
    low_open: bool = False
    high_open: bool = False

    def __contains__(self, value: Any) -> bool:
        if self.low is not None and (value <= self.low if self.low_open else value < self.low):
            return False
        if self.high is None:
            return True
        return bool(value < self.high if self.high_open else value <= self.high)

    def __str__(self) -> str:
        low = "(-inf" if self.low is None else f"{'(' if self.low_open else '['}{self.low}"
        high = "+inf)" if self.high is None else f"{self.high}{')' if self.high_open else ']'}"
        return f"{low}, {high}"


@dataclass(frozen=True)
class Parameter:
    """One hyperparameter.

    Attributes:
        parse: text → value; raises ValueError.
        allowed: what the value, or each of `parts(value)`, must be in; its str is in the error.
        parts: the pieces of a value that is a list; None for a plain value.
        check: what it asks of other hyperparameters.
    """

    name: str
    parse: Callable[[str], Any]
    allowed: Container[Any]
    parts: Callable[[Any], list[Any]] | None = None
    check: Check | None = None
    required: bool = False

    def read(self, text: str) -> Any:
        """The value of the text; UserError when it has none."""
        try:
            return self.parse(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
            kind = type(error).__name__
            raise UserError(
                f"Hyperparameter {self.name}: could not parse value (caused by {kind})"
            ) from error

    def validate(self, value: Any) -> None:
        """UserError when the value is not allowed."""
        if self.parts is None:
            if value not in self.allowed:
                raise UserError(f"Hyperparameter {self.name}: {value} is not in {self.allowed}")
            return
        try:
            inside = all(part in self.allowed for part in self.parts(value))
        except TypeError as error:
            raise AlgorithmError(
                f"Hyperparameter {self.name}: unexpected failure when validating {value} (caused by TypeError)"
            ) from error
        if not inside:
            raise UserError(f"Hyperparameter {self.name}: value {value} not in range {self.allowed}")


def integer(
    name: str, low: float, high: float | None = None, *, is_open: bool = False, required: bool = False
) -> Parameter:
    """A whole number from `low` to `high`; `is_open`: neither end belongs to them."""
    return Parameter(name, int, Interval(low, high, is_open, is_open), required=required)


def number(
    name: str, low: float, high: float | None = None, *, low_open: bool = False, high_open: bool = False
) -> Parameter:
    """A number from `low` to `high`."""
    return Parameter(name, float, Interval(low, high, low_open, high_open))


def choice(name: str, *values: str, check: Check | None = None) -> Parameter:
    """One of some words."""
    return Parameter(name, str, list(values), check=check)


def words(name: str, allowed: Container[Any], check: Check) -> Parameter:
    """Words with commas between them."""
    return Parameter(name, lambda text: text.split(","), allowed, parts=list, check=check)


def literal(text: str) -> Any:
    """A list or tuple written as in Python: (1, -1). Read as data, never run, unlike in AWS's image."""
    return ast.literal_eval(text)
