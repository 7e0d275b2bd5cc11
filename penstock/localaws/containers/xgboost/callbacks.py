"""What happens after each boosting round: checkpoints, the model so far, early stopping, the line in the log."""

import os
import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xgboost

from penstock.localaws.containers.xgboost import MAXIMIZE, MODEL

KEPT = 5  # checkpoints
_CHECKPOINT = "xgboost-checkpoint"


@dataclass(frozen=True)
class Wishes:
    """What a training is to do besides training.

    Attributes:
        model: where the model goes; with `save_on_termination` its state after each round too.
        checkpoints: directory of the checkpoints, None for none.
        patience: rounds without a better `watched` metric of the validation data before it stops; None for ever.
    """

    model: Path
    checkpoints: Path | None = None
    save_on_termination: bool = False
    patience: int | None = None
    watched: str | None = None


@dataclass(frozen=True)
class Start:
    """Where a training begins: the checkpoint it continues from, if any, and the rounds that has behind it."""

    checkpoint: Path | None
    rounds: int


def latest(directory: Path | None) -> Start:
    """The newest checkpoint of a directory."""
    found = (
        [path for path in directory.iterdir() if _number(path) >= 0]
        if directory and directory.is_dir()
        else []
    )
    if not found:
        return Start(None, 0)
    newest = max(found, key=_number)
    return Start(newest, _number(newest) + 1)


def _number(path: Path) -> int:
    matched = re.fullmatch(rf"{_CHECKPOINT}\.([0-9]+)", path.name)
    return int(matched[1]) if matched else -1


def callbacks(wishes: Wishes, start: Start) -> Sequence[Any]:
    """The callbacks for xgboost.train."""
    chosen: list[Any] = [xgboost.callback.EvaluationMonitor()]
    if wishes.checkpoints is not None:
        chosen.append(_Checkpoints(wishes.checkpoints, start.rounds))
    if wishes.save_on_termination:
        chosen.append(_ModelSoFar(wishes.model))
    if wishes.patience and wishes.watched:
        chosen.append(
            xgboost.callback.EarlyStopping(
                rounds=wishes.patience,
                data_name="validation",
                metric_name=wishes.watched,
                maximize=wishes.watched in MAXIMIZE,
                save_best=True,
            )
        )
    return chosen


class _Checkpoints(xgboost.callback.TrainingCallback):
    """Writes xgboost-checkpoint.<round> and keeps the last five."""

    def __init__(self, directory: Path, before: int) -> None:
        super().__init__()
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._before = before

    def after_iteration(self, model: Any, epoch: int, _evals_log: Any) -> bool:
        """Save; never stop."""
        number = self._before + epoch
        save(model, self._directory / f"{_CHECKPOINT}.{number}")
        if epoch >= KEPT:
            (self._directory / f"{_CHECKPOINT}.{number - KEPT}").unlink(missing_ok=True)
        return False


class _ModelSoFar(xgboost.callback.TrainingCallback):
    """Keeps the model's file up to date, so that a job that is stopped leaves one."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def after_iteration(self, model: Any, _epoch: int, _evals_log: Any) -> bool:
        """Save; never stop."""
        save(model, self._path)
        return False


def save(model: Any, path: Path) -> None:
    """Write a booster: the file is there whole or not at all."""
    partial = path.with_name(f"{path.name}.sagemaker-ignore.ubj")  # the ending chooses XGBoost's format
    model.save_model(partial)
    partial.rename(path)


def end_well_on_sigterm(model_dir: Path) -> None:
    """From now on SIGTERM ends the process with code 0, and only finished models stay in the directory."""

    def end(*_: object) -> None:
        for path in model_dir.iterdir():
            if path.is_file() and not re.fullmatch(rf"{MODEL}(-\d+)?", path.name):
                path.unlink(missing_ok=True)
        os._exit(0)

    signal.signal(signal.SIGTERM, end)
