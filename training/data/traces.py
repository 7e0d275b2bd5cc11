"""What tells a record that is to be erased: its key, in columns and members of that name, and its own free texts.

A key is compared as text, without white space around it, as the merge does; where a column was typed (numbers, dates in
prepared data), by value. Documents that have no rows are searched for the key as a word of its own, if it has four
characters or more (else every page would hold it), and for the beginnings of the record's texts.
"""

from __future__ import annotations

import base64
import binascii
import html
import itertools
import json
import re
import threading
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pac
import pyarrow.types as kinds

from data.merge import UNIT
from data.spec import Spec

SHORTEST = 4  # characters of a key that is looked for outside its own column
_TELLING = 16  # characters a text must have to tell a record
_BEGINNING = 40  # characters of a text that are looked for: pages cut texts off
_DEEPEST = 60  # levels of nesting that are looked into
ERASED = "[erased]"


class Traces:
    """The keys that are to be erased, and what has been found out about their records."""

    def __init__(self, spec: Spec, keys: Iterable[Sequence[str]], texts: Iterable[str] = ()) -> None:
        """`keys`: each as the values of the spec's key columns; `texts`: what `learn` found before."""
        self.columns = spec.key
        self.keys = [tuple(part.strip() for part in key) for key in keys]
        self.texts = frozenset(texts)
        self._learning = threading.Lock()
        self._spec = spec
        self._joined = pa.array([UNIT.join(key) for key in self.keys], pa.string())
        self._known = {UNIT.join(key) for key in self.keys}
        words = [key for key in self.keys if max(map(len, key)) >= SHORTEST]
        self._words = [[_word(part) for part in key] for key in words]
        self._plain = [list(key) for key in words]

    # ── Tables ────────────────────────────────────────────────────────────────────────────────────────────────
    def in_columns(self, names: Sequence[str], columns: Sequence[Any]) -> Any:
        """Which rows have one of the keys in their key columns, as booleans; None when a key column is not there."""
        places = {name.lower(): place for place, name in reversed(list(enumerate(names)))}
        if any(name.lower() not in places for name in self.columns):
            return None
        found = [columns[places[name.lower()]] for name in self.columns]
        if all(_is_text(column.type) for column in found):
            return self._same(found)
        return self._same_values(found)

    def _same(self, columns: Sequence[Any]) -> Any:
        stripped = [pac.utf8_trim_whitespace(column.cast(pa.string())) for column in columns]
        joined = stripped[0] if len(stripped) == 1 else pac.binary_join_element_wise(*stripped, UNIT)
        return np.asarray(pac.fill_null(pac.is_in(joined, self._joined), False))

    def _same_values(self, columns: Sequence[Any]) -> Any:
        """Of columns that were typed: numbers and dates by value."""
        result = np.zeros(len(columns[0]), bool)
        for key in self.keys:
            same = np.ones(len(columns[0]), bool)
            for name, part, column in zip(self.columns, key, columns, strict=True):
                same &= self._equal(name, part, column)
            result |= same
        return result

    def _equal(self, name: str, part: str, column: Any) -> Any:
        kind = column.type
        value: Any = part
        if kinds.is_floating(kind) or kinds.is_integer(kind):
            value = _number(part)
        elif kinds.is_temporal(kind):
            form = next((one.format for one in self._spec.columns if one.name == name), None)
            value = _moment(part, form)
            column = column.cast(pa.timestamp("us")) if value is not None else column
        else:
            column = pac.utf8_trim_whitespace(column.cast(pa.string()))
        if value is None:
            return np.zeros(len(column), bool)
        kind = pa.timestamp("us") if isinstance(value, datetime) else pa.float64()
        scalar = pa.scalar(value, pa.string() if isinstance(value, str) else kind)
        column = column.cast(pa.float64()) if isinstance(value, float) else column
        return np.asarray(pac.fill_null(pac.equal(column, scalar), False))

    def in_record(self, record: Any) -> Any:
        """Which rows of a `map<string, string>` hold one of the keys."""
        found = [pac.map_lookup(record, pa.scalar(name), "first") for name in self.columns]
        return self._same(found)

    def learn(self, names: Sequence[str], columns: Sequence[Any], rows: Any) -> None:
        """Keep the free texts of these rows (places in the columns): what may quote the record tells it by them."""
        texts = {one.name for one in self._spec.columns if one.role == "text"}
        for name, column in zip(names, columns, strict=True):
            if name in texts and _is_text(column.type):
                self._know(_beginnings(column.take(pa.array(rows)).to_pylist()))

    def learn_records(self, records: Iterable[Any]) -> None:
        """As `learn`, of rows that are lists of pairs."""
        texts = {one.name for one in self._spec.columns if one.role == "text"}
        for record in records:
            self._know(_beginnings(value for name, value in record or () if name in texts))

    def _know(self, more: set[str]) -> None:
        """Other threads are looking for the texts meanwhile: they keep the set they have begun with."""
        if not more <= self.texts:
            with self._learning:
                self.texts |= more

    # ── Documents ─────────────────────────────────────────────────────────────────────────────────────────────
    def in_text(self, text: str) -> bool:
        """Whether a text holds a key as a word of its own, or a text of its record."""
        for parts, words in zip(self._plain, self._words, strict=True):
            there = all(part in text for part in parts)
            if there and all(word.search(text) for word in words):
                return True
        return any(told in text for told in self.texts)

    def in_page(self, text: str) -> bool:
        """As `in_text`, for text in which characters may be written as HTML, CSV or JSON writes them."""
        forms = (text, html.unescape(text), text.replace('""', '"'), _unescaped(text))
        return any(self.in_text(form) for form in dict.fromkeys(forms))

    def in_json(self, value: Any, depth: int = 0) -> bool:
        """Whether a JSON value holds a record: by the members named as the key's columns, or a text anywhere."""
        if depth > _DEEPEST:
            return self.in_page(json.dumps(value, ensure_ascii=False))
        if isinstance(value, dict):
            return (
                self._is_record(value)
                or self.in_json(_decoded(value), depth + 1)
                or any(self.in_json(part, depth + 1) for part in (*value, *value.values()))
            )
        if isinstance(value, list):
            return any(self.in_json(part, depth + 1) for part in value)
        if isinstance(value, str):
            return self.in_text(value) or self.in_json(_nested(value), depth + 1)
        return False

    def _is_record(self, value: dict[str, Any]) -> bool:
        members = {str(name).lower(): part for name, part in value.items()}
        parts = [members.get(name.lower()) for name in self.columns]
        if any(part is None or isinstance(part, (dict, list)) for part in parts):
            return False
        texts = [part if isinstance(part, str) else json.dumps(part) for part in parts]
        return UNIT.join(text.strip() for text in texts) in self._known

    def redacted(self, value: Any) -> Any:
        """A JSON value without what holds a record: a record keeps its members' names, its words and numbers go.

        A name that itself holds a record is replaced by one with a number, `[erased 1]`.
        """
        return self._redacted(value, 0)

    def _redacted(self, value: Any, depth: int) -> Any:
        if depth > _DEEPEST:  # as in_json, which looks no deeper
            return ERASED if self.in_json(value, depth) else value
        if isinstance(value, dict):
            if self._is_record(value):
                value = _blank(value)
            elif self.in_json(_decoded(value)):
                value = {**value, "data": ERASED}
            names = self._names(value)
            return {names[name]: self._redacted(part, depth + 1) for name, part in value.items()}
        if isinstance(value, list):
            return [self._redacted(part, depth + 1) for part in value]
        return ERASED if isinstance(value, str) and self.in_json(value) else value

    def _names(self, value: Iterable[str]) -> dict[str, str]:
        """What each member is called afterwards."""
        free = (name for number in itertools.count(1) if (name := f"{ERASED[:-1]} {number}]") not in value)
        return {name: next(free) if self.in_json(name) else name for name in value}


