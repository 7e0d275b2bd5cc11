"""Boosted trees (XGBoost) over numbers, categories and dates: classification of two or more classes, and regression."""

import json
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from learners.encoding import Encoder
from learners.errors import BadData
from learners.hyperparameters import Known, Number, Value, flag, parse
from learners.problem import Floats, Problem, Rows, Table
from learners.schema import Feature

MODEL, PREPROCESSING = "model.ubj", "preprocessing.json"
ROUNDS_UNWATCHED = 200  # when no validation rows can say when to stop
SPOKEN = 10  # rounds between two progress lines
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
    "early_stopping_rounds": Number(50, 0, 20000, whole=True),
    "refit": flag(True),
    "min_category_rows": Number(5, 1, 1e6, whole=True),
    "max_categories": Number(1000, 1, 60000, whole=True),
    "seed": Number(42, 0, 2**31 - 1, whole=True),
}
ALIASES = {"num_round": "n_estimators", "eta": "learning_rate", "lambda": "reg_lambda", "alpha": "reg_alpha"}
_OURS = {"n_estimators", "early_stopping_rounds", "refit", "min_category_rows", "max_categories"}


class Model:
    """A fitted booster with its encoder."""

    def __init__(self, booster: Any, encoder: Encoder, classes: int) -> None:
        self._booster = booster
        self._encoder = encoder
        self._classes = classes  # 0 for regression

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
        return raw

    @property
    def importance(self) -> list[tuple[str, float]]:
        """Return each column's share of the total gain, largest first."""
        gains: dict[str, float] = defaultdict(float)
        for name, gain in self._booster.get_score(importance_type="total_gain").items():
            gains[self._encoder.sources[int(name[1:])]] += float(gain)
        total = sum(gains.values()) or 1.0
        shares = [(feature.name, gains[feature.name] / total) for feature in self.features]
        return sorted(shares, key=lambda pair: -pair[1])

    def save(self, directory: Path) -> list[str]:
        """Write the booster (UBJSON) and the encoder (JSON); return the files' names."""
        self._booster.save_model(directory / MODEL)
        document = {"classes": self._classes, "features": [f.document() for f in self.features]}
        (directory / PREPROCESSING).write_text(
            json.dumps(document, ensure_ascii=False, indent=1), encoding="utf-8"
        )
        return [MODEL, PREPROCESSING]


def load(directory: Path, threads: int = 1) -> Model:
    """Return the model `save` wrote. One thread is quickest for a few rows; the server runs requests side by side."""
    document = json.loads((directory / PREPROCESSING).read_text(encoding="utf-8"))
    booster = engine().Booster({"nthread": threads})
    booster.load_model(directory / MODEL)
    booster.set_param({"nthread": threads})
    return Model(booster, Encoder([Feature(**f) for f in document["features"]]), document["classes"])


def fit(
    problem: Problem, hyperparameters: Mapping[str, str], say: Callable[[str], None], threads: int = 1
) -> Model:
    """Return a model fitted on train, stopped by validation; raise BadData.

    With `refit` (the default) `finish` then fits the same number of rounds on both splits.
    """
    values = parse(hyperparameters, HYPERPARAMETERS, ALIASES)
    if problem.validation is None and not {"n_estimators", "num_round"} & set(hyperparameters):
        values["n_estimators"] = ROUNDS_UNWATCHED
    encoder = _encoder(problem, values, say)
    xgboost = engine()
    train = _matrix(encoder, problem.train)
    watched = [(train, "train")]
    if problem.validation is not None:
        watched.append((_matrix(encoder, problem.validation), "validation"))
    callbacks = [_progress(say)]
    patience = int(values["early_stopping_rounds"])
    if problem.validation is not None and patience:
        callbacks.append(xgboost.callback.EarlyStopping(rounds=patience, save_best=True))
    booster = xgboost.train(
        _parameters(problem, values, threads), train, int(values["n_estimators"]),
        evals=watched, verbose_eval=False, callbacks=callbacks,
    )  # fmt: skip
    say(f"{booster.num_boosted_rounds()} rounds kept")
    return Model(booster, encoder, len(problem.dataset.classes or ()))


