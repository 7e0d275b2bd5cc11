"""A model's answer in the shape that was asked for; what is no answer is the model's failure, and said so."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.domain import limits
from chalicelib.domain.negotiation import CSV, JSON
from chalicelib.errors import JobFailed


@dataclass(frozen=True, slots=True)
class Shape:
    """What a caller wants: JSON or CSV, one answer or a list, with or without the probability of every class."""

    accept: str
    one: bool
    rows: int | None
    probabilities: bool


def shaped(body: bytes, shape: Shape, where: str) -> tuple[bytes, str]:
    """The answer's body and content type. Raises JobFailed (502) for garbage, BadRequest (413) for too much."""
    predictions = _predictions(body, where)
    if shape.rows is not None and len(predictions) != shape.rows:
        raise _garbage(where, f"{len(predictions)} answers to {shape.rows} records")
    if not shape.probabilities:
        predictions = [_without(one) for one in predictions]
    if shape.accept == CSV:
        told, kind = (
            _csv(predictions, where),
            f"{CSV}; header={'present' if shape.probabilities else 'absent'}",
        )
    else:
        found = predictions[0] if shape.one and predictions else {"predictions": predictions}
        told, kind = json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"), JSON
    if len(told) > limits.ANSWER:
        raise limits.too_large("answer", len(told), limits.ANSWER)
    return told, kind


def _predictions(body: bytes, where: str) -> list[Any]:
    try:
        document = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise _garbage(where, "something that is not JSON") from error
    if isinstance(document, list) and all(isinstance(one, Mapping) and "vector" in one for one in document):
        return document  # word vectors come in BlazingText's form
    if not isinstance(document, Mapping) or not isinstance(document.get("predictions"), list):
        raise _garbage(where, 'JSON without a list "predictions"')
    return list(document["predictions"])


def _refuse(word: str) -> Any:
    raise ValueError(word)


def _garbage(where: str, what: str) -> JobFailed:
    return JobFailed(where, f"the model answered {what}", "Its log is in /aws/sagemaker/Endpoints.")


def _without(one: Any) -> Any:
    if isinstance(one, Mapping) and "probabilities" in one:
        return {name: value for name, value in one.items() if name != "probabilities"}
    return one


def _csv(predictions: Sequence[Any], where: str) -> bytes:
    out = io.StringIO()
    write = csv.writer(out, lineterminator="\n")
    classes = _classes(predictions)
    if classes is not None:
        write.writerow(["prediction", "score", *classes])
    for one in predictions:
        if isinstance(one, Mapping) and isinstance(one.get("vector"), list):
            write.writerow([one.get("word"), *one["vector"]])
            continue
        if not isinstance(one, Mapping) or "prediction" not in one:
            raise _garbage(where, "something that cannot be said in CSV")
        shares = one.get("probabilities") or {}
        score = [one["score"]] if "score" in one else []
        write.writerow([one["prediction"], *score, *(shares.get(name) for name in classes or ())])
    return out.getvalue().encode("utf-8", "replace")


def _classes(predictions: Sequence[Any]) -> list[str] | None:
    first = predictions[0] if predictions else None
    shares = first.get("probabilities") if isinstance(first, Mapping) else None
    return list(shares) if isinstance(shares, Mapping) else None
