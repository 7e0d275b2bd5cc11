"""JSON lines as columns of text: one object a line, its members the cells.

Numbers stay as they are written, `true` and `false` are words, null and a member that is missing are null, and what is
nested is JSON text. A line that is no such object is marked. Members are joined to columns by name, upper and lower
case being one.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from data.errors import RefusedObject
from data.limits import Limits, too_many_columns
from data.piece import LONGEST_ROW, Mark, Piece, broken

_CHUNK = 1 << 20  # bytes
_CELLS = 1 << 18  # in a piece
_BYTES = 4 << 20  # of lines in a piece
_ODD = re.compile("[\x00\ud800-\udfff]")
Row = list[str | None]


class _Number(str):
    """A number as it was written: no float or int could give it back to the digit."""

    __slots__ = ()


class _TooLong(Exception):
    """A line does not fit."""


def header_key(name: str) -> str:
    """What two spellings of a column's name have in common."""
    return " ".join(name.split()).lower()


def look(path: str, limits: Limits) -> tuple[str, ...]:
    """The members of all objects of a file, in the order they are first met. Reads all of it: the last line may have a
    new one.

    Raises:
        RefusedObject: too many, or not one line is an object.
    """
    known: set[str] = set()
    names: dict[str, str] = {}
    try:
        for line in _lines(path):
            try:
                found = _parsed(line)
            except ValueError:
                continue
            if not found.keys() <= known:
                known.update(found)
                for name in found:
                    names.setdefault(header_key(name), name)
                if problem := too_many_columns(len(names), limits):
                    raise RefusedObject(problem)
    except _TooLong:
        pass  # said when it is read, with its row
    if not names:
        raise RefusedObject("has no line that is a JSON object with members; write one object a line")
    return tuple(names.values())


def pieces(path: str, given: Sequence[str]) -> Iterator[Piece]:
    """The rows of a file. `given` are the names `look` found; rows are lines, blank ones being none."""
    places = {header_key(name): place for place, name in enumerate(given)}
    most = max(1, _CELLS // len(given))
    rows: list[Row] = []
    numbers: list[int] = []
    marks: list[Mark] = []
    number = size = 0
    try:
        for number, line in enumerate(_lines(path), 1):
            size += len(line)
            try:
                rows.append(_cells(_parsed(line), places))
                numbers.append(number)
            except ValueError as error:
                marks.append(Mark(number, str(error), line.decode(errors="replace")))
            if len(rows) >= most or size >= _BYTES:
                yield _piece(rows, numbers, marks)
                rows, numbers, marks, size = [], [], [], 0
    except _TooLong:
        marks.append(broken(f"a line is longer than {LONGEST_ROW >> 20} MB", number + 1))
    yield _piece(rows, numbers, marks)


def _piece(rows: list[Row], numbers: list[int], marks: list[Mark]) -> Piece:
    columns = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
    return Piece(columns, np.array(numbers, np.int64), marks)


def _lines(path: str) -> Iterator[bytes]:
    """The lines that are not blank; within an object no line break can be, so any of the three kinds ends one."""
    rest = b""
    with open(path, "rb") as file:
        if file.read(3) != codecs.BOM_UTF8:
            file.seek(0)
        while chunk := file.read(_CHUNK):
            lines = (rest + chunk).splitlines(keepends=True)
            rest = lines.pop()
            if len(rest) > LONGEST_ROW:
                raise _TooLong
            for one in lines:
                if line := one.strip():
                    yield line
    if rest := rest.strip():
        yield rest


def _parsed(line: bytes) -> dict[str, Any]:
    """The object of a line.

    Raises:
        ValueError: it is none; the message is the row's fault.
    """
    try:
        found = _DECODER.decode(line.decode())
    except json.JSONDecodeError as error:
        raise ValueError(f"is not JSON: {error.msg} at character {error.pos + 1}") from error
    except RecursionError as error:
        raise ValueError("is JSON nested too deeply") from error
    if not isinstance(found, dict):
        raise ValueError("is JSON, but not an object with members")
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"names the member {twice[:80]!r} twice")
    return found


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_Number, parse_int=_Number, parse_constant=_Number
)


def _cells(found: dict[str, Any], places: dict[str, int]) -> Row:
    row: Row = [None] * len(places)
    for name, value in found.items():
        place = places.get(name)
        if place is None:
            place = places[header_key(name)]
        if value is None:
            continue
        if row[place] is not None:
            raise ValueError(f"names the member {name[:80]!r} twice (upper and lower case are one)")
        text = value if isinstance(value, str) else _text(value)
        if "\0" in text or (not text.isascii() and _ODD.search(text)):
            raise ValueError(f"holds a NUL or half a character in {name[:80]!r}")
        row[place] = text
    return row


def _text(value: Any) -> str:
    """A value as JSON text, its numbers as they were written."""
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quoted(name)}:{_text(item)}" for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_text, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