def finish(
    model: Model,
    problem: Problem,
    hyperparameters: Mapping[str, str],
    say: Callable[[str], None],
    threads: int = 1,
) -> Model:
    """Return the model to ship: fitted anew on train and validation together, for as many rounds as were best."""
    values = parse(hyperparameters, HYPERPARAMETERS, ALIASES)
    if problem.validation is None or not values["refit"]:
        return model
    say("fitted again on train and validation together")
    encoder, xgboost = model._encoder, engine()
    parts = [problem.train, problem.validation]
    both = np.concatenate([encoder.matrix(part.columns, len(part)) for part in parts])
    answers = np.concatenate([part.target for part in parts])
    matrix = xgboost.DMatrix(both, answers, feature_types=encoder.types, enable_categorical=True)
    rounds = model._booster.num_boosted_rounds()
    booster = xgboost.train(_parameters(problem, values, threads), matrix, rounds)
    return Model(booster, encoder, model._classes)


def engine(lean: bool = False) -> Any:
    """Import xgboost; `lean` hides scikit-learn from it while it is imported.

    XGBoost works without its scikit-learn wrappers, which we do not use, and then loads in 0.3 s and 60 MB
    instead of 1.4 s and 200 MB (3.2.0). Only programs of their own ask for it: a process may want the wrappers.
    """
    if lean and "xgboost" not in sys.modules and "sklearn" not in sys.modules:
        sys.modules["sklearn"] = None  # type: ignore[assignment]
        try:
            import xgboost  # noqa: PLC0415
        finally:
            del sys.modules["sklearn"]
        return xgboost
    import xgboost  # noqa: PLC0415

    return xgboost


def _encoder(problem: Problem, values: Mapping[str, Value], say: Callable[[str], None]) -> Encoder:
    usable = [c for c in problem.dataset.features if c.role != "text" and c.name in problem.train.columns]
    unused = [c.name for c in problem.dataset.features if c.role == "text"]
    if unused:
        say(f"warning: gradient_boosting does not read text; left out: {', '.join(unused)}")
    if not usable:
        raise BadData(
            "gradient_boosting needs a number, category or date column: name one in the project's columns."
        )
    return Encoder.fit(
        usable, problem.train.columns, int(values["min_category_rows"]), int(values["max_categories"])
    )


def _matrix(encoder: Encoder, rows: Rows) -> Any:
    return engine().DMatrix(
        encoder.matrix(rows.columns, len(rows)),
        rows.target,
        feature_types=encoder.types,
        enable_categorical=True,
    )


def _parameters(problem: Problem, values: Mapping[str, Value], threads: int) -> dict[str, Any]:
    classes = len(problem.dataset.classes or ())
    given: dict[str, Any] = {name: value for name, value in values.items() if name not in _OURS}
    if classes != 2:
        del given["scale_pos_weight"]
    if classes == 0:
        goal: dict[str, Any] = {"objective": "reg:squarederror", "eval_metric": "rmse"}
    elif classes == 2:
        goal = {"objective": "binary:logistic", "eval_metric": "logloss"}
    else:
        goal = {"objective": "multi:softprob", "eval_metric": "mlogloss", "num_class": classes}
    return {**given, **goal, "tree_method": "hist", "nthread": threads, "verbosity": 0}


def _progress(say: Callable[[str], None]) -> Any:
    class Progress(engine().callback.TrainingCallback):  # type: ignore[misc]
        """Says the metrics of every tenth round."""

        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:  # noqa: ARG002
            if epoch % SPOKEN == 0:
                parts = [
                    f"{split}-{name}:{series[-1]:.6f}"
                    for split, metrics in evals_log.items()
                    for name, series in metrics.items()
                ]
                say(f"[{epoch}] " + " ".join(parts))
            return False

    return Progress()
