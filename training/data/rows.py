"""Rows of a checked file as Arrow batches of text: the one parser, whichever engine runs.

Every batch has the bookkeeping columns of `INTERNAL` and then the dataset's columns, all text, as `schema` says.
A row is a record below the header; blank lines are none. Rows are numbered from 1 in each file. A record that has too
many or too few cells comes with `_problem` and its own `_text`, its cells null. A file that stops being parseable
yields one row numbered 0: whoever reads must then refuse the whole file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc

from data.files import Source

INTERNAL = {
    "_row": pa.int64(),
    "_source": pa.string(),
    "_number": pa.int64(),
    "_problem": pa.string(),
    "_text": pa.string(),
}
BLOCK = 8 << 20  # bytes parsed at once: also the longest row there can be
MOST = 1 << 17  # rows in a batch
FILES = 32  # bits of `_row` that count the rows of one file; the bits above count the files


def schema(names: Sequence[str]) -> pa.Schema:
    """The shape of every batch for these columns."""
    return pa.schema([*INTERNAL.items(), *((name, pa.string()) for name in names)])


def batches(source: Source, path: str, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Parse one file; columns it does not have are null."""
    shape = schema(names)
    ragged: list[Any] = []
    seen: set[int] = set()
    first = source.dialect.header_lines

    def keep(row: Any) -> str:
        ragged.append(row)
        seen.add(row.number - first)
        return "skip"

    following = 1
    try:
        for batch in _reader(source, path, keep):
            numbers = _numbers(batch.num_rows, following, seen)
            if batch.num_rows:
                following = int(numbers[-1]) + 1
                seen = {number for number in seen if number >= following}
                yield _good(source, batch, numbers, shape)
            if ragged:
                yield _bad(source, ragged, first, shape)
                ragged.clear()
        if ragged:
            yield _bad(source, ragged, first, shape)
    except pa.ArrowInvalid as error:
        yield _broken(source, error, following, shape)


def _reader(source: Source, path: str, keep: Any) -> Iterator[pa.RecordBatch]:
    # Single-threaded, because only then does the parser number the rows it hands to `keep`.
    read = pc.ReadOptions(
        column_names=list(source.header),
        skip_rows=source.dialect.header_lines,
        block_size=BLOCK,
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


def _good(source: Source, batch: pa.RecordBatch, numbers: Any, shape: pa.Schema) -> pa.RecordBatch:
    count = batch.num_rows
    own = {
        "_row": _integers(numbers + (source.drop.ordinal << FILES)),
        "_source": _repeated(source.drop.key.encode(), count),
        "_number": _integers(numbers),
    }
    columns = []
    for field in shape:
        if field.name in own:
            columns.append(own[field.name])
        elif field.name in INTERNAL or field.name not in source.header:
            columns.append(pa.nulls(count, field.type))
        else:
            columns.append(batch.column(source.header.index(field.name)))
    return pa.RecordBatch.from_arrays(columns, schema=shape)


def _integers(numbers: Any) -> pa.Array:
    # Not pa.array(), here and below: it imports pandas, 0.4 s of a job that needs 3.
    return pa.Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(numbers)])


def _repeated(text: bytes, count: int) -> pa.Array:
    ends = np.arange(count + 1, dtype=np.int32) * np.int32(len(text))
    return pa.StringArray.from_buffers(count, pa.py_buffer(ends), pa.py_buffer(text * count))


def _bad(source: Source, ragged: Sequence[Any], first: int, shape: pa.Schema) -> pa.RecordBatch:
    return _marks(source, [(row.number - first, _ragged(row), row.text) for row in ragged], shape)


def _ragged(row: Any) -> str:
    more = row.actual_columns > row.expected_columns
    hint = "a stray quote or delimiter" if more else "cut off, or a line break outside quotes"
    return f"has {row.actual_columns} cells where the header has {row.expected_columns} ({hint})"


def _broken(source: Source, error: pa.ArrowInvalid, following: int, shape: pa.Schema) -> pa.RecordBatch:
    words = str(error).splitlines()[0]
    if "straddl" in words:
        words = f"a row is longer than {BLOCK >> 20} MB: most likely a quote is never closed"
    problem = f"cannot be read after row {following - 1}: {words}; correct the file and drop it again"
    return _marks(source, [(0, problem, None)], shape)


def _marks(source: Source, marks: Sequence[tuple[int, str, str | None]], shape: pa.Schema) -> pa.RecordBatch:
    rows = [
        {
            "_row": number + (source.drop.ordinal << FILES),
            "_source": source.drop.key,
            "_number": number,
            "_problem": problem,
            "_text": text,
        }
        for number, problem, text in marks
    ]
    return pa.RecordBatch.from_pylist(rows, schema=shape)
