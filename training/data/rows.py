"""Rows of a checked file as Arrow batches of text: one way to read each format, whichever engine runs.

Every batch has the bookkeeping columns of `INTERNAL` and then the dataset's columns, all text, as `schema` says.
`_plain` is 1 where no cell of the row needs a closer look (data/plain.py).
Rows are numbered from 1 in each file. A row that cannot be used comes with `_problem` and its own `_text`, its cells
null; so does a header line that stands once more among the rows. A file that stops being readable yields one row
numbered 0: whoever reads must then refuse the whole file.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pac

from data import delimited, jsonlines, plain
from data.files import Source
from data.limits import too_many_rows
from data.piece import Mark, Piece

INTERNAL = {
    "_row": pa.int64(),
    "_source": pa.string(),
    "_number": pa.int64(),
    "_problem": pa.string(),
    "_text": pa.string(),
    plain.NAME: pa.int64(),
}
FILES = 32  # bits of `_row` that count the rows of one file; the bits above count the files


def schema(names: Sequence[str]) -> pa.Schema:
    """The shape of every batch for these columns."""
    return pa.schema([*INTERNAL.items(), *((name, pa.string()) for name in names)])


def batches(source: Source, path: str, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Read one file; columns it does not have are null."""
    shape = schema(names)
    count = 0
    for piece in _pieces(source, path):
        sound, repeats = _without_repeats(source, piece)
        count += len(piece.numbers) + len(piece.marks)
        if len(sound.numbers):
            yield _good(source, sound, shape)
        if marks := [*piece.marks, *repeats]:
            yield _marks(source, marks, shape)
        if count > source.limits.rows:
            yield _marks(source, [Mark(0, too_many_rows(source.limits), None)], shape)
            return


def _pieces(source: Source, path: str) -> Iterator[Piece]:
    if source.format == "jsonl":
        return jsonlines.pieces(path, source.given)
    if source.format == "parquet":
        from data import parquet  # noqa: PLC0415  # only when there is such a file

        return parquet.pieces(path, source.date_formats, source.limits)
    return delimited.pieces(source, path)


def _without_repeats(source: Source, piece: Piece) -> tuple[Piece, list[Mark]]:
    """Take out the rows that say what the header says: files were put one below the other."""
    probe = next((place for place, name in enumerate(source.given) if name.strip()), None)
    if probe is None or source.format != "delimited" or not len(piece.numbers):
        return piece, []
    alike = pac.equal(piece.columns[probe], source.given[probe])
    if not alike.true_count:
        return piece, []
    wanted = [name.strip().lower() for name in source.given]
    repeats, keep = [], np.ones(len(piece.numbers), bool)
    for place in np.flatnonzero(alike.to_numpy(zero_copy_only=False)):
        cells = [str(column[place]) for column in piece.columns]
        if [cell.strip().lower() for cell in cells] == wanted:
            keep[place] = False
            text = _line(cells, source.dialect.delimiter)
            repeats.append(Mark(int(piece.numbers[place]), "repeats the header line", text))
    if not repeats:
        return piece, []
    mask = pa.array(keep)
    return Piece([column.filter(mask) for column in piece.columns], piece.numbers[keep]), repeats


def _line(cells: Sequence[str], delimiter: str) -> str:
    line = io.StringIO()
    csv.writer(line, delimiter=delimiter, lineterminator="").writerow(cells)
    return line.getvalue()


def _good(source: Source, piece: Piece, shape: pa.Schema) -> pa.RecordBatch:
    count = len(piece.numbers)
    own = {
        "_row": _integers(piece.numbers + (source.drop.ordinal << FILES)),
        "_source": _repeated(source.drop.key.encode(), count),
        "_number": _integers(piece.numbers),
        plain.NAME: _integers(_plain(source, piece, shape)),
    }
    columns = []
    for field in shape:
        if field.name in own:
            columns.append(own[field.name])
        elif field.name in INTERNAL or field.name not in source.header:
            columns.append(pa.nulls(count, field.type))
        else:
            columns.append(piece.columns[source.header.index(field.name)])
    return pa.RecordBatch.from_arrays(columns, schema=shape)


def _plain(source: Source, piece: Piece, shape: pa.Schema) -> Any:
    found = plain.of(piece.columns, len(piece.numbers))
    whole = set(shape.names) <= {*INTERNAL, *source.header}
    return found if whole else np.where(found == plain.PLAIN, plain.TRIMMED, found)  # absent cells are null


def _integers(numbers: Any) -> pa.Array:
    # Not pa.array(), here and below: it imports pandas, 0.4 s of a job that needs 3.
    return pa.Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(numbers)])


def _repeated(text: bytes, count: int) -> pa.Array:
    ends = np.arange(count + 1, dtype=np.int32) * np.int32(len(text))
    return pa.StringArray.from_buffers(count, pa.py_buffer(ends), pa.py_buffer(text * count))


def _marks(source: Source, marks: Sequence[Mark], shape: pa.Schema) -> pa.RecordBatch:
    rows = [
        {
            "_row": mark.number + (source.drop.ordinal << FILES),
            "_source": source.drop.key,
            "_number": mark.number,
            "_problem": mark.problem,
            "_text": mark.text,
        }
        for mark in marks
    ]
    return pa.RecordBatch.from_pylist(rows, schema=shape)
