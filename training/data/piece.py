"""What every reader hands on: some rows of one file as columns of text, and the rows that are none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

LONGEST_ROW = 8 << 20  # bytes; also what a reader takes at once
MOST = 1 << 17  # rows in a piece


@dataclass(frozen=True)
class Mark:
    """A row that cannot be used: its number, why, and what it says. Number 0 refuses the whole file."""

    number: int
    problem: str
    text: str | None


@dataclass(frozen=True)
class Piece:
    """Rows of a file: `columns` in the order of its header (Arrow text) and `numbers`, as long as they are."""

    columns: Sequence[Any]
    numbers: Any
    marks: Sequence[Mark] = ()


def broken(problem: str, following: int) -> Mark:
    """The mark of a file that stops being readable before the row `following`."""
    return Mark(
        0, f"cannot be read after row {following - 1}: {problem}; correct the file and drop it again", None
    )
