"""Cross validation: which rows are held out when, what was predicted for them, and the mean metrics."""

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

log = logging.getLogger(__name__)

FILE = "predictions.csv"  # in output.tar.gz: label, prediction; for classes label, probability, class
Indices = Any  # a numpy array of row numbers


def split(labels: Any, folds: int, repeats: int, classes: bool) -> Iterator[tuple[Indices, Indices]]:
    """Rows to train on and rows held out, `folds` times `repeats`; for classes each fold has them in proportion."""
    from sklearn.model_selection import (  # noqa: PLC0415 - heavy, and most jobs do without
        RepeatedKFold,
        RepeatedStratifiedKFold,
    )

    kind = RepeatedStratifiedKFold if classes else RepeatedKFold
    yield from kind(n_splits=folds, n_repeats=repeats).split(range(len(labels)), labels if classes else None)


def mean_line(num_round: int, results: Sequence[Any]) -> str:
    """The log line of the mean over several folds' last rounds: [round]<tab>train-rmse:…<tab>validation-rmse:…"""
    line = f"[{num_round}]"
    for metric in results[0]["train"]:
        for data in results[0]:
            line += f"\t{data}-{metric}:{np.mean([result[data][metric][-1] for result in results]):.5f}"
    return line


class Predictions:
    """What was predicted for each row while it was held out, once in each repetition."""

    def __init__(self, labels: Any, repeats: int, classes: bool) -> None:
        self._labels = np.array(labels)
        self._classes = classes
        self._values = np.zeros((len(labels), repeats))
        self._certainty = np.zeros((len(labels), repeats))
        self._count = np.zeros(len(labels), dtype=int)

    def record(self, rows: Indices, predicted: Any) -> None:
        """Keep the predictions of a fold."""
        times = self._count[rows]
        if not self._classes:
            self._values[rows, times] = predicted
        elif predicted.ndim > 1:
            self._values[rows, times] = np.argmax(predicted, axis=-1)
            self._certainty[rows, times] = np.max(predicted, axis=-1)
        else:
            self._values[rows, times] = predicted > 0.5
            self._certainty[rows, times] = predicted
        self._count[rows] += 1

    def save(self, directory: Path) -> None:
        """Write them in the order of the rows."""
        directory.mkdir(parents=True, exist_ok=True)
        log.info("Storing predictions on validation set(s) in %s", directory / FILE)
        np.savetxt(
            directory / FILE, np.column_stack([self._labels, *self._columns()]), delimiter=",", fmt="%f"
        )

    def _columns(self) -> list[Any]:
        if not self._classes:
            return [self._values.mean(axis=1)]
        return [self._certainty.mean(axis=1), np.array([_most_frequent(row) for row in self._values])]


def _most_frequent(values: Any) -> float:
    found, counts = np.unique(values, return_counts=True)
    return float(found[np.argmax(counts)])
