"""Parquet as columns of text: what a CSV of the same values would hold, losslessly, for the contract to type again.

Integers and decimals in digits, floating point numbers in the fewest digits that give them back, `true` and `false`,
dates and times in ISO 8601 (in the format of the spec, where the column has one), what is nested as JSON text.
"""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pac
import pyarrow.parquet as pq
import pyarrow.types as kinds

from data.errors import NoRows, RefusedObject
from data.limits import MB, Limits, too_many_columns, too_many_rows, too_much_unpacked
from data.piece import LONGEST_ROW, Mark, Piece, broken

_ROWS = 1 << 15  # in a piece, at most
_ROW_GROUP_MB = 4_096  # unpacked; writers aim at 128
_HARM = (pa.ArrowException, OSError, ValueError, TypeError, OverflowError)


def look(path: str, limits: Limits) -> tuple[str, ...]:
    """The columns of a file, judged by what it says of itself and by its first rows.

    Raises:
        RefusedObject: damaged, empty, too large, or with a column that is no text and has none.
    """
    try:
        with pq.ParquetFile(path) as file:
            names = tuple(file.schema_arrow.names)
            if not file.metadata.num_rows or not names:
                raise NoRows("holds no row; drop a file with rows")
            for problem in _problems(file.metadata, len(names), limits):
                raise RefusedObject(problem)
            # The first rows now, so that a type that cannot be read is an answer and not a surprise.
            for batch in file.iter_batches(batch_size=1):
                for name, column in zip(names, batch.columns, strict=True):
                    _tried(name, column)
                break
    except _HARM as error:
        raise RefusedObject(f"is damaged Parquet ({_words(error)}); write it again and drop that") from error
    return names


def _problems(told: Any, columns: int, limits: Limits) -> Iterator[str]:
    if problem := too_many_columns(columns, limits):
        yield problem
    if told.num_rows > limits.rows:
        yield too_many_rows(limits)
    sizes = [told.row_group(place).total_byte_size for place in range(told.num_row_groups)]
    if sum(sizes) > limits.unpacked_mb * MB:
        yield too_much_unpacked(limits)
    if max(sizes, default=0) > _ROW_GROUP_MB * MB:
        yield f"has a row group of {max(sizes) / MB:,.0f} MB; write row groups of at most {_ROW_GROUP_MB:,} MB"


def _tried(name: str, column: Any) -> None:
    try:
        text_of(column, None)
    except _HARM as error:
        raise RefusedObject(
            f"has a column {name!r} of type {column.type}, which has no text ({_words(error)}); leave it out"
        ) from error


def pieces(path: str, formats: Sequence[str | None], limits: Limits) -> Iterator[Piece]:
    """The rows of a file; `formats` are the date formats of its columns, in order."""
    following, written = 1, 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_rows_at_once(file.metadata)):
                piece = _piece(batch, formats, following)
                following += batch.num_rows
                written += sum(column.nbytes for column in piece.columns)
                yield piece
                if written > limits.unpacked_mb * MB:
                    yield Piece([], np.zeros(0, np.int64), (Mark(0, too_much_unpacked(limits), None),))
                    return
    except _HARM as error:
        problem = f"it is damaged Parquet ({_words(error)})"
        yield Piece([], np.zeros(0, np.int64), (broken(problem, following),))


def _rows_at_once(told: Any) -> int:
    """So many rows that they take about as much memory as a block of text."""
    widest = max(
        told.row_group(place).total_byte_size / max(1, told.row_group(place).num_rows)
        for place in range(told.num_row_groups)
    )
    return int(min(_ROWS, max(1, LONGEST_ROW / max(1.0, widest))))


def _piece(batch: pa.RecordBatch, formats: Sequence[str | None], first: int) -> Piece:
    numbers = np.arange(first, first + batch.num_rows, dtype=np.int64)
    columns, marks = [], []
    bad = np.zeros(batch.num_rows, bool)
    for name, column, form in zip(batch.schema.names, batch.columns, formats, strict=True):
        text, wrong = text_of(column, form), np.zeros(0, np.int64)
        if kinds.is_binary(text.type):
            text, wrong = _as_utf8(text)
        columns.append(text)
        marks += [
            Mark(first + int(place), f"holds bytes in {name[:80]!r} that are no text", None)
            for place in wrong
            if not bad[place]
        ]
        bad[wrong] = True
    if not bad.any():
        return Piece(columns, numbers)
    good = pa.array(np.flatnonzero(~bad))
    return Piece([column.take(good) for column in columns], numbers[~bad], marks)


