"""A linear support vector machine over TF-IDF weights of words and character n-grams, calibrated: the strong baseline.

Wang and Manning 2012 ("Baselines and Bigrams") is why it is the one to beat. Category columns join in, one weight a
category and class. How far it may bend to its rows (c) and how sure it is (a temperature) come from rows it was not
fitted on.
"""

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from learners.calibration import log_loss, softmax, temperature
from learners.hyperparameters import Choice, Known, Number, Value, flag, parse
from learners.problem import Floats, Problem, Rows, Table
from learners.schema import Feature
from learners.text_features import TextFeatures, features_of

WEIGHTS, PREPROCESSING = "linear.npz", "preprocessing.json"
STRENGTHS = (0.03, 0.1, 0.3, 1.0)  # what c is chosen among, weakest model first
UNWATCHED = 0.3  # c when there are too few rows to choose by
HELD_BACK = 10  # without validation rows every tenth training row is kept out while c is chosen
_TOO_FEW = 50
_KEPT_IMPORTANCES = 50
HYPERPARAMETERS: Known = {
    "c": Number(0, 0, 1000),  # 0: chosen on validation
    "ngram_max": Number(2, 1, 3, whole=True),
    "min_df": Number(2, 1, 10000, whole=True),
    "max_terms": Number(100_000, 10, 1_000_000, whole=True),
    "char_min": Number(2, 1, 8, whole=True),
    "char_max": Number(5, 0, 8, whole=True),  # 0: words only
    "max_char_terms": Number(200_000, 10, 1_000_000, whole=True),
    "class_weight": Choice("none", ("none", "balanced")),
    "use_categories": flag(True),
    "max_iter": Number(2000, 1, 100_000, whole=True),
    "refit": flag(True),
    "seed": Number(42, 0, 2**31 - 1, whole=True),
}
ALIASES: dict[str, str] = {}


@dataclass(frozen=True)
class Weights:
    """What a fit found: (terms, classes) weights, an intercept a class, the temperature and the c they came with."""

    weights: npt.NDArray[np.float32]
    intercept: Floats
    temperature: float
    strength: float


class Model:
    """Weights with the vocabulary they belong to."""

    def __init__(self, found: Weights, terms: TextFeatures, importance: list[tuple[str, float]]) -> None:
        self.found = found
        self.terms = terms
        self.features = list(terms.features)
        self.importance = importance[:_KEPT_IMPORTANCES]

    def margins(self, columns: Table, rows: int) -> Floats:
        """Return (rows, classes) distances. One row at a time, so that a row's answer never depends on its company."""
        out = np.empty((rows, len(self.found.intercept)))
        weights, intercept = self.found.weights, self.found.intercept
        for row, (places, values) in enumerate(self.terms.rows(columns, rows)):
            out[row] = values @ weights[places] + intercept
        return out

    def predict(self, columns: Table, rows: int) -> Floats:
        """Return (rows, classes) probabilities."""
        return softmax(self.margins(columns, rows) / self.found.temperature)

    def save(self, directory: Path) -> list[str]:
        """Write the weights (npz) and the vocabulary (JSON); return the files' names."""
        found = self.found
        with (directory / WEIGHTS).open("wb") as file:
            np.savez(file, allow_pickle=False, weights=found.weights, intercept=found.intercept)
        document = {
            "terms": self.terms.document(),
            "temperature": found.temperature,
            "strength": found.strength,
            "importance": self.importance,
        }
        (directory / PREPROCESSING).write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
        return [WEIGHTS, PREPROCESSING]


def load(directory: Path) -> Model:
    """Return the model `save` wrote; objects in the file are refused."""
    document = json.loads((directory / PREPROCESSING).read_text(encoding="utf-8"))
    with np.load(directory / WEIGHTS, allow_pickle=False) as file:
        weights, intercept = file["weights"], file["intercept"]
    found = Weights(weights, intercept, document["temperature"], document["strength"])
    terms = TextFeatures.read(document["terms"])
    return Model(found, terms, [(name, gain) for name, gain in document["importance"]])


def fit(
    problem: Problem,
    hyperparameters: Mapping[str, str],
    say: Callable[[str], None],
    threads: int = 1,  # noqa: ARG001 - liblinear has one
) -> Model:
    """Return a model fitted on train, its c and temperature chosen on validation; raise BadData."""
    values = parse(hyperparameters, HYPERPARAMETERS)
    features = features_of(problem, "text_linear", say, categories=bool(values["use_categories"]))
    learning, watched = _watched(problem)
    terms = _terms(features, [learning], values)
    say(f"{len(terms)} terms of {len(learning)} texts")
    found = _chosen(problem, terms, learning, watched, values, say)
    if watched is not problem.validation and watched is not None:
        terms = _terms(features, [problem.train], values)
        found = _fitted(problem, terms, [problem.train], values, found.strength, found.temperature)
    return Model(found, terms, _importance(found, terms))


