"""Takes rows out of a file and leaves every other byte of it as it was. Streamed: memory does not grow with the file.

Rows are counted as data/rows.py counts them: from 1, below the header, blank lines being none. Delimited text is cut at
the places where Arrow's parser sees a row end: a quote opens a cell only where the cell begins, and is doubled in it.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Collection, Iterator
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data.errors import RefusedObject
from data.files import Source
from data.piece import LONGEST_ROW

_CHUNK = 1 << 20  # bytes
Mask = Callable[[pa.RecordBatch], Any]
"""Which rows of a batch go, as a NumPy array of booleans."""


def text(source: Source, path: str, out: str, numbers: Collection[int]) -> int:
    """Write a text file without these rows.

    Args:
        source: how the file at `path` is read: delimited, or JSON lines
        path: the file, unpacked and in UTF-8
        out: where to write
        numbers: of the rows that go

    Returns:
        How many rows there were.

    Raises:
        RefusedObject: a row is longer than a row may be.
    """
    gone = frozenset(numbers)
    count = 0
    delimited = source.format == "delimited"
    with open(path, "rb") as file, open(out, "wb") as target:
        rest = lines(file)
        for _ in range(source.dialect.header_lines if delimited else 0):
            target.write(next(rest, b""))
        whole = _records(rest, source.dialect.delimiter) if delimited and source.dialect.quoting else rest
        for record in whole:
            if blank(record, delimited=delimited):
                target.write(record)
                continue
            count += 1
            if count not in gone:
                target.write(record)
    return count


def blank(record: bytes, *, delimited: bool) -> bool:
    """Whether it is no row: of delimited text nothing at all, of JSON lines nothing but white space."""
    plain = record.removeprefix(codecs.BOM_UTF8)
    return not (plain.strip(b"\r\n") if delimited else plain.strip())


def lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines with their ends, whichever of the three they have.

    Raises:
        RefusedObject: one is longer than a row may be.
    """
    rest = b""
    while chunk := file.read(_CHUNK):
        some = (rest + chunk).splitlines(keepends=True)
        rest = some.pop()
        if len(rest) > LONGEST_ROW:
            raise RefusedObject(f"a row is longer than {LONGEST_ROW >> 20} MB")
        yield from some
    yield from rest.splitlines(keepends=True)


def _records(lines: Iterator[bytes], delimiter: str) -> Iterator[bytes]:
    """Lines put together where a quoted cell goes over several."""
    end = re.escape(delimiter.encode())
    cell = rb'(?:"(?:[^"]++|"")*+"[^%b\r\n]*+|[^"%b\r\n][^%b\r\n]*+|)' % (end, end, end)
    closed = re.compile(rb"%b(?:%b%b)*+[\r\n]*" % (cell, end, cell))
    record = b""
    for line in lines:
        quoted = b'"' in line  # a line without a quote neither opens nor closes a cell
        if not record and not quoted:
            yield line
            continue
        record += line
        if quoted and closed.fullmatch(record.removeprefix(codecs.BOM_UTF8)):
            yield record
            record = b""
        elif len(record) > LONGEST_ROW:
            raise RefusedObject(f"a row is longer than {LONGEST_ROW >> 20} MB")
    if record:
        yield record


def parquet(path: str, out: str, goes: Mask) -> tuple[int, int]:
    """Write a Parquet file without the rows that go, with the same columns, row groups and compression.

    Returns:
        How many rows there were, and how many went.
    """
    with pq.ParquetFile(path) as file:
        told = file.metadata
        packed = told.row_group(0).column(0).compression if told.num_row_groups else "ZSTD"
        count = gone = 0
        with pq.ParquetWriter(out, file.schema_arrow, compression=packed) as writer:
            for place in range(told.num_row_groups):
                for batch in file.iter_batches(batch_size=1 << 16, row_groups=[place]):
                    mask = np.asarray(goes(batch), bool)
                    count, gone = count + batch.num_rows, gone + int(mask.sum())
                    writer.write_batch(batch.filter(pa.array(~mask)))
    return count, gone
