"""A random forest over TF-IDF weights of words and word pairs: classification of texts."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from learners.forest import Forest, importances
from learners.hyperparameters import Choice, Known, Number, Value, flag, parse
from learners.problem import Floats, Problem, Rows, Table
from learners.schema import Feature
from learners.text_features import features_of, joined
from learners.tfidf import TfIdf

FOREST, PREPROCESSING = "forest.npz", "preprocessing.json"
FEW = 8  # texts up to which a full matrix is quicker than a sparse one
_KEPT_IMPORTANCES = 50
HYPERPARAMETERS: Known = {
    "n_estimators": Number(200, 1, 5000, whole=True),
    "max_depth": Number(0, 0, 10000, whole=True),  # 0: as deep as it takes
    "min_samples_leaf": Number(2, 1, 10000, whole=True),
    "max_features": Choice("sqrt", ("sqrt", "log2")),
    "class_weight": Choice("balanced_subsample", ("none", "balanced", "balanced_subsample")),
    "ngram_max": Number(2, 1, 3, whole=True),
    "min_df": Number(3, 1, 10000, whole=True),
    "max_terms": Number(50_000, 10, 1_000_000, whole=True),
    "refit": flag(True),
    "seed": Number(42, 0, 2**31 - 1, whole=True),
}
ALIASES: dict[str, str] = {}


class Model:
    """A forest with its vocabulary. Text columns are joined, in their order, with a space between."""

    def __init__(
        self, forest: Forest, terms: TfIdf, features: Sequence[Feature], importance: list[tuple[str, float]]
    ):
        self._forest = forest
        self._terms = terms
        self.features = list(features)
        self.importance = importance[:_KEPT_IMPORTANCES]

    def predict(self, columns: Table, rows: int) -> Floats:
        """Return (rows, classes) probabilities."""
        texts = joined(columns, [feature.name for feature in self.features], rows)
        return self._forest.predict(self._terms.dense(texts) if rows <= FEW else self._terms.sparse(texts))

    def save(self, directory: Path) -> list[str]:
        """Write the forest (npz) and the vocabulary (JSON); return the files' names."""
        self._forest.save(directory / FOREST)
        document = {
            "features": [feature.document() for feature in self.features],
            "longest": self._terms.longest,
            "terms": self._terms.terms,
            "idf": self._terms.idf.tolist(),
            "importance": self.importance,
        }
        (directory / PREPROCESSING).write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
        return [FOREST, PREPROCESSING]


def load(directory: Path) -> Model:
    """Return the model `save` wrote."""
    document = json.loads((directory / PREPROCESSING).read_text(encoding="utf-8"))
    terms = TfIdf(document["terms"], np.array(document["idf"]), document["longest"])
    features = [Feature(**feature) for feature in document["features"]]
    importance = [(name, gain) for name, gain in document["importance"]]
    return Model(Forest.load(directory / FOREST), terms, features, importance)


def fit(
    problem: Problem, hyperparameters: Mapping[str, str], say: Callable[[str], None], threads: int = 1
) -> Model:
    """Return a model fitted on train; raise BadData."""
    values = parse(hyperparameters, HYPERPARAMETERS)
    features = features_of(problem, "text_forest", say)
    model = _fitted(problem, [problem.train], features, values, threads)
    say(f"{values['n_estimators']} trees over {len(model._terms.terms)} terms")
    return model


def finish(
    model: Model,
    problem: Problem,
    hyperparameters: Mapping[str, str],
    say: Callable[[str], None],
    threads: int = 1,
) -> Model:
    """Return the model to ship: fitted anew on train and validation together, unless `refit` is false."""
    values = parse(hyperparameters, HYPERPARAMETERS)
    if problem.validation is None or not values["refit"]:
        return model
    say("fitted again on train and validation together")
    return _fitted(problem, [problem.train, problem.validation], model.features, values, threads)


def _fitted(
    problem: Problem,
    parts: Sequence[Rows],
    features: Sequence[Feature],
    values: Mapping[str, Value],
    threads: int,
) -> Model:
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415 - seconds to import: only to fit

    names = [feature.name for feature in features]
    texts = [text for part in parts for text in joined(part.columns, names, len(part))]
    terms = TfIdf.fit(texts, int(values["ngram_max"]), int(values["min_df"]), int(values["max_terms"]))
    forest = RandomForestClassifier(
        n_estimators=int(values["n_estimators"]),
        max_depth=int(values["max_depth"]) or None,
        min_samples_leaf=int(values["min_samples_leaf"]),
        max_features=values["max_features"],
        class_weight=None if values["class_weight"] == "none" else values["class_weight"],
        random_state=int(values["seed"]),
        n_jobs=threads,
    )
    forest.fit(terms.sparse(texts), _answers(parts))
    full = _spread(Forest.of(forest), forest.classes_, len(problem.dataset.classes or ()))
    return Model(full, terms, features, importances(forest, terms.terms))


def _answers(parts: Iterable[Rows]) -> Any:
    return np.concatenate([part.target for part in parts])


def _spread(forest: Forest, present: Any, classes: int) -> Forest:
    """Return the forest with a column for every class: those without a training row are never answered."""
    return forest if len(present) == classes else forest.spread(present, classes)
