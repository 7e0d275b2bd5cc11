"""Serves what `train` left, as handlers of the model server.

    application/json       {"instances": [text, …], "configuration": {"k": 2}} → [answer, …]
    application/jsonlines  {"source": text, "k": 2} a line → an answer a line (what batch transform takes)

An answer is {"vector": [...], "word": w} of words, {"label": ["__label__a"], "prob": [0.9]} of texts.
"""

import json
from pathlib import Path
from typing import Any

import floret

JSON, JSON_LINES = "application/json", "application/jsonlines"
_MANY = 10_000


class Refused(ValueError):
    """The request is at fault; the model server answers with `status`."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Model:
    """A loaded model: of words or of texts."""

    def __init__(self, path: Path) -> None:
        self._fasttext = floret.load_model(str(path))
        self._labels = len(self._fasttext.get_labels())
        self._classifies = path.name == "model.bin"

    def answer(self, text: Any, k: Any) -> dict[str, Any]:
        """A word's vector (of an unknown one zeros, unless trained with subwords), or a text's `k` best labels."""
        if not isinstance(text, str):
            raise Refused(400, f"{text!r} is not a string: send words or texts")
        if not self._classifies:
            return {"vector": [float(value) for value in self._fasttext.get_word_vector(text)], "word": text}
        if not isinstance(k, int) or isinstance(k, bool) or not 1 <= k <= self._labels:
            raise Refused(400, f"k is {k!r}: ask for 1 to {self._labels} labels")
        # The binding itself: around it, predict() of one text fails on NumPy 2 and of several repeats probabilities.
        found = self._fasttext.f.predict(f"{' '.join(text.split())}\n", k, 0.0, "strict")
        return {"label": [label for _, label in found], "prob": [min(one, 1.0) for one, _ in found]}


def model_fn(model_dir: str) -> Model:
    """Load model.bin (texts) or vectors.bin (words); raises FileNotFoundError when the archive has neither."""
    for name in ("model.bin", "vectors.bin"):
        path = Path(model_dir, name)
        if path.is_file():
            return Model(path)
    raise FileNotFoundError("the model archive has neither model.bin nor vectors.bin of BlazingText")


def transform_fn(model: Model, data: str | bytes, content_type: str, accept: str) -> tuple[str, str]:
    """Answer one request; Accept must be the content type, as in AWS's image, or `*/*`."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in (JSON, JSON_LINES):
        raise Refused(415, f"{content_type} is not supported: send {JSON} or {JSON_LINES}")
    wanted = accept.partition(";")[0].strip().lower()
    if wanted not in ("", "*/*", JSON, kind):
        raise Refused(406, f"{accept} is not what {kind} is answered with")
    text = data if isinstance(data, str) else bytes(data).decode("utf-8", "strict")
    return (_lines(model, text) if kind == JSON_LINES else _document(model, text)), kind


def _document(model: Model, text: str) -> str:
    request = _object(text)
    instances, configuration = request.get("instances"), request.get("configuration", {})
    if not isinstance(instances, list) or not instances or len(instances) > _MANY:
        raise Refused(400, f'send {{"instances": [text, ...]}} with 1 to {_MANY} texts')
    if not isinstance(configuration, dict):
        raise Refused(400, 'configuration must be an object such as {"k": 2}')
    return json.dumps([model.answer(one, configuration.get("k", 1)) for one in instances])


def _lines(model: Model, text: str) -> str:
    answers = []
    for line in text.splitlines():
        if line.strip():
            request = _object(line)
            answers.append(json.dumps(model.answer(request.get("source"), request.get("k", 1))))
    return "".join(f"{answer}\n" for answer in answers)


def _object(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise Refused(400, f"the body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise Refused(400, "the body must be a JSON object")
    return document
