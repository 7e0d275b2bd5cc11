"""Serves a plain scikit-learn or XGBoost model: requests by record, text or row; answers with probabilities.

The functions of an image without code (`SERVING_DEFAULTS=serving.plain`), and for what a module with model_fn alone
leaves out. `model.ubj` or `model.json` is XGBoost's own file and holds data only. `model.joblib` is a pickle: reading
it runs whatever its writer put there, so it is read only when `SERVING_UNPICKLE=true` says that you trust the writer.
Answers come from the model's quicker form where that one has proved to be equal, else from the model.
"""

import csv
import io
import json
import math
import os
from collections.abc import Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from serving import codec, log
from serving.errors import RequestError, StartError
from serving.fast import equality, forms

QUICK = True  # a model without a quicker form is not: see Plain.quick
MAX_FAULTS = 20
HELD_BACK = "held_back.jsonl"
_KINDS = {int, float}
_SINGLE, _DOUBLE = ((kind, float(np.finfo(kind).max)) for kind in (np.float32, np.float64))
_XGBOOST, _PICKLE = ("model.ubj", "model.json"), ("model.joblib", "model.pkl")


class Plain:
    """A model with what a request for it may hold: texts, or `names` numbers in this order."""

    def __init__(self, model: Any) -> None:
        found = forms.of(model)
        self._texts = _reads_texts(model)
        self.names = [] if self._texts else _names(model)
        self._headings = {name for name in self.names if _is_word(name)}
        self._classes = _classes(model)
        self._missing = type(model).__module__.startswith(
            "xgboost"
        )  # which learns what a missing value means
        self._form = (
            found if found is not None and _proved(model, found, equality.probes(model, found)) else None
        )
        self._model = model
        self.quick = self._form is not None

    def settle(self, held_back: Path) -> None:
        """Compare on the rows of a file too; then forget the original if it is not needed."""
        if self._form is not None and held_back.is_file():
            lines = held_back.read_text(encoding="utf-8").split("\n")  # texts may hold what else ends a line
            rows = [row for line in lines if line.strip() for row in _from_json(line)]
            if rows and not _proved(self._model, self._form, self._rows(rows)):
                self._form, self.quick = None, False
        if self._form is not None:
            self._model = None

    def answers(self, data: Any) -> list[dict[str, Any]]:
        """Return an answer for each row; raise RequestError with every fault."""
        rows = self._rows(data)
        told = self._form.predict(rows) if self._form is not None else equality.original(self._model, rows)
        scores = np.asarray(told)
        if self._classes is None or scores.ndim == 1:  # values; labels where there are no probabilities
            return [{"prediction": value} for value in scores.tolist()]
        scores, (classes, names) = scores.astype(np.float64), self._classes
        return [
            {"prediction": classes[k], "score": row[k], "probabilities": dict(zip(names, row, strict=True))}
            for k, row in zip(scores.argmax(axis=1).tolist(), scores.tolist(), strict=True)
        ]

    def _rows(self, data: Any) -> Any:
        faults: list[dict[str, Any]] = []
        if self._texts:
            rows: Any = [_text(row, number, faults) for number, row in enumerate(data)]
        else:
            rows = self._numbers(data, faults)
        if faults:
            raise RequestError(400, f"{len(faults)} value(s) cannot be used", {"faults": faults[:MAX_FAULTS]})
        return rows

    def _numbers(self, data: Any, faults: list[dict[str, Any]]) -> Any:
        names, width = self.names, len(self.names)
        # A form and XGBoost compute in float32; other models may need all digits of a float64.
        kind, largest = _SINGLE if self._form is not None or self._missing else _DOUBLE
        if isinstance(data, np.ndarray):
            if data.shape[1:] == (width,) and _are_small(data):
                return data.astype(kind, copy=False)
            data = data.tolist()
        if len(data) > 1 and isinstance(data[0], list) and self._is_header(data[0]):
            data = [dict(zip(data[0], row, strict=False)) for row in data[1:]]  # a CSV with a header
        rows = []
        for number, row in enumerate(data):
            values = list(map(row.get, names)) if isinstance(row, dict) else row
            if not isinstance(values, list) or len(values) != width:
                faults.append(_fault(number, None, f"must be {width} values: {', '.join(names)}"))
            elif set(map(type, values)) <= _KINDS and _small(values, largest):
                rows.append(values)
            else:
                named = zip(values, names, strict=True)
                rows.append([self._number(v, number, n, faults, largest) for v, n in named])
        return np.array(rows, kind).reshape(len(rows), width)

    def _is_header(self, row: list[Any]) -> bool:
        """Whether a row names features; never by names that are numbers, since such a row may be data."""
        return any(isinstance(cell, str) and cell in self._headings for cell in row)

    def _number(
        self, value: Any, number: int, name: str, faults: list[dict[str, Any]], largest: float
    ) -> float:
        if value is None or value == "" or (self._missing and value != value):  # noqa: PLR0124 - which only NaN is
            if self._missing:
                return math.nan
            faults.append(_fault(number, name, "is missing"))
            return 0.0
        try:
            read = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError, OverflowError):
            read = math.nan
        if not math.isfinite(read):
            faults.append(_fault(number, name, f"{str(value)[:40]!r} is not a finite number"))
            return 0.0
        if abs(read) > largest:
            faults.append(_fault(number, name, "is too large"))
            return 0.0
        return read


