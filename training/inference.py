"""Answers requests with a model train.py made: SageMaker's model_fn, input_fn, predict_fn and output_fn.

It travels inside model.tar.gz as code/inference.py beside the learners, and imports nothing else of ours.
Requests and answers: README.md, "Inference".
"""

import csv
import functools
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from learners.artifact import Artifact

JSON, CSV, LINES = "application/json", "text/csv", "application/jsonlines"
Record = dict[str, Any]
Input = list[Record] | list[list[str]]  # JSON records (or words, plain), or CSV rows not yet named
# For our model server: these functions neither wait nor take long, and answer every record by itself.
QUICK = True


class RequestError(Exception):
    """A request that cannot be read: `status` 400, 406 or 415, and `detail` for the answer's body."""

    def __init__(self, status: int, message: str, faults: list[Record] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.detail: Record = {"error": message, **({"faults": faults} if faults else {})}


class _Refused:
    """A refusal on its way to output_fn."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def _told_as_the_server_wants(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a refusal reach the caller with its status, whichever server calls: each knows another way.

    The inference toolkit (PyTorch's images) knows errors of its own. `sagemaker_containers` (scikit-learn's and
    XGBoost's images) makes 500 of whatever is raised, but sends a Flask response that output_fn returns. Ours reads
    `status` and `detail`. Neither package is imported here: who has started us has done so.
    """

    @functools.wraps(function)
    def told(*arguments: Any) -> Any:
        if arguments and isinstance(arguments[0], _Refused):
            return arguments[0] if function.__name__ == "predict_fn" else _response(arguments[0].error)
        try:
            return function(*arguments)
        except Exception as error:
            if not hasattr(error, "status"):
                raise
            toolkit = sys.modules.get("sagemaker_inference.errors")
            if toolkit is not None:
                raise toolkit.GenericInferenceToolkitError(
                    error.status, json.dumps(_detail(error))
                ) from error
            if "sagemaker_containers" not in sys.modules:
                raise
            return _response(error) if function.__name__ == "output_fn" else _Refused(error)

    return told


def _response(error: Any) -> Any:
    flask = sys.modules["flask"]
    return flask.Response(json.dumps(_detail(error)), status=error.status, mimetype=JSON)


def _detail(error: Any) -> Record:
    return {"error": str(error), **(error.detail or {})}


def model_fn(model_dir: str) -> "Artifact":
    """Load the model. The learners lie beside this file, or under code/ of the model in AWS's images."""
    for place in (Path(model_dir) / "code", Path(__file__).resolve().parent):
        if (place / "learners").is_dir() and str(place) not in sys.path:
            sys.path.append(str(place))
    from learners import artifact, gradient_boosting  # noqa: PLC0415 - found only now

    if os.environ.get("SAGEMAKER_PROGRAM") and _learner(model_dir) == "gradient_boosting":
        gradient_boosting.engine(lean=True)
    return artifact.read(Path(model_dir))


@_told_as_the_server_wants
def input_fn(body: str | bytes, content_type: str = JSON) -> Input:
    """Return the request's records; raise RequestError 400 if unreadable, 415 for other content types."""
    kind = content_type.partition(";")[0].strip().lower()
    try:
        text = body if isinstance(body, str) else bytes(body).decode()
    except UnicodeDecodeError as error:
        raise RequestError(400, f"The body is not UTF-8: byte {error.start} cannot be read") from None
    text = text.removeprefix("\ufeff")  # spreadsheets begin a file so
    if kind == JSON:
        return _from_json(text)
    if kind == CSV:
        return _from_csv(text)
    if kind == LINES:  # batch transform's: one record a line
        return _from_json("[" + ",".join(line for line in text.split("\n") if line.strip()) + "]")
    raise RequestError(415, f"Content type {content_type} is not supported. Send {JSON} or {CSV}")


@_told_as_the_server_wants
def predict_fn(data: Input, model: "Artifact") -> list[Record]:
    """Return one answer a record; raise an error of status 400 listing the values that cannot be used."""
    words = model.manifest["task"] == "embeddings"
    records = [_with_text(record, model) for record in _named(_recorded(data, model, words=words), model)]
    scores = model.model.predict(model.reader.columns(records), len(records))
    classes = model.classes
    if words:
        named = model.features[0].name
        return [
            {"word": str(record.get(named) or ""), "vector": vector}
            for record, vector in zip(records, scores.tolist(), strict=True)
        ]
    if classes is None:
        return [{"prediction": value} for value in scores.tolist()]
    best = scores.argmax(axis=1).tolist()
    return [
        {"prediction": classes[k], "score": row[k], "probabilities": dict(zip(classes, row, strict=True))}
        for k, row in zip(best, scores.tolist(), strict=True)
    ]


@_told_as_the_server_wants
def output_fn(prediction: list[Record], accept: str = JSON) -> tuple[str, str]:
    """Return (body, content type) in the first type of `accept` we write; raise RequestError 406."""
    for wanted in accept.split(","):
        kind = wanted.partition(";")[0].strip().lower()
        if kind in (JSON, "*/*", "application/*", ""):
            # Word vectors come as BlazingText gives them: a list.
            return json.dumps(prediction if _of_words(prediction) else {"predictions": prediction}), JSON
        if kind == LINES:
            return "\n".join(json.dumps(one) for one in prediction) + "\n", LINES
        if kind in (CSV, "text/*"):
            return _as_csv(prediction), CSV
    raise RequestError(406, f"Accept {accept} is not supported. Accept {JSON} or {CSV}")


def _learner(model_dir: str) -> Any:
    path = Path(model_dir) / "manifest.json"
    return json.loads(path.read_text(encoding="utf-8")).get("learner") if path.is_file() else None


def _from_json(text: str) -> list[Record]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestError(400, f"The body is not valid JSON: {error}") from None
    if isinstance(document, dict):
        document = document["instances"] if isinstance(document.get("instances"), list) else [document]
    if not isinstance(document, list) or not document:
        raise RequestError(400, 'Send {"instances": [{column: value, …}, …]} with at least one instance')
    _refuse_strangers(document, (dict, str))
    return document


def _recorded(data: Any, model: "Artifact", *, words: bool) -> Any:
    """Return JSON's records as objects: of a model of words a plain string is its text; raise RequestError 400."""
    if words:
        return [{model.features[0].name: one} if isinstance(one, str) else one for one in data]
    if any(isinstance(one, str) for one in data):
        _refuse_strangers(data, (dict,))
    return data


def _refuse_strangers(records: list[Any], kinds: tuple[type, ...]) -> None:
    """Raise RequestError 400 listing the records that are of none of these kinds."""
    faults = [
        {"instance": number, "column": None, "problem": "must be an object of column: value"}
        for number, record in enumerate(records)
        if not isinstance(record, kinds)
    ]
    if faults:
        raise RequestError(400, f"{len(faults)} instance(s) cannot be used", faults[:20])


def _of_words(prediction: list[Record]) -> bool:
    return bool(prediction) and "vector" in prediction[0]


def _from_csv(text: str) -> list[list[str]]:
    try:
        rows = [row for row in csv.reader(io.StringIO(text), strict=True) if row]
    except csv.Error as error:
        raise RequestError(400, f"The body is not valid CSV: {error}") from None
    if not rows:
        raise RequestError(400, "The body has no rows. Send one line a record")
    return rows


def _named(data: Input, model: "Artifact") -> list[Record]:
    """Return records; CSV rows are named by their header if the first row names a column, else in schema order."""
    if isinstance(data[0], dict):
        return data
    names = [feature.name for feature in model.features]
    rows: list[list[str]] = data
    header = [cell.strip() for cell in rows[0]]
    if set(header) & set(names):
        names, rows = header, rows[1:]
    if not rows:
        raise RequestError(400, "The CSV has a header and no rows. Send one line a record")
    faults = [
        {
            "instance": number,
            "column": None,
            "problem": f"has {len(row)} cells and not {len(names)}: {','.join(names)}",
        }
        for number, row in enumerate(rows)
        if len(row) != len(names)
    ]
    if faults:
        raise RequestError(400, f"{len(faults)} line(s) cannot be used", faults[:20])
    return [dict(zip(names, row, strict=True)) for row in rows]


def _with_text(record: Record, model: "Artifact") -> Record:
    """Let {"text": …} stand for the first text column, so that callers need not know its name."""
    if "text" not in record:
        return record
    texts = [feature.name for feature in model.features if feature.role == "text"]
    if not texts or texts[0] in record or "text" in texts:
        return record
    return {**record, texts[0]: record["text"]}


def _as_csv(prediction: list[Record]) -> str:
    out = io.StringIO()
    if _of_words(prediction):
        csv.writer(out, lineterminator="\n").writerows([p["word"], *p["vector"]] for p in prediction)
        return out.getvalue()
    rows = ([p["prediction"], p["score"]] if "score" in p else [p["prediction"]] for p in prediction)
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()
