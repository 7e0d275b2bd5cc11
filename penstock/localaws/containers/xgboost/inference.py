"""Serves what the image trained without a script: the handlers of `python -m serving` for a model without code.

Content types, statuses and texts are those of the image's ScoringService. Models are Boosters that XGBoost itself
saved. Difference on purpose: a pickled one is refused, since unpickling runs whatever the archive says.
"""

import json
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from penstock.localaws.containers.xgboost import answers, engine, selectable
from penstock.localaws.containers.xgboost.errors import UserError

if os.environ.get("SAGEMAKER_MULTI_MODEL") != "true":  # there, another model's code may want the wrappers
    engine.lean()

import xgboost

from penstock.localaws.containers.xgboost import decoding

RAW_REQUESTS = True  # for the server: bodies as bytes, headers as they were sent
MAX_PAYLOAD = int(os.environ.get("MAX_CONTENT_LENGTH") or 6 * 1024 * 1024)  # bytes; longer is 413
_TEXT = "text/html; charset=utf-8"  # of the image's error messages
_VOTED = (
    "multi:softmax",
    "binary:hinge",
)  # objectives whose predictions are classes: their mean means nothing
Answer = tuple[str | bytes, str, int]


class Unusable(Exception):
    """The model cannot be loaded; the message says which file and what to do."""


class Refused(Exception):
    """A request that cannot be answered, with its status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Model:
    """One booster, or several whose predictions are averaged (cross validation), and what the environment says."""

    def __init__(self, boosters: Sequence[Any], env: Mapping[str, str]) -> None:
        config = json.loads(boosters[0].save_config())["learner"]
        self.objective: str = config["objective"]["name"]
        self.classes = int(config["learner_model_param"].get("num_class", "0"))
        self.selected = (
            selectable.keys(env["SAGEMAKER_INFERENCE_OUTPUT"])
            if "SAGEMAKER_INFERENCE_OUTPUT" in env
            else None
        )
        self.in_batch = bool(env.get("SAGEMAKER_BATCH"))
        self.accept = env.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT") or answers.CSV
        self.on_one_line = answers.on_one_line(env.get("SERVING_IMAGE", ""))
        self._boosters = boosters
        # Trees may be asked by several threads at once, linear boosters may not.
        linear = config["gradient_booster"]["name"] == "gblinear"
        self._lock = threading.Lock() if linear else None

    def predict(self, rows: Any) -> Any:
        """The prediction for each row."""
        if self._lock is None:
            return self._predict(rows)
        with self._lock:
            return self._predict(rows)

    def _predict(self, rows: Any) -> Any:
        each = [booster.predict(rows, validate_features=False) for booster in self._boosters]
        if len(each) == 1:
            return each[0]
        return _majority(np.array(each)) if self.objective in _VOTED else np.mean(each, axis=0)


def model_fn(model_dir: str) -> Model:
    """Load every file of the archive as a booster; raises Unusable."""
    paths = sorted(
        path for path in Path(model_dir).iterdir() if path.is_file() and not path.name.startswith(".")
    )
    if os.environ.get("SAGEMAKER_INFERENCE_ENSEMBLE", "true") != "true":
        paths = paths[:1]
    if not paths:
        raise Unusable(
            "The model archive has no file: pack xgboost-model into model.tar.gz, without a directory."
        )
    return Model([_booster(path) for path in paths], os.environ)


def transform_fn(model: Model, body: bytes, content_type: str, accept: str) -> Answer:
    """Answer one request: body, content type and status."""
    if not body:
        return "", _TEXT, 204
    try:
        predictions = _predictions(model, body, content_type)
        wanted = answers.accepted(accept, model.accept)
    except Refused as error:
        return str(error), _TEXT, error.status
    except answers.Unacceptable as error:
        return str(error), _TEXT, 406
    if model.selected is not None:
        return _selected(model, model.selected, predictions, wanted)
    if model.in_batch:
        return answers.batch(predictions.tolist()), wanted, 200
    return answers.plain(predictions.tolist(), wanted, one_line=model.on_one_line), wanted, 200


def _predictions(model: Model, body: bytes, content_type: str) -> Any:
    try:
        rows = decoding.matrix(body, content_type or None)
    except (decoding.Unreadable, UserError) as error:
        raise Refused(415, str(error)) from error
    try:
        return model.predict(rows)
    except Exception as error:
        raise Refused(400, f"Unable to evaluate payload provided: {_brief(error)}") from error


def execution_parameters_fn() -> dict[str, Any]:
    """What batch transform may do."""
    return {
        "MaxConcurrentTransforms": os.cpu_count() or 1,
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": MAX_PAYLOAD // 1024**2,
    }


def _selected(model: Model, keys: Sequence[str], predictions: Any, accept: str) -> Answer:
    try:
        objects = selectable.select(predictions, keys, model.objective, model.classes)
    except ValueError as error:
        return str(error), _TEXT, 500
    return answers.selected(objects, keys, accept, model.in_batch), accept, 200


def _booster(path: Path) -> Any:
    content = path.read_bytes()
    if content[:1] == b"\x80":  # how every pickle since Python 2.3 begins
        raise Unusable(
            f"{path.name} is a pickle, which would run code when it is read. Save the model with "
            f"Booster.save_model('{path.name}') (from scikit-learn's wrapper: model.get_booster()) and pack it again."
        )
    try:
        booster = xgboost.Booster({"nthread": 1}, model_file=bytearray(content))
    except xgboost.core.XGBoostError as error:
        raise Unusable(
            f"Model {path.name} cannot be loaded: {_brief(error)}. Every file of model.tar.gz must be a model that "
            f"XGBoost {xgboost.__version__} reads: save it with Booster.save_model, as JSON or UBJSON."
        ) from error
    booster.set_param({"nthread": 1})  # what the file says about it is overridden
    return booster


def _majority(votes: Any) -> Any:
    """The most frequent value of each row, the smallest of several."""
    winners = []
    for row in votes.T:
        found, counts = np.unique(row, return_counts=True)
        winners.append(found[np.argmax(counts)])
    return np.array(winners)


def _brief(error: Exception) -> str:
    return str(error).partition("\nStack trace:")[0].strip()
