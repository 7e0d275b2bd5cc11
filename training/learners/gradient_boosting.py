"""Boosted trees (XGBoost) over numbers, categories and dates: classification of two or more classes, and regression."""

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from learners import boosting, derived
from learners.boosting import Data, parameters, progress
from learners.derived import Derived
from learners.encoding import Encoder
from learners.errors import BadData
from learners.hyperparameters import Choice, Known, Number, Text, Value, flag, parse
from learners.problem import Floats, Problem, Table
from learners.schema import Feature
from learners.weights import CLASS_WEIGHT

MODEL, PREPROCESSING = "model.ubj", "preprocessing.json"
START = "start.ubj"  # the booster before it saw the validation rows: what a later training goes on from
ROUNDS_UNWATCHED = 200  # when no validation rows can say when to stop
engine = boosting.engine  # programs ask the learner for it, before anything else loads XGBoost whole
HYPERPARAMETERS: Known = {
    "n_estimators": Number(1000, 1, 20000, whole=True),
    "learning_rate": Number(0.05, 1e-4, 1),
    "max_depth": Number(6, 1, 16, whole=True),
    "min_child_weight": Number(1, 0, 1e6),
    "subsample": Number(1, 0.05, 1),
    "colsample_bytree": Number(0.8, 0.05, 1),
    "reg_lambda": Number(1, 0, 1e6),
    "reg_alpha": Number(0, 0, 1e6),
    "gamma": Number(0, 0, 1e6),
    "max_bin": Number(256, 2, 4096, whole=True),
    "scale_pos_weight": Number(1, 1e-6, 1e6),
    "class_weight": CLASS_WEIGHT,
    "monotone_constraints": Text(
        "", "columns that may only raise (1) or lower (-1) the answer: price=-1, score=1"
    ),
    "derive": Text(
        "", "columns made of number columns by plus and minus: gap = paid - due; error = a + b - c"
    ),
    "target_transform": Choice("none", ("none", "log1p")),
    "early_stopping_rounds": Number(50, 0, 20000, whole=True),
    "refit": flag(True),
    "min_category_rows": Number(5, 1, 1e6, whole=True),
    "max_categories": Number(1000, 1, 60000, whole=True),
    "seed": Number(42, 0, 2**31 - 1, whole=True),
}
ALIASES = {"num_round": "n_estimators", "eta": "learning_rate", "lambda": "reg_lambda", "alpha": "reg_alpha"}


class Model:
    """A fitted booster with its encoder. `watched` is the one fitted without the validation rows, if they differ."""

    def __init__(self, booster: Any, encoder: Encoder, classes: int, log: bool, watched: Any = None) -> None:
        self._booster = booster
        self._encoder = encoder
        self._classes = classes  # 0 for regression
        self._log = log  # whether it was fitted to log(1 + target)
        self._watched = booster if watched is None else watched
        self.start: Model | None = None  # the model this one went on from

    @property
    def features(self) -> list[Feature]:
        """Return what a request may hold, in the order of a CSV without a header."""
        return self._encoder.features

    def predict(self, columns: Table, rows: int) -> Floats:
        """Return (rows, classes) probabilities, or (rows,) values for regression."""
        matrix = self._encoder.matrix(columns, rows)
        raw = np.asarray(self._booster.inplace_predict(matrix), dtype=np.float64)
        if self._classes == 2:
            return np.column_stack([1.0 - raw, raw])
        return np.expm1(raw) if self._log else raw

    @property
    def importance(self) -> list[tuple[str, float]]:
        """Return each column's share of the total gain, largest first."""
        gains: dict[str, float] = defaultdict(float)
        for name, gain in self._booster.get_score(importance_type="total_gain").items():
            gains[self._encoder.sources[int(name[1:])]] += float(gain)
        total = sum(gains.values()) or 1.0
        shares = [(name, gains[name] / total) for name in dict.fromkeys(self._encoder.sources)]
        return sorted(shares, key=lambda pair: -pair[1])

    def save(self, directory: Path) -> list[str]:
        """Write the booster (UBJSON) and the encoder (JSON); return the files' names."""
        self._booster.save_model(directory / MODEL)
        self._watched.save_model(directory / START)
        document = {
            "classes": self._classes,
            "features": [f.document() for f in self.features],
            "derived": [[made.name, made.terms] for made in self._encoder.derived],
            "log": self._log,
        }
        (directory / PREPROCESSING).write_text(
            json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8"
        )
        return [MODEL, START, PREPROCESSING]


def load(directory: Path, threads: int = 1) -> Model:
    """Return the model `save` wrote. One thread is quickest for a few rows; the server runs requests side by side."""
    document = json.loads((directory / PREPROCESSING).read_text(encoding="utf-8"))
    made = [
        Derived(name, tuple((column, sign) for column, sign in terms))
        for name, terms in document.get("derived", [])
    ]
    encoder = Encoder([Feature(**f) for f in document["features"]], made)
    return Model(_read(directory / MODEL, threads), encoder, document["classes"], document.get("log", False))


