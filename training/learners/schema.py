"""What a request may hold: reads records into columns, and names every value that cannot be what it should."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from learners.errors import BadRequest

MAX_FAULTS = 20  # as many as a person reads
_BOOLEANS = ("true", "True", "TRUE", "1", "yes"), ("false", "False", "FALSE", "0", "no")


@dataclass(frozen=True)
class Feature:
    """A column the model looks at: role number, category, date or text; the categories known since training."""

    name: str
    role: str
    format: str | None = None
    null_values: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """Return the feature as JSON."""
        return {key: value for key, value in asdict(self).items() if value}


class Reader:
    """Reads requests for a model. Made once, since a request of one row should not cost more than its row."""

    def __init__(self, features: Sequence[Feature]) -> None:
        self._names = frozenset(feature.name for feature in features)
        self._readers = [(feature.name, _reader(feature)) for feature in features]

    def columns(self, records: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
        """Return the records' values by column, typed; raise BadRequest with every fault.

        Unknown keys are ignored, absent ones are missing values, but a record with no known key at all is a fault.
        """
        faults = self._strangers(records)
        columns: dict[str, list[Any]] = {}
        for name, read in self._readers:
            column: list[Any] = []
            for number, record in enumerate(records):
                try:
                    column.append(read(record.get(name)))
                except ValueError as problem:
                    faults.append({"instance": number, "column": name, "problem": str(problem)})
            columns[name] = column
        if faults:
            faults.sort(key=lambda fault: fault["instance"])
            raise BadRequest(f"{len(faults)} value(s) cannot be used", faults[:MAX_FAULTS])
        return columns

    def _strangers(self, records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        problem = f"has none of the model's columns: {', '.join(sorted(self._names))}"
        return [
            {"instance": number, "column": None, "problem": problem}
            for number, record in enumerate(records)
            if self._names.isdisjoint(record)
        ]


def json_schema(features: Sequence[Feature], title: str, *, words: bool = False) -> dict[str, Any]:
    """Return the JSON Schema of a request's body, for people and for clients' generators.

    `words`: an instance may be a plain string, one word.
    """
    instance: dict[str, Any] = {
        "type": "object",
        "properties": {f.name: _json_type(f) for f in features},
        "additionalProperties": True,
    }
    if words:
        instance = {"anyOf": [{"type": "string"}, instance]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "description": "A feature left out, or null, is a missing value; other keys are ignored.",
        "type": "object",
        "required": ["instances"],
        "properties": {"instances": {"type": "array", "minItems": 1, "items": instance}},
    }


def _reader(feature: Feature) -> Callable[[Any], Any]:
    """Return the function that turns one raw value into the feature's type; None is a missing value."""
    read = {"number": _number, "category": _category(feature), "date": _date(feature), "text": _text}[
        feature.role
    ]
    nulls = frozenset(feature.null_values)

    def reader(value: Any) -> Any:
        if value is None or (isinstance(value, str) and (not value.strip() or value in nulls)):
            return None
        return read(value)

    return reader


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{_shown(value)} is not a number") from None
    if math.isinf(number):
        raise ValueError("must be finite")
    return None if math.isnan(number) else number


def _category(feature: Feature) -> Callable[[Any], str | None]:
    known = frozenset(feature.categories)

    def read(value: Any) -> str | None:
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            return next((text for text in _BOOLEANS[0 if value else 1] if text in known), str(value))
        if isinstance(value, int | float):
            return None if math.isnan(value) else _as_written(value, known)
        raise ValueError(f"{_shown(value)} is not a string")

    return read


def _as_written(value: float, known: frozenset[str]) -> str:
    """Return a number as the uploads wrote it: 1 and 1.0 are the same number but two categories."""
    texts = [str(value)]
    if math.isfinite(value) and float(value).is_integer():
        texts += [str(int(value)), str(float(int(value))) if abs(value) < 1e15 else str(value)]
    return next((text for text in texts if text in known), texts[0])


def _date(feature: Feature) -> Callable[[Any], datetime]:
    def read(value: Any) -> datetime:
        if isinstance(value, datetime):
            return _naive(value)
        if isinstance(value, date):
            return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - dates are kept without a zone
        if not isinstance(value, str):
            raise ValueError(f"{_shown(value)} is not a date")
        return _naive(_parsed(value.strip(), feature.format))

    return read


def _parsed(text: str, form: str | None) -> datetime:
    try:
        return datetime.strptime(text, form or "%Y-%m-%d")  # noqa: DTZ007 - kept without a zone
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        like = f"like {form} or ISO 8601" if form else "like 2026-01-31 (ISO 8601)"
        raise ValueError(f"{_shown(text)} is not a date {like}") from None


def _naive(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    except OverflowError:
        raise ValueError(f"{value.isoformat()} is out of range") from None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return str(value)
    raise ValueError(f"{_shown(value)} is not text")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _json_type(feature: Feature) -> dict[str, Any]:
    if feature.role == "number":
        return {"type": ["number", "null"]}
    document: dict[str, Any] = {"type": ["string", "null"]}
    if feature.categories:
        document["examples"] = feature.categories[:20]
    if feature.role == "date":
        document["description"] = (
            f"a date like {feature.format}, or ISO 8601" if feature.format else "ISO 8601"
        )
    return document
