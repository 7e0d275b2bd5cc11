"""Inputs of several requests as one, and the prediction for it in parts again."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Joined:
    """Rows of several requests, one after the other; `ends` has the place after each request's last."""

    rows: Any
    ends: tuple[int, ...]

    def split(self, prediction: Any) -> list[Any]:
        """Return each request's part of the prediction; raise ValueError if it is not one answer a row."""
        total = self.ends[-1]
        if not isinstance(prediction, list | np.ndarray) or len(prediction) != total:
            raise ValueError(f"the prediction for {total} rows is not a list or array of {total} answers")
        return [prediction[start:end] for start, end in pairwise((0, *self.ends))]


def joined(inputs: Sequence[Any]) -> Joined | None:
    """Return the inputs as one; None when they are no lists, and no arrays that differ in their rows only."""
    if not inputs or not (_are_lists(inputs) or _are_alike(inputs)):
        return None
    ends = tuple(accumulate(len(rows) for rows in inputs))
    if isinstance(inputs[0], list):
        return Joined([row for rows in inputs for row in rows], ends)
    return Joined(np.concatenate(inputs), ends)


def _are_lists(inputs: Sequence[Any]) -> bool:
    """Lists of records or of texts. Not of lists: the first may be the header of a CSV."""
    if not all(type(rows) is list and rows for rows in inputs):
        return False
    kinds = {type(row) for rows in inputs for row in rows}
    return kinds in ({dict}, {str})


def _are_alike(inputs: Sequence[Any]) -> bool:
    """Arrays of rows, or of texts. Not of plain numbers: they may be the values of one row."""
    if not all(isinstance(rows, np.ndarray) and rows.ndim for rows in inputs):
        return False
    kinds = {("U" if rows.dtype.kind == "U" else rows.dtype, rows.shape[1:]) for rows in inputs}
    return len(kinds) == 1 and (inputs[0].ndim > 1 or inputs[0].dtype.kind == "U")