def _as_utf8(column: pa.Array) -> tuple[pa.Array, Any]:
    """Bytes as text, and the places of those that are none: not UTF-8, or with a NUL."""
    values = column.to_pylist()
    texts: list[str | None] = []
    wrong = []
    for place, value in enumerate(values):
        try:
            text = None if value is None else value.decode()
        except UnicodeDecodeError:
            text = "\0"
        if text is not None and "\0" in text:
            wrong.append(place)
            text = None
        texts.append(text)
    return pa.array(texts, pa.string()), np.array(wrong, np.int64)


def text_of(column: pa.Array, form: str | None) -> pa.Array:
    """A column as text; as binary when it holds bytes that may be none."""
    column = _bare(column)
    kind = column.type
    if kinds.is_nested(kind):
        return pa.array([None if item is None else _json(item) for item in column.to_pylist()], pa.string())
    if kinds.is_temporal(kind):
        return _moment(column, form)
    if _is_bytes(kind):
        return _sound(column)
    return (column.cast(pa.float32()) if kinds.is_float16(kind) else column).cast(pa.string())


def _bare(column: pa.Array) -> pa.Array:
    """The values themselves, not what is only a way to keep or to name them."""
    if isinstance(column, pa.ExtensionArray):
        return _bare(column.storage)
    return _bare(column.dictionary_decode()) if kinds.is_dictionary(column.type) else column


def _is_bytes(kind: pa.DataType) -> bool:
    tests = (
        kinds.is_string, kinds.is_large_string, kinds.is_binary, kinds.is_large_binary,
        kinds.is_fixed_size_binary, kinds.is_string_view, kinds.is_binary_view,
    )  # fmt: skip
    return any(test(kind) for test in tests) and not kinds.is_decimal(kind)


def _sound(column: pa.Array) -> pa.Array:
    """Text where all of it is; a file may call anything a string. Else bytes, to be looked at one by one."""
    raw = column.cast(pa.binary())
    text = raw.view(pa.string())
    try:
        text.validate(full=True)
    except pa.ArrowInvalid:
        return raw
    return raw if b"\0" in memoryview(raw.buffers()[2] or b"").tobytes() else text


def _moment(column: pa.Array, form: str | None) -> pa.Array:
    kind = column.type
    if kinds.is_duration(kind):
        return column.cast(pa.int64()).cast(pa.string())
    if kinds.is_time(kind):
        return column.cast(pa.string())
    if form is not None:
        return _formatted(column, form)
    if kinds.is_timestamp(kind) and kind.tz is not None:
        utc = column.cast(pa.timestamp(kind.unit)).cast(pa.string())
        return pac.binary_join_element_wise(utc, "Z", "")
    return (column.cast(pa.date32()) if kinds.is_date(kind) else column).cast(pa.string())


def _formatted(column: pa.Array, form: str) -> pa.Array:
    """In the format in which the spec expects the dates of this column."""
    kind = column.type
    zone = datetime.UTC if kinds.is_timestamp(kind) and kind.tz is not None else None
    micros = column.cast(pa.timestamp("us", kind.tz if zone else None), safe=False)
    start = datetime.datetime(1970, 1, 1, tzinfo=zone or datetime.UTC)
    values = [
        None if value is None else (start + datetime.timedelta(microseconds=value)).strftime(form)
        for value in micros.cast(pa.int64()).to_pylist()
    ]
    return pa.array(values, pa.string())


def _json(value: Any) -> str:
    return json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"), default=_unusual)


def _plain(value: Any) -> Any:
    """Maps come from Arrow as lists of pairs: they are objects."""
    if isinstance(value, list):
        if value and all(isinstance(item, tuple) and len(item) == 2 for item in value):
            return {str(name): _plain(item) for name, item in value}
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return value


def _unusual(value: Any) -> str:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return base64.b64encode(value).decode()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _words(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