def resume(directory: Path) -> Model:
    """Return the model `save` wrote, ready to be the `start` of `fit`."""
    if not (directory / START).is_file():
        raise BadData(f"it has no {START}: it was made before a model could be gone on from.")
    model = load(directory)
    model._watched = _read(directory / START, 1)
    return model


def changed(start: Model, problem: Problem, hyperparameters: Mapping[str, str]) -> str | None:
    """Return why `start` cannot be gone on with on these data, None if it can."""
    values = parse(hyperparameters, HYPERPARAMETERS, ALIASES)
    columns = _usable(problem)
    if [(c.name, c.role) for c in columns] != [(f.name, f.role) for f in start.features]:
        return "its columns are not those of the data"
    numbers = [c.name for c in columns if c.role == "number"]
    if start._encoder.derived != derived.read(str(values["derive"]), numbers, ()):
        return "it derives other columns"
    if start._log != (values["target_transform"] == "log1p"):
        return "its target_transform is another"
    return None


def fit(
    problem: Problem,
    hyperparameters: Mapping[str, str],
    say: Callable[[str], None],
    threads: int = 1,
    start: Model | None = None,
) -> Model:
    """Return a model fitted on train, stopped by validation; raise BadData.

    With `start` (from `resume`) it keeps that model's trees and categories and adds up to `n_estimators` rounds.
    With `refit` (the default) `finish` then fits the same number of rounds on both splits.
    """
    values = parse(hyperparameters, HYPERPARAMETERS, ALIASES)
    if problem.validation is None and not {"n_estimators", "num_round"} & set(hyperparameters):
        values["n_estimators"] = ROUNDS_UNWATCHED
    encoder = start._encoder if start else _encoder(problem, values, say)
    data = Data(problem, encoder, values)
    watched = [(data.matrix(problem.train), "train")]
    callbacks = [progress(say, values["target_transform"] == "log1p")]
    if problem.validation is not None:
        watched.append((data.matrix(problem.validation), "validation"))
        if patience := int(values["early_stopping_rounds"]):
            callbacks.append(engine().callback.EarlyStopping(rounds=patience, save_best=True))
    booster = engine().train(
        parameters(problem, encoder, values, threads), watched[0][0], int(values["n_estimators"]),
        evals=watched, verbose_eval=False, callbacks=callbacks, xgb_model=start._watched if start else None,
    )  # fmt: skip
    say(f"{booster.num_boosted_rounds()} rounds kept")
    model = Model(booster, encoder, len(problem.dataset.classes or ()), values["target_transform"] == "log1p")
    model.start = start
    return model


def finish(
    model: Model,
    problem: Problem,
    hyperparameters: Mapping[str, str],
    say: Callable[[str], None],
    threads: int = 1,
) -> Model:
    """Return the model to ship: fitted anew on train and validation together, for as many rounds as were best.

    A model that went on from another adds its new rounds to that one's shipped trees.
    """
    values = parse(hyperparameters, HYPERPARAMETERS, ALIASES)
    if problem.validation is None or not values["refit"]:
        return model
    say("fitted again on train and validation together")
    before, rounds = None, model._booster.num_boosted_rounds()
    if model.start:
        before, rounds = model.start._booster, rounds - model.start._watched.num_boosted_rounds()
    matrix = Data(problem, model._encoder, values).matrix(problem.train, problem.validation)
    settings = parameters(problem, model._encoder, values, threads)
    booster = engine().train(settings, matrix, rounds, xgb_model=before)
    return Model(booster, model._encoder, model._classes, model._log, watched=model._booster)


def _read(path: Path, threads: int) -> Any:
    booster = engine().Booster({"nthread": threads})
    booster.load_model(path)
    booster.set_param({"nthread": threads})
    return booster


def _usable(problem: Problem) -> list[Any]:
    columns = problem.dataset.features
    return [c for c in columns if c.role != "text" and c.name in problem.train.columns]


def _encoder(problem: Problem, values: Mapping[str, Value], say: Callable[[str], None]) -> Encoder:
    usable = _usable(problem)
    unused = [c.name for c in problem.dataset.features if c.role == "text"]
    if unused:
        say(f"warning: gradient_boosting does not read text; left out: {', '.join(unused)}")
    if not usable:
        raise BadData(
            "gradient_boosting needs a number, category or date column: name one in the project's columns."
        )
    numbers = [c.name for c in usable if c.role == "number"]
    made = derived.read(str(values["derive"]), numbers, [c.name for c in problem.dataset.columns])
    rare, most = int(values["min_category_rows"]), int(values["max_categories"])
    return Encoder.fit(usable, problem.train.columns, rare, most, made)