def model_fn(model_dir: str) -> Any:
    """Load the model that lies in the directory; raise StartError when there is none, or it is a pickle not trusted."""
    directory = Path(model_dir)
    for name in _XGBOOST:
        if (directory / name).is_file():
            import xgboost  # noqa: PLC0415 - a second to import: only when it is needed

            booster = xgboost.Booster({"nthread": 1})
            booster.load_model(directory / name)
            booster.set_param({"nthread": 1})
            return booster
    for name in _PICKLE:
        if (directory / name).is_file():
            if os.environ.get("SERVING_UNPICKLE") != "true":
                raise StartError(
                    f"{name} is a pickle, which can run any code when it is read. If you or your own training job "
                    "wrote it, set SERVING_UNPICKLE=true; otherwise do not."
                )
            import joblib  # noqa: PLC0415 - comes with scikit-learn

            return joblib.load(directory / name)
    raise StartError(f"There is no model in {model_dir}: put {', '.join((*_XGBOOST, *_PICKLE))} there.")


def adopt_fn(model: Any, model_dir: str) -> Plain:
    """Make what model_fn returned ready: find its quicker form and prove it."""
    plain = Plain(model)
    plain.settle(Path(model_dir) / HELD_BACK)
    return plain


def input_fn(body: str | bytes, content_type: str) -> Any:
    """Return rows: records, texts, lists of values, or an array of plain numbers; raise RequestError 400 or 415."""
    kind = codec.base_type(content_type)
    if kind == codec.JSON:
        rows = _from_json(body)
        return np.array(rows, np.float64) if _plain_numbers(rows) else rows
    if kind == codec.CSV:
        text = body if isinstance(body, str) else body.decode()
        rows = [row for row in csv.reader(io.StringIO(text)) if row]
        if not rows:
            raise RequestError(400, "The body has no rows. Send one line a record.")
        return rows
    if kind == codec.NPY:
        array = codec.decode(body, content_type)
        if array.ndim != 2 or array.dtype.kind not in "fiu":
            raise RequestError(400, "The array must be rows of numbers: two dimensions.")
        return array
    raise RequestError(
        415, f"Content type {content_type} is not supported. Send JSON, CSV or application/x-npy."
    )


def predict_fn(data: Any, model: Plain) -> list[dict[str, Any]]:
    """Return an answer for each row."""
    return model.answers(data)