def _blank(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _blank(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_blank(part) for part in value]
    return ERASED if isinstance(value, str) else None


def _word(part: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(part)}(?!\w)")


def _is_text(kind: pa.DataType) -> bool:
    return bool(kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind))


def _beginnings(texts: Iterable[str | None]) -> set[str]:
    stripped = (text.strip() for text in texts if text)
    return {text[:_BEGINNING] for text in stripped if len(text) >= _TELLING}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _moment(text: str, form: str | None) -> datetime | None:
    try:
        found = datetime.strptime(text, form) if form else datetime.fromisoformat(text)  # noqa: DTZ007  # UTC below
    except ValueError:
        return None
    return found.astimezone(UTC).replace(tzinfo=None) if found.tzinfo else found


def _nested(text: str) -> Any:
    """The JSON in a text, if it is an object or a list; else None."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _decoded(value: dict[str, Any]) -> Any:
    """What a captured request says that is written in base64."""
    if str(value.get("encoding", "")).upper() != "BASE64" or not isinstance(value.get("data"), str):
        return None
    try:
        return base64.b64decode(value["data"]).decode(errors="replace")
    except (binascii.Error, ValueError):
        return None


def _unescaped(text: str) -> str:
    r"""Text with JSON's `\uXXXX` and `\"` as the characters they stand for."""
    plain = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)
    return plain.replace('\\"', '"').replace("\\/", "/")
