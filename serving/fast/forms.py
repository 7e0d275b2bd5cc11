"""Which models have a quicker form: forests, XGBoost's trees, linear models, and these behind a text vectoriser.

A form takes what the original's predict_proba (or predict) takes, texts or float rows, and returns probabilities
(rows, classes) or values (rows,). Models of exactly these classes only: a subclass may do something else.
"""

import json
import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from serving.fast.trees import Arrays, Floats, Trees
from serving.fast.words import Row, Words

MOST_FEATURES = 512  # of dense rows: they are copied once for every tree


class Form(Protocol):
    """A model in its quicker form."""

    def predict(self, rows: Any) -> Floats:
        """Probabilities (rows, classes), or values (rows,) of a regression."""


class OfRows:
    """Dense float rows through trees: `answer` makes the sums what the original says."""

    def __init__(self, trees: Trees, answer: Callable[[Floats], Floats]) -> None:
        self._trees, self._answer = trees, answer

    def predict(self, rows: Any) -> Floats:
        """See Form."""
        return self._answer(self._trees.sums(np.asarray(rows, np.float32)))


class OfTexts:
    """Texts through a vectoriser, then trees or a linear model over its rows."""

    def __init__(self, words: Words, answer: Callable[[Sequence[Row]], Floats]) -> None:
        self.words, self._answer = words, answer

    def predict(self, rows: Sequence[str]) -> Floats:
        """See Form."""
        row = self.words.row
        return self._answer([row(text) for text in rows])


def of(model: Any) -> Form | None:
    """Return the model's quicker form, None if it has none. Whether it answers alike is for equality.py to say."""
    name = f"{type(model).__module__.partition('.')[0]}.{type(model).__name__}"
    try:
        if name == "sklearn.Pipeline" and len(model.steps) == 2:
            return _of_texts(Words(model.steps[0][1]), model.steps[1][1])
        if name in _FORESTS:
            trees, answer = _forest(model)
            return OfRows(trees, answer) if trees.features <= MOST_FEATURES else None
        if name in _BOOSTED:
            return _boosted(model if name == "xgboost.Booster" else model.get_booster(), model)
    except (TypeError, KeyError, ValueError, AttributeError):
        return None  # a setting it does not know
    return None


_FORESTS = tuple(
    f"sklearn.{kind}{task}" for kind in ("RandomForest", "ExtraTrees") for task in ("Classifier", "Regressor")
)
_BOOSTED = ("xgboost.XGBClassifier", "xgboost.XGBRegressor", "xgboost.Booster")


def _of_texts(words: Words, last: Any) -> Form | None:
    name = type(last).__name__
    if f"sklearn.{name}" in _FORESTS:
        trees, answer = _forest(last)
        return OfTexts(words, lambda rows: answer(trees.sums_of_sparse(rows)))
    if name == "LogisticRegression":
        return OfTexts(words, _logistic(last))
    return None


def _logistic(fitted: Any) -> Callable[[Sequence[Row]], Floats]:
    if fitted.classes_.size <= 2:
        weights, start = fitted.coef_[0].copy(), float(fitted.intercept_[0])

        def two(rows: Sequence[Row]) -> Floats:
            sums = [
                float(weights.take(columns).dot(values)) + start if columns else start
                for columns, values in rows
            ]
            second = [_sigmoid(one) for one in sums]
            return np.array([(1 - one, one) for one in second])

        return two
    table, starts = np.ascontiguousarray(fitted.coef_.T), fitted.intercept_.copy()

    def several(rows: Sequence[Row]) -> Floats:
        sums = np.array(
            [np.dot(values, table.take(columns, 0)) if columns else starts * 0 for columns, values in rows]
        )
        sums += starts
        sums -= sums.max(axis=1, keepdims=True)
        np.exp(sums, out=sums)
        sums /= sums.sum(axis=1, keepdims=True)
        return sums

    return several


