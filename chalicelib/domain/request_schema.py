"""A model's own request schema, and every value of a request that is not what it says.

The schema is the model's request.schema.json as Evaluate left it: JSON Schema, with `x-features` (each column's role,
date format, words for "not known") and `x-classes` beside it. What the model would take is taken here: a number may be
written as text, as CSV must; a category may be a number or a boolean; a column left out, null or empty is a missing
value; keys the model does not know are ignored, but a record with none that it knows is a mistake.
A model of words (`x-words`) is asked for a plain string as well.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from chalicelib.errors import Fault

Check = Callable[[Any], str | None]


class RequestSchema:
    """Checks requests to one model. Made once a model: a request of one row must not pay for the schema."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        features: Sequence[Mapping[str, Any]] = document.get("x-features") or []
        self.document = document
        self.names = [str(feature["name"]) for feature in features]
        self.of_words = bool(document.get("x-words"))
        self.classes: list[str] | None = document.get("x-classes")
        self._checks = [(str(feature["name"]), _check(feature)) for feature in features]
        texts = [
            name for name, feature in zip(self.names, features, strict=True) if feature["role"] == "text"
        ]
        self._text = texts[0] if texts else None

    @property
    def text(self) -> str | None:
        """The column that {"text": …} stands for; None for a model that reads no text."""
        return self._text

    def faults(self, records: Sequence[Any]) -> Iterable[Fault]:
        """Every value that cannot be used, by its path: instances[2].age."""
        for number, record in enumerate(records):
            for column, problem in self.wrong(record):
                yield Fault(f"instances[{number}]{'.' if column else ''}{column}", problem)

    def wrong(self, record: Any) -> Iterable[tuple[str, str]]:
        """What is wrong with one record, as column ("" for the record itself) and problem."""
        if self.of_words and isinstance(record, str):
            return  # a word by itself
        if not isinstance(record, Mapping):
            yield "", "must be an object of column: value"
            return
        record = self.with_text(record)
        known = False
        for name, check in self._checks:
            if name in record:
                known = True
                problem = check(record[name])
                if problem is not None:
                    yield name, problem
        if not known and self._checks:
            yield "", f"has none of the model's columns: {', '.join(self.names[:20])}"

    def with_text(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """{"text": …} stands for the first text column, so that callers need not know its name."""
        if self._text is None or "text" not in record or self._text in record or "text" in self.names:
            return record
        return {**record, self._text: record["text"]}

    def rows(self, cells: Sequence[list[str]]) -> tuple[list[str], Sequence[list[str]]]:
        """CSV's columns and rows: the first line names the columns if one of its cells is a column's name."""
        header = [cell.strip() for cell in cells[0]]
        if set(header) & set(self.names):
            return header, cells[1:]
        return self.names, cells


def _check(feature: Mapping[str, Any]) -> Check:
    """What says whether a value is of the feature's role; missing ones always are."""
    check = {"number": _number, "category": _category, "date": _date(feature.get("format")), "text": _text}[
        feature["role"]
    ]
    nulls = frozenset(feature.get("null_values") or ())

    def checked(value: Any) -> str | None:
        if value is None or (isinstance(value, str) and (not value.strip() or value in nulls)):
            return None
        return check(value)

    return checked


def _number(value: Any) -> str | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return f"{_shown(value)} is not a number"
    return "must be finite" if math.isinf(number) else None


def _category(value: Any) -> str | None:
    return None if isinstance(value, (str, int, float)) else f"{_shown(value)} is not a string"


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) else f"{_shown(value)} is not text"


def _date(form: str | None) -> Check:
    like = f"like {form} or ISO 8601" if form else "like 2026-01-31 (ISO 8601)"

    def check(value: Any) -> str | None:
        if not isinstance(value, str):
            return f"{_shown(value)} is not a date"
        return None if _is_date(value.strip(), form) else f"{_shown(value)} is not a date {like}"

    return check


def _is_date(text: str, form: str | None) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        try:
            datetime.strptime(text, form or "%Y-%m-%d")  # noqa: DTZ007  # only whether it is one
        except ValueError:
            return False
    return True


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
