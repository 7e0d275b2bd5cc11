"""The training itself: one booster, or one for each fold of a cross validation."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

from penstock.localaws.containers.xgboost import MODEL, scores
from penstock.localaws.containers.xgboost.callbacks import Wishes, callbacks, latest, save
from penstock.localaws.containers.xgboost.errors import AlgorithmError, UserError
from penstock.localaws.containers.xgboost.folds import Predictions, mean_line, split

log = logging.getLogger(__name__)

DEFAULT_OBJECTIVE = "reg:squarederror"
_OURS = (  # hyperparameters of the image that are not XGBoost's
    "num_round",
    "csv_weights",
    "early_stopping_rounds",
    "save_model_on_termination",
    "_tuning_objective_metric",
    "_kfold",
    "_num_cv_round",
    "use_dask_gpu_training",
)
_USERS_FAULTS = (  # what XGBoost says when the data or the hyperparameters are to blame
    "label must be in [0,1] for logistic regression",
    "label must be in [0, num_class)",
    "Target is multiclass but average='binary'",
    "feature_names mismatch",
    "Check failed: preds.size() == info.labels_.size()",
    "Check failed: !auc_error AUC: the dataset only contains pos or neg samples",
    "base_score must be in (0,1)",
    "label must be non-negative for Poisson/Tweedie regression",
    "Parameter reg_lambda should be greater equal to 0",
)


@dataclass(frozen=True)
class Data:
    """What to train on; `everything` is both together, for cross validation only."""

    train: Any
    validation: Any = None
    everything: Any = None

    @property
    def watched(self) -> list[tuple[Any, str]]:
        """What metrics are computed on, by name."""
        return [(self.train, "train")] + (
            [] if self.validation is None else [(self.validation, "validation")]
        )


class Training:
    """A training with validated hyperparameters. `run` leaves the model's files in the directory."""

    def __init__(self, values: Mapping[str, Any], model_dir: Path, checkpoints: Path | None) -> None:
        self._values = values
        self._objective = values.get("objective", DEFAULT_OBJECTIVE)
        metrics = scores.wanted(values.get("eval_metric"), self._tuned())
        self._parameters = {key: value for key, value in values.items() if key not in _OURS}
        self._parameters["eval_metric"] = [name for name in metrics if name not in scores.CUSTOM]
        if not self._parameters["eval_metric"]:
            del self._parameters["eval_metric"]
        if "updater" in values:
            self._parameters["updater"] = ",".join(values["updater"])
        self._custom = scores.custom(metrics, self._objective)
        last = (self._tuned() or values.get("eval_metric") or [None])[-1]
        self._wishes = Wishes(
            model_dir / MODEL,
            checkpoints,
            values.get("save_model_on_termination") == "true",
            values.get("early_stopping_rounds"),
            last,
        )

    def _tuned(self) -> list[str] | None:
        """`validation:auc` → [`auc`]."""
        name = self._values.get("_tuning_objective_metric")
        return name.split(":")[1].split(",") if name else None

    def run(self, data: Data, output: Path) -> None:
        """Train and save; raises UserError or AlgorithmError."""
        check_labels(data, self._objective, self._values.get("num_class"))
        try:
            if "_kfold" in self._values:
                self._cross_validate(data, output)
            else:
                booster, _ = self._fit(data.train, data, self._wishes)
                save(booster, self._wishes.model)
        except xgboost.core.XGBoostError as error:
            text = str(error).partition("\nStack trace:")[0].strip()
            if any(known in text for known in _USERS_FAULTS):
                raise UserError(text) from error
            raise AlgorithmError(f"XGB train call failed with exception:\n {text}") from error
        except ValueError as error:
            if "Target is multiclass but average='binary'" in str(error):
                raise UserError(str(error)) from error
            raise AlgorithmError(f"XGB train call failed with exception:\n {error}") from error

    def _fit(self, rows: Any, data: Data, wishes: Wishes) -> tuple[Any, Any]:
        """A booster trained on `rows`, and what its metrics were after each round."""
        start, results = latest(wishes.checkpoints), {}  # type: ignore[var-annotated]
        if start.checkpoint is not None:
            log.info("Checkpoint loaded from %s", start.checkpoint)
            log.info("Resuming from iteration %s", start.rounds)
        if data.validation is None:
            wishes = replace(wishes, patience=None)  # nothing to judge by
        booster = xgboost.train(
            self._parameters,
            rows,
            num_boost_round=max(self._values["num_round"] - start.rounds, 0),
            evals=data.watched,
            custom_metric=self._custom,
            evals_result=results,
            callbacks=callbacks(wishes, start),
            xgb_model=bytearray(start.checkpoint.read_bytes()) if start.checkpoint else None,
            verbose_eval=False,
        )
        return booster, results

    def _cross_validate(self, data: Data, output: Path) -> None:
        folds, repeats = self._values["_kfold"], self._values.get("_num_cv_round", 1)
        rows = data.everything
        classes = "num_class" in self._values or self._objective.startswith("binary:")
        predictions = Predictions(rows.get_label(), repeats, classes)
        log.info("Run %d-round of %d-fold cross validation with %d rows", repeats, folds, rows.num_row())
        results: list[Any] = []
        for number, (train, held_out) in enumerate(split(rows.get_label(), folds, repeats, classes)):
            booster, result = self._fit(rows.slice(train), data, self._fold(number))
            results.append(result)
            predictions.record(held_out, booster.predict(rows.slice(held_out)))
            save(booster, self._fold(number).model)
            if (number + 1) % folds == 0:
                log.info("The metrics of round %d cross validation", (number + 1) // folds)
                _say(mean_line(self._values["num_round"], results[-folds:]))
        predictions.save(output)
        if repeats > 1:
            log.info("The overall metrics of %d-round cross validation", repeats)
            _say(mean_line(self._values["num_round"], results))

    def _fold(self, number: int) -> Wishes:
        checkpoints = self._wishes.checkpoints
        return replace(
            self._wishes,
            model=self._wishes.model.with_name(f"{MODEL}-{number}"),
            checkpoints=checkpoints and checkpoints / f"model-{number}",
        )


def check_labels(data: Data, objective: str, num_class: int | None) -> None:
    """UserError for labels the objective cannot have: XGBoost notices some of them late, or as something else."""
    for rows, _ in data.watched:
        labels = rows.get_label()
        if objective in ("binary:logistic", "reg:logistic") and not _within(labels, 0, 1):
            raise UserError("label must be in [0,1] for logistic regression")
        if objective.startswith("multi:") and num_class and not _within(labels, 0, num_class - 1):
            raise UserError(
                f"SoftmaxMultiClassObj: label must be in [0, num_class), num_class is {num_class}"
            )


def _within(labels: Sequence[float], low: float, high: float) -> bool:
    return bool(np.all((np.asarray(labels) >= low) & (np.asarray(labels) <= high)))


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - metrics are read from what is printed