def finish(
    model: Model,
    problem: Problem,
    hyperparameters: Mapping[str, str],
    say: Callable[[str], None],
    threads: int = 1,  # noqa: ARG001 - as above
) -> Model:
    """Return the model to ship: fitted anew on train and validation together, unless `refit` is false."""
    values = parse(hyperparameters, HYPERPARAMETERS)
    if problem.validation is None or not values["refit"]:
        return model
    say("fitted again on train and validation together")
    parts = [problem.train, problem.validation]
    terms = _terms(model.features, parts, values)
    found = _fitted(problem, terms, parts, values, model.found.strength, model.found.temperature)
    return Model(found, terms, _importance(found, terms))


def _watched(problem: Problem) -> tuple[Rows, Rows | None]:
    """Return the rows to learn from and those to choose by: validation's, else every tenth of train's, else none."""
    if problem.validation is not None:
        return problem.train, problem.validation
    held = np.arange(len(problem.train)) % HELD_BACK == HELD_BACK - 1
    rest = problem.train.target[~held]
    if len(problem.train) < _TOO_FEW or len(np.unique(rest)) < 2:
        return problem.train, None
    return _part(problem.train, ~held), _part(problem.train, held)


def _part(rows: Rows, chosen: npt.NDArray[np.bool_]) -> Rows:
    places = np.flatnonzero(chosen).tolist()
    columns = {name: [values[place] for place in places] for name, values in rows.columns.items()}
    return Rows(columns, rows.target[chosen])


def _terms(features: Sequence[Feature], parts: Sequence[Rows], values: Mapping[str, Value]) -> TextFeatures:
    return TextFeatures.fit(
        features,
        [(part.columns, len(part)) for part in parts],
        longest=int(values["ngram_max"]),
        characters=(int(values["char_min"]), int(values["char_max"])),
        min_rows=int(values["min_df"]),
        most=(int(values["max_terms"]), int(values["max_char_terms"])),
    )


def _chosen(
    problem: Problem,
    terms: TextFeatures,
    learning: Rows,
    watched: Rows | None,
    values: Mapping[str, Value],
    say: Callable[[str], None],
) -> Weights:
    """Return the fit whose c is best on the watched rows; two worse ones in a row end the search."""
    given = float(values["c"])
    if watched is None:
        return _fitted(problem, terms, [learning], values, given or UNWATCHED, 1.0)
    matrix = terms.matrix([(learning.columns, len(learning))])
    best, least, worse = None, np.inf, 0
    for strength in (given,) if given else STRENGTHS:
        found = _solved(problem, matrix, learning.target, values, strength)
        margins = Model(found, terms, []).margins(watched.columns, len(watched))
        heat = temperature(margins, watched.target)
        loss = log_loss(softmax(margins / heat), watched.target)
        right = float(np.mean(margins.argmax(axis=1) == watched.target))
        say(f"c={strength:g}\nvalidation:accuracy={right:.6f}\nvalidation:log_loss={loss:.6f}")
        worse = worse + 1 if loss >= least else 0
        if loss < least:
            best, least = Weights(found.weights, found.intercept, heat, strength), loss
        if worse == 2:
            break
    assert best is not None  # noqa: S101 - a first loss is always below infinity
    return best


def _fitted(
    problem: Problem,
    terms: TextFeatures,
    parts: Sequence[Rows],
    values: Mapping[str, Value],
    strength: float,
    heat: float,
) -> Weights:
    matrix = terms.matrix([(part.columns, len(part)) for part in parts])
    found = _solved(problem, matrix, np.concatenate([part.target for part in parts]), values, strength)
    return Weights(found.weights, found.intercept, heat, strength)


def _solved(
    problem: Problem, matrix: Any, answers: npt.NDArray[Any], values: Mapping[str, Value], strength: float
) -> Weights:
    """Return one machine a class (liblinear's dual coordinate descent); a class without a row is never answered."""
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415 - seconds to import: only to fit
    from sklearn.svm import LinearSVC  # noqa: PLC0415

    machine = LinearSVC(
        C=strength,
        dual=True,
        class_weight=None if values["class_weight"] == "none" else values["class_weight"],
        max_iter=int(values["max_iter"]),
        random_state=int(values["seed"]),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # near the optimum is near enough
        machine.fit(matrix, answers)
    classes = len(problem.dataset.classes or ())
    weights = np.zeros((matrix.shape[1], classes), np.float32)
    intercept = np.full(classes, -np.inf)
    if len(machine.classes_) == 2:  # one machine tells the two apart
        weights[:, machine.classes_] = np.column_stack([-machine.coef_[0], machine.coef_[0]])
        intercept[machine.classes_] = [-machine.intercept_[0], machine.intercept_[0]]
    else:
        weights[:, machine.classes_] = machine.coef_.T
        intercept[machine.classes_] = machine.intercept_
    return Weights(weights, intercept, 1.0, strength)


def _importance(found: Weights, terms: TextFeatures) -> list[tuple[str, float]]:
    """Return each term's share of all weights, by the furthest its classes' weights lie apart; largest first."""
    apart = found.weights.max(axis=1) - found.weights.min(axis=1)
    order = np.argsort(-apart, kind="stable")[:_KEPT_IMPORTANCES]
    total = float(apart.sum()) or 1.0
    names = terms.names
    return [(names[place], float(apart[place]) / total) for place in order]