def output_fn(prediction: list[dict[str, Any]], accept: str) -> tuple[str | bytes, str]:
    """Answers as JSON; as CSV and NPY label and score, or the values; raise RequestError 406."""
    kinds = map(codec.base_type, accept.split(","))
    wanted = next(
        (kind for kind in kinds if kind in codec.ANY or kind in (codec.JSON, codec.CSV, codec.NPY)), None
    )
    if wanted == codec.CSV:
        out = io.StringIO()
        rows = ([p["prediction"], p["score"]] if "score" in p else [p["prediction"]] for p in prediction)
        csv.writer(out, lineterminator="\n").writerows(rows)
        return out.getvalue(), codec.CSV
    if wanted == codec.NPY:
        told = [
            list(p["probabilities"].values()) if "probabilities" in p else p["prediction"] for p in prediction
        ]
        return codec.encode(np.array(told), codec.NPY)
    if wanted is None:
        raise RequestError(406, f"Accept {accept} is not supported. Accept JSON, CSV or application/x-npy.")
    return json.dumps({"predictions": prediction}), codec.JSON


def _from_json(body: str | bytes) -> list[Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError(400, f"The body is not valid JSON: {error}") from None
    if isinstance(document, dict):
        document = document.get("instances", [document])
    if not isinstance(document, list) or not document:
        raise RequestError(400, 'Send {"instances": [row, …]} with at least one row, or one record.')
    if not isinstance(document[0], dict | list | str):
        document = [document]
    return document


def _text(row: Any, number: int, faults: list[dict[str, Any]]) -> str:
    """The text of a row: itself, its member "text", or its only value."""
    if isinstance(row, dict):
        row = row.get("text", next(iter(row.values())) if len(row) == 1 else None)
    elif isinstance(row, list) and len(row) == 1:
        row = row[0]
    if isinstance(row, str):
        return row
    faults.append(_fault(number, "text", 'must be a string, or an object with the member "text"'))
    return ""


def _plain_numbers(rows: Sequence[Any]) -> bool:
    """Whether all are lists of the same length of finite numbers: an array says the same, and arrays can be joined."""
    width = len(rows[0]) if type(rows[0]) is list else 0
    return width > 0 and all(
        type(row) is list and len(row) == width and set(map(type, row)) <= _KINDS and _small(row, _SINGLE[1])
        for row in rows
    )


def _small(values: Sequence[float], largest: float) -> bool:
    """Whether all are finite and none is too large: their length is at least the largest of them."""
    try:
        return math.hypot(*values) <= largest
    except OverflowError:  # a whole number beyond any float
        return False


def _are_small(data: Any) -> bool:
    """The same of an array, by the sum of its squares; False for whole numbers, and what only a float64 holds."""
    if data.dtype.kind != "f":
        return False
    flat = data.ravel()
    return float(flat.dot(flat)) <= _SINGLE[1] ** 2


def _is_word(name: str) -> bool:
    try:
        float(name or "0")
    except ValueError:
        return True
    return False


def _fault(instance: int, column: str | None, problem: str) -> dict[str, Any]:
    return {"instance": instance, "column": column, "problem": problem}


def _reads_texts(model: Any) -> bool:
    steps = getattr(model, "steps", None)
    return steps is not None and hasattr(steps[0][1], "vocabulary_")


def _names(model: Any) -> list[str]:
    if type(model).__name__ == "Booster":
        return list(model.feature_names or map("{}{}".format, repeat("f"), range(model.num_features())))
    named = getattr(model, "feature_names_in_", None)
    return [f"f{n}" for n in range(model.n_features_in_)] if named is None else [str(name) for name in named]


def _classes(model: Any) -> tuple[list[Any], list[str]] | None:
    """The classes as labels and as keys of JSON; None for a regression."""
    labels = getattr(model, "classes_", None)
    if labels is None:
        if type(model).__name__ != "Booster":
            return None
        number = len(
            np.atleast_2d(equality.original(model, np.zeros((1, model.num_features()), np.float32)))[0]
        )
        if number == 1:
            return None
        labels = np.arange(number)
    return labels.tolist(), [str(label) for label in labels.tolist()]


def _proved(model: Any, form: forms.Form, rows: Sequence[Any]) -> bool:
    verdict = equality.compare(model, form, rows)
    log.line(
        "quicker_form" if verdict.equal else "quicker_form_refused",
        rows=verdict.rows, largest_difference=verdict.largest, other_labels=verdict.other_labels,
    )  # fmt: skip
    return verdict.equal
