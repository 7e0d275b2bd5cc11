"""The proof that a model's quicker form answers as the model does: same labels, probabilities within 1e-6.

At every start rows made from the model itself are compared (terms of its vocabulary, values on and beside its
thresholds), and all rows of `held_back.jsonl` in the model's directory when it is there: one request a line.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from serving.fast.forms import Form, OfTexts

TOLERANCE = 1e-6  # of probabilities, and of values relative to their size
PROBES = 256
_SEED = 20261121


@dataclass(frozen=True)
class Verdict:
    """How many rows were compared, the largest difference, and how many got another label."""

    rows: int
    largest: float
    other_labels: int

    @property
    def equal(self) -> bool:
        """Whether the quicker form may stand for the original."""
        return self.other_labels == 0 and self.largest <= TOLERANCE  # False for NaN


def compare(model: Any, form: Form, rows: Any) -> Verdict:
    """Ask both; the original all at once, the form row by row as it will be asked."""
    expected = np.asarray(original(model, rows), dtype=np.float64)
    found = np.concatenate([np.asarray(form.predict(rows[at : at + 1])) for at in range(len(rows))])
    if found.shape != expected.shape:
        return Verdict(len(rows), float("inf"), len(rows))
    away = np.abs(expected - found) / np.maximum(1.0, np.abs(expected))
    others = 0 if expected.ndim == 1 else int((expected.argmax(axis=1) != found.argmax(axis=1)).sum())
    return Verdict(len(rows), float(away.max(initial=0.0)), others)


def original(model: Any, rows: Any) -> Any:
    """Probabilities (rows, classes) or values (rows,), by the model's own functions."""
    if type(model).__name__ == "Booster":
        objective, rounds = _said(model)
        told = np.asarray(model.inplace_predict(rows, iteration_range=(0, rounds)))
        return np.column_stack([1 - told, told]) if objective == "binary:logistic" else told
    return model.predict_proba(rows) if hasattr(model, "predict_proba") else model.predict(rows)


def probes(model: Any, form: Form) -> Any:
    """Rows that try the model where the two could differ."""
    random = np.random.default_rng(_SEED)
    if isinstance(form, OfTexts):
        return _texts(form.words.terms, random)
    return _numbers(model, random)


def _texts(terms: Sequence[str], random: np.random.Generator) -> list[str]:
    """Texts of one to forty known terms, with repetitions, capitals and unknown words; and none at all."""
    made = ["", " ", "zzzzunknown", "Ünïcode ẞ \ufb01 \uff11\uff12 é", "a " * 50]
    for size in random.integers(1, 40, PROBES - len(made)):
        words = [terms[place] for place in random.integers(0, len(terms), size)]
        words += [words[0].upper(), words[-1], "zzzzunknown"][: int(size) % 4]
        made.append(" ".join(words))
    return made


def _numbers(model: Any, random: np.random.Generator) -> Any:
    """Rows of values at thresholds of the model, just above and just below, and zeros; NaN where it may be missing."""
    features, cuts = _thresholds(model)
    rows = np.zeros((PROBES, features), np.float32)
    for feature in range(features):
        known = cuts.get(feature)
        if known is not None:
            rows[:, feature] = random.choice(known, PROBES)
    toward = random.choice(np.array([-np.inf, 0.0, np.inf], np.float32), rows.shape)
    rows = np.where(toward == 0, rows, np.nextafter(rows, toward))
    if type(model).__module__.startswith("xgboost"):
        rows[random.random(rows.shape) < 0.1] = np.nan
    return rows


def _thresholds(model: Any) -> tuple[int, dict[int, Any]]:
    if type(model).__module__.startswith("xgboost"):
        booster = model if type(model).__name__ == "Booster" else model.get_booster()
        trees = json.loads(bytes(booster.save_raw("json")))["learner"]["gradient_booster"]["model"]["trees"]
        inner = [np.array(tree["left_children"]) != -1 for tree in trees]
        pairs = [
            (np.array(tree["split_indices"])[at], np.array(tree["split_conditions"])[at])
            for tree, at in zip(trees, inner, strict=True)
        ]
        features, values = (np.concatenate(part) for part in zip(*pairs, strict=True))
        return booster.num_features(), _by_feature(features, values)
    features = np.concatenate([one.tree_.feature for one in model.estimators_])
    values = np.concatenate([one.tree_.threshold for one in model.estimators_])
    return model.n_features_in_, _by_feature(features[features >= 0], values[features >= 0])


def _by_feature(features: Any, values: Any) -> dict[int, Any]:
    return {int(one): values[features == one].astype(np.float32) for one in np.unique(features)}


def _said(booster: Any) -> tuple[str, int]:
    """Its objective, and how many rounds answer: up to the best if it stopped early, as XGBClassifier does; 0: all."""
    learner = json.loads(booster.save_config())["learner"]
    best = booster.attr("best_iteration")
    counts = (
        best is not None and learner["gradient_booster"]["name"] != "gblinear"
    )  # which has one model, no rounds
    return learner["objective"]["name"], int(best) + 1 if counts else 0
