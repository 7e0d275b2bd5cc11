"""Delimited text as columns of text, by Arrow's parser: a block at a time.

A record that has too many or too few cells is marked. So is a file that stops being parseable, or whose last quote is
never closed: the parser would take the rest of the file for one cell, and say nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc

from data.files import Source
from data.piece import LONGEST_ROW, MOST, Mark, Piece, broken

BLOCK = 2 << 20  # bytes parsed at once; Arrow reads 32 blocks ahead, whatever becomes of them
_TAIL = 1 << 10  # bytes of a file's end in which its last quote stands, unless only line breaks follow it


class _LongRow(Exception):
    """A row is longer than a block."""


def pieces(source: Source, path: str) -> Iterator[Piece]:
    """Parse one file. Rows are records below the header; blank lines are none.

    A file that has a row longer than a block is read once more, in blocks of the longest row there may be: it is rare,
    and small blocks keep memory small.
    """
    done = 0
    marked: set[int] = set()
    try:
        for piece in _pieces(source, path, BLOCK):
            done = int(piece.numbers[-1]) if len(piece.numbers) else done
            marked = {number for number in marked if number > done} | {mark.number for mark in piece.marks}
            yield piece
    except _LongRow:
        for piece in _pieces(source, path, LONGEST_ROW):
            start = int(np.searchsorted(piece.numbers, done, side="right"))
            marks = [
                mark for mark in piece.marks if not 0 < mark.number <= done and mark.number not in marked
            ]
            yield Piece([column[start:] for column in piece.columns], piece.numbers[start:], marks)


def _pieces(source: Source, path: str, block: int) -> Iterator[Piece]:
    bad: list[Mark] = []
    seen: set[int] = set()
    first = source.dialect.header_lines

    def keep(row: Any) -> str:
        bad.append(Mark(row.number - first, _ragged(row), row.text))
        seen.add(row.number - first)
        return "skip"

    following = 1
    last = Mark(0, "", None)
    try:
        for batch in _reader(source, path, keep, block):
            numbers = _numbers(batch.num_rows, following, seen)
            if batch.num_rows:
                following = int(numbers[-1]) + 1
                seen = {number for number in seen if number >= following}
            last = max([last, *_end(batch, numbers), *bad], key=lambda mark: mark.number)
            yield Piece(batch.columns, numbers, tuple(bad))
            bad.clear()
        last = max([last, *bad], key=lambda mark: mark.number)
        yield _marked(*bad, *_unclosed(source, last, path))
    except pa.ArrowInvalid as error:
        if "straddl" in str(error) and block < LONGEST_ROW:
            raise _LongRow from error
        yield _marked(*bad, broken(_words(error), following))


def _marked(*marks: Mark) -> Piece:
    return Piece([], np.zeros(0, np.int64), marks)


def _unclosed(source: Source, last: Mark, path: str) -> Iterator[Mark]:
    if source.dialect.quoting and _never_closed(last, path):
        yield broken(f"a quote opened in row {last.number} is never closed", last.number)


def _reader(source: Source, path: str, keep: Callable[[Any], str], block: int) -> Iterator[pa.RecordBatch]:
    # Single-threaded, because only then does the parser number the rows it hands to `keep`.
    read = pc.ReadOptions(
        column_names=list(source.header),
        skip_rows=source.dialect.header_lines,
        block_size=block,
        use_threads=False,
    )
    parse = pc.ParseOptions(
        delimiter=source.dialect.delimiter,
        quote_char='"' if source.dialect.quoting else False,
        newlines_in_values=source.dialect.quoting,
        invalid_row_handler=keep,
    )
    convert = pc.ConvertOptions(
        column_types={name: pa.string() for name in source.header},
        strings_can_be_null=False,
        check_utf8=False,  # data/text.py did
    )
    with pc.open_csv(path, read, parse, convert) as reader:
        for batch in reader:
            for start in range(0, max(1, batch.num_rows), MOST):
                yield batch.slice(start, MOST)


def _numbers(count: int, following: int, skipped: set[int]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The next `count` row numbers that no ragged row has."""
    ahead = sorted(number for number in skipped if number >= following)
    numbers = np.arange(following, following + count + len(ahead), dtype=np.int64)
    return numbers[~np.isin(numbers, ahead)][:count] if ahead else numbers


def _ragged(row: Any) -> str:
    more = row.actual_columns > row.expected_columns
    hint = "a stray quote or delimiter" if more else "cut off, or a line break outside quotes"
    return f"has {row.actual_columns} cells where the header has {row.expected_columns} ({hint})"


def _end(batch: pa.RecordBatch, numbers: Any) -> Iterator[Mark]:
    """The last row of a batch, with its last cell: a quote never closed shows there."""
    if batch.num_rows:
        yield Mark(int(numbers[-1]), "", batch.column(batch.num_columns - 1)[batch.num_rows - 1].as_py())


def _never_closed(last: Mark, path: str) -> bool:
    """Whether the end of the last row (its last cell, or the whole of it when it is ragged) swallowed lines below it.

    A line break within a row is within quotes, so a file that ends with such a cell ends with a quote. In a ragged row
    an odd number of quotes tells.
    """
    text = last.text or ""
    if "\n" not in text and "\r" not in text:
        return False
    if last.problem:
        return text.count('"') % 2 == 1
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - _TAIL))
        return not file.read().rstrip().endswith(b'"')


def _words(error: pa.ArrowInvalid) -> str:
    words = str(error).splitlines()[0]
    if "straddl" in words:
        return f"a row is longer than {LONGEST_ROW >> 20} MB: most likely a quote is never closed"
    return words
