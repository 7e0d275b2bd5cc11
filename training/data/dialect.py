"""How a delimited text file is written: its delimiter, its quotes, its header. Guessed from its beginning."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
LARGEST_CELL = 1 << 23  # characters; a row must fit the parser's block (data/rows.py)
_QUOTES_DOUBTED = 0.98  # share of rows as wide as the header below which quotes may be plain characters


@dataclass(frozen=True)
class Dialect:
    """One way to read a file, and what the file's beginning looks like read that way."""

    delimiter: str
    quoting: bool
    header: tuple[str, ...]
    header_lines: int
    rows_seen: int
    even: float

    @property
    def width(self) -> int:
        """The number of columns."""
        return len(self.header)


NO_DIALECT = Dialect(",", True, (), 0, 0, 0.0)  # of an object that was refused before it had one


def sniff(
    sample: str, *, whole: bool, known: Collection[str] = (), delimiter: str | None = None
) -> Dialect | None:
    """The likeliest dialect of a text, or None when it holds no line at all.

    Args:
        sample: the beginning of the file, without a byte order mark
        whole: the sample is the whole file, so its last row is not cut off
        known: column names the spec expects; a delimiter that yields them beats one that does not
        delimiter: the file says itself which it is
    """
    names = {name.lower() for name in known}

    def rank(found: Dialect) -> tuple[int, bool, float, int]:
        hits = sum(name.strip().lower() in names for name in found.header)
        return hits, found.width > 1, round(found.even, 2), found.width

    quoted = [look for look in (_look(sample, one, True, whole) for one in delimiter or DELIMITERS) if look]
    if not quoted:
        return None
    best = max(quoted, key=rank)
    plain = _look(sample, best.delimiter, False, whole)
    return plain if plain and _quotes_are_plain(best, plain) else best


def _quotes_are_plain(quoted: Dialect, plain: Dialect) -> bool:
    """Whether a quote is a character like any other: then rows are more even, or more of them just as even."""
    if plain.header != quoted.header:
        return False
    if quoted.even < _QUOTES_DOUBTED:
        return plain.even > quoted.even
    return plain.even == 1.0 and plain.rows_seen > quoted.rows_seen


def _look(sample: str, delimiter: str, quoting: bool, whole: bool) -> Dialect | None:
    csv.field_size_limit(LARGEST_CELL)
    style: Literal[0, 3] = csv.QUOTE_MINIMAL if quoting else csv.QUOTE_NONE
    reader = csv.reader(io.StringIO(sample, newline=""), delimiter=delimiter, quoting=style)
    header: list[str] = []
    header_lines = 0
    widths: list[int] = []
    longer: list[bool] = []  # by one empty cell
    try:
        for row in reader:
            if not row:
                continue
            if not header:
                header, header_lines = row, reader.line_num
            else:
                widths.append(len(row))
                longer.append(len(row) == len(header) + 1 and not row[-1])
    except csv.Error:
        widths.append(-1)
    if not header:
        return None
    if not whole and len(widths) > 1:
        widths.pop()  # the sample ends somewhere inside it
    if widths and len(longer) >= len(widths) and all(longer[: len(widths)]):
        header.append("")  # rows end with a delimiter, the header does not
    even = sum(width == len(header) for width in widths) / len(widths) if widths else 1.0
    return Dialect(delimiter, quoting, tuple(header), header_lines, len(widths), even)
