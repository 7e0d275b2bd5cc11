"""What the text networks share: vocabulary, training, the files, and answers computed by NumPy.

A learner gives its `Shape`: how PyTorch builds the network, and how NumPy computes the same from the weights.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from learners.calibration import softmax
from learners.hyperparameters import Known, Number, Value, flag, parse
from learners.network_layers import Array, Arrays
from learners.network_training import Plan, Texts, Trained, engine, train
from learners.problem import Floats, Problem, Rows, Table
from learners.schema import Feature
from learners.text_features import features_of, joined
from learners.text_words import Words, padded

WEIGHTS, PREPROCESSING = "network.npz", "preprocessing.json"
_AT_ONCE = 256  # texts answered at a time: bounds memory
COMMON: Known = {
    "max_words": Number(20_000, 10, 1_000_000, whole=True),
    "min_count": Number(2, 1, 10_000, whole=True),
    "longest": Number(64, 1, 2000, whole=True),  # words of a text that are read
    "dropout": Number(0.4, 0, 0.9),
    "batch_size": Number(64, 1, 4096, whole=True),
    "learning_rate": Number(0.002, 1e-6, 1),
    "weight_decay": Number(0.01, 0, 10),
    "patience": Number(2, 1, 1000, whole=True),
    "refit": flag(True),
    "seed": Number(42, 0, 2**31 - 1, whole=True),
}


@dataclass(frozen=True)
class Shape:
    """A kind of network.

    `make(torch, words, classes, values, numbers)` builds it; its weights get the names NumPy finds them by.
    `answer(weights, numbers, lengths)` returns (texts, classes) margins. `least` is the words a text is filled up to.
    """

    name: str
    make: Callable[[Any, int, int, Mapping[str, Value], Sequence[Array]], Any]
    answer: Callable[[Arrays, Array, Array], Array]
    least: int = 1


class Model:
    """Weights with the vocabulary they belong to. `importance` is empty: a network has none to show."""

    def __init__(self, shape: Shape, words: Words, features: Sequence[Feature], trained: Trained) -> None:
        self.shape, self.words, self.trained = shape, words, trained
        self.features = list(features)
        self.importance: list[tuple[str, float]] = []

    def predict(self, columns: Table, rows: int) -> Floats:
        """Return (rows, classes) probabilities. Texts of like length are answered together."""
        names = [feature.name for feature in self.features]
        numbers = self.words.numbers(joined(columns, names, rows))
        order = np.argsort([len(one) for one in numbers], kind="stable")
        out: Floats = np.empty((rows, len(self.trained.weights["out.bias"])))
        for start in range(0, rows, _AT_ONCE):
            chosen = order[start : start + _AT_ONCE]
            matrix, lengths = padded([numbers[row] for row in chosen], self.shape.least)
            out[chosen] = self.shape.answer(self.trained.weights, matrix, lengths)
        return softmax(out / self.trained.temperature)

    def save(self, directory: Path) -> list[str]:
        """Write the weights (npz) and the vocabulary (JSON); return the files' names."""
        with (directory / WEIGHTS).open("wb") as file:
            np.savez(file, allow_pickle=False, **self.trained.weights)
        document = {
            "features": [feature.document() for feature in self.features],
            "words": self.words.words,
            "longest": self.words.longest,
            "epochs": self.trained.epochs,
            "temperature": self.trained.temperature,
        }
        (directory / PREPROCESSING).write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
        return [WEIGHTS, PREPROCESSING]


def learner(
    shape: Shape, known: Known
) -> tuple[Callable[..., Model], Callable[..., Model], Callable[[Path], Model]]:
    """Return the functions a learner's module has: `fit`, `finish` and `load`. Threads are not used: see `train`."""

    def fit_one(
        problem: Problem, hyperparameters: Mapping[str, str], say: Callable[[str], None], _threads: int = 1
    ) -> Model:
        """Return a model fitted on train, stopped by validation; raise BadData."""
        return fit(shape, problem, parse(hyperparameters, known), say)

    def finish_one(
        model: Model,
        problem: Problem,
        hyperparameters: Mapping[str, str],
        say: Callable[[str], None],
        _threads: int = 1,
    ) -> Model:
        """Return the model to ship: fitted anew on train and validation together, unless `refit` is false."""
        return finish(model, problem, parse(hyperparameters, known), say)

    def load_one(directory: Path) -> Model:
        """Return the model `save` wrote."""
        return load(shape, directory)

    return fit_one, finish_one, load_one


def load(shape: Shape, directory: Path) -> Model:
    """Return the model `save` wrote; objects in the file are refused."""
    document = json.loads((directory / PREPROCESSING).read_text(encoding="utf-8"))
    with np.load(directory / WEIGHTS, allow_pickle=False) as file:
        weights = {name: file[name] for name in file.files}
    trained = Trained(weights, document["epochs"], document["temperature"])
    features = [Feature(**feature) for feature in document["features"]]
    return Model(shape, Words(document["words"], document["longest"]), features, trained)


def fit(shape: Shape, problem: Problem, values: Mapping[str, Value], say: Callable[[str], None]) -> Model:
    """Return a model fitted on train, stopped by validation; raise BadData."""
    engine(shape.name)  # before anything that takes time
    features = features_of(problem, shape.name, say)
    recipe = _Recipe(shape, len(problem.dataset.classes or ()), values, int(values["epochs"]))
    return _fitted(recipe, features, [problem.train], problem.validation, say)


def finish(model: Model, problem: Problem, values: Mapping[str, Value], say: Callable[[str], None]) -> Model:
    """Return the model to ship: fitted anew on train and validation together, for as many epochs as were best."""
    if problem.validation is None or not values["refit"]:
        return model
    epochs = model.trained.epochs
    say(f"fitted again on train and validation together, epochs: {epochs}")
    recipe = _Recipe(model.shape, len(problem.dataset.classes or ()), values, epochs)
    both = _fitted(recipe, model.features, [problem.train, problem.validation], None, say)
    trained = replace(both.trained, temperature=model.trained.temperature)
    return Model(model.shape, both.words, model.features, trained)


@dataclass(frozen=True)
class _Recipe:
    """What is fitted, and for how long."""

    shape: Shape
    classes: int
    values: Mapping[str, Value]
    epochs: int


def _fitted(
    recipe: _Recipe,
    features: Sequence[Feature],
    parts: Sequence[Rows],
    watched: Rows | None,
    say: Callable[[str], None],
) -> Model:
    values, names = recipe.values, [feature.name for feature in features]
    texts = [text for part in parts for text in joined(part.columns, names, len(part))]
    words = Words.fit(texts, int(values["longest"]), int(values["min_count"]), int(values["max_words"]))
    learning = Texts(words.numbers(texts), np.concatenate([part.target for part in parts]))
    held = None
    if watched is not None:
        held = Texts(words.numbers(joined(watched.columns, names, len(watched))), watched.target)
    say(f"{len(words)} words of {len(texts)} texts")

    def make(torch: Any) -> Any:
        return recipe.shape.make(torch, len(words), recipe.classes, values, learning.numbers)

    return Model(recipe.shape, words, features, train(make, _plan(recipe), learning, held, say))


def _plan(recipe: _Recipe) -> Plan:
    values = recipe.values
    return Plan(
        epochs=recipe.epochs,
        patience=int(values["patience"]),
        batch=int(values["batch_size"]),
        rate=float(values["learning_rate"]),
        decay=float(values["weight_decay"]),
        seed=int(values["seed"]),
        least=recipe.shape.least,
    )
