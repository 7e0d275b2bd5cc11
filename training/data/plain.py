"""Rows of which no cell needs a closer look: told by their bytes when they are read, for all cells of a row at once.

A cell that begins or ends with white space must be trimmed, an empty one may be a fault, and one that looks like what
programs write for nothing counts as empty. Nearly all rows have no such cell, and to ask each cell costs as much as all
the rest of judging it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

NAME = "_plain"
PLAIN = 1  # no cell is null, empty or one of `EMPTY`, and none has white space around it
TRIMMED = 2  # none has white space around it; anything else in `NAME`, or null: any cell may be anything
EMPTY = ("N/A", "n/a", "#N/A", "NaN", "nan", "-nan", "NULL", "null", "<NA>")
_SPACE = 32  # all white space that is trimmed is at or below it
_SIZES = min(map(len, EMPTY)), max(map(len, EMPTY))


def _letters(words: Sequence[str]) -> npt.NDArray[np.bool_]:
    table = np.zeros(256, bool)
    table[[ord(word) for word in words]] = True
    return table


_FIRST, _LAST = _letters([word[0] for word in EMPTY]), _letters([word[-1] for word in EMPTY])


def of(columns: Sequence[Any], count: int) -> npt.NDArray[np.int64]:
    """`NAME` of so many rows, of their cells as Arrow text."""
    empty, padded = np.zeros(count, bool), np.zeros(count, bool)
    for column in columns:
        _, places, text = column.buffers()
        if text is None or not text.size:
            empty[:] = True
            continue
        ends = np.frombuffer(places, np.int32, count + 1, column.offset * 4)
        letters, sizes = np.frombuffer(text, np.uint8), np.diff(ends)
        # Of an empty cell these are its neighbours' letters: then it may be looked at in vain.
        first, last = letters.take(ends[:-1], mode="clip"), letters.take(ends[1:] - 1, mode="clip")
        padded |= (first <= _SPACE) | (last <= _SPACE)
        word = (sizes >= _SIZES[0]) & (sizes <= _SIZES[1]) & _FIRST[first] & _LAST[last]
        empty |= (sizes == 0) | word
    return np.where(padded, 0, np.where(empty, TRIMMED, PLAIN)).astype(np.int64)