def _forest(fitted: Any) -> tuple[Trees, Callable[[Floats], Floats]]:
    """Mean of the trees' values; a classifier's trees give class shares."""
    if fitted.n_outputs_ != 1:
        raise TypeError("several outputs")
    count, classifies = len(fitted.estimators_), hasattr(fitted, "classes_")
    trees = Trees([_of_sklearn(one.tree_, classifies) for one in fitted.estimators_], fitted.n_features_in_)

    def answer(sums: Floats) -> Floats:
        sums /= count
        return sums if classifies else sums[:, 0]

    return trees, answer


def _of_sklearn(tree: Any, classifies: bool) -> Arrays:
    value = tree.value[:, 0, :]
    if classifies:
        value = value / value.sum(axis=1, keepdims=True)
    leaf = tree.children_left == -1
    missing = tree.missing_go_to_left.astype(bool)
    return Arrays(
        tree.children_left, tree.children_right, tree.feature, tree.threshold, missing, value * leaf[:, None]
    )


def _boosted(booster: Any, model: Any) -> Form | None:
    document = json.loads(bytes(booster.save_raw("json")))["learner"]
    goal = document["objective"]["name"]
    answers = {"binary:logistic": _two_classes, "multi:softprob": _softmax, "reg:squarederror": _value}
    forest = document["gradient_booster"]
    if goal not in answers or forest["name"] != "gbtree":
        return None
    features = int(document["learner_model_param"]["num_feature"])
    trees = forest["model"]["trees"]
    if features > MOST_FEATURES or any(tree["categories"] or any(tree["split_type"]) for tree in trees):
        return None
    classes = max(1, int(document["learner_model_param"]["num_class"]))
    best = getattr(model, "best_iteration", None) if document["attributes"].get("best_iteration") else None
    info = forest["model"]["tree_info"]
    if best is not None:
        rounds = forest["model"]["iteration_indptr"]
        trees, info = trees[: rounds[best + 1]], info[: rounds[best + 1]]
    arrays = [_of_xgboost(tree, into, classes) for tree, into in zip(trees, info, strict=True)]
    start = _margin(document["learner_model_param"]["base_score"], goal)
    return OfRows(Trees(arrays, features), lambda sums: answers[goal](sums + start))


def _of_xgboost(tree: dict[str, Any], into: int, classes: int) -> Arrays:
    """XGBoost goes left below its float32 threshold: that is, at most at the next number below it."""
    left = np.array(tree["left_children"], np.int64)
    leaf = left == -1
    split = np.array(tree["split_conditions"], np.float32)
    value = np.zeros((len(left), classes))
    value[leaf, into] = split[leaf]
    below = np.nextafter(split, np.float32(-np.inf)).astype(np.float64)
    return Arrays(
        left, np.array(tree["right_children"], np.int64), np.array(tree["split_indices"], np.int64),
        np.where(leaf, 0.0, below), np.array(tree["default_left"]).astype(bool), value,
    )  # fmt: skip


def _margin(written: str, goal: str) -> npt.NDArray[np.float64]:
    """The sum before any tree; files hold it as the probability or value it stands for."""
    scores = np.array(json.loads(written) if written.startswith("[") else [float(written)])
    return np.log(scores / (1 - scores)) if goal == "binary:logistic" else scores


def _two_classes(margins: Floats) -> Floats:
    second = [_sigmoid(margin) for margin in margins[:, 0].tolist()]
    return np.array([(1 - one, one) for one in second])


def _softmax(margins: Floats) -> Floats:
    parts = np.exp(margins - margins.max(axis=1, keepdims=True))
    total: Floats = parts / parts.sum(axis=1, keepdims=True)
    return total


def _value(margins: Floats) -> Floats:
    return margins[:, 0]


def _sigmoid(margin: float) -> float:
    if margin >= 0:
        return 1 / (1 + math.exp(-margin))
    grown = math.exp(margin)
    return grown / (1 + grown)
