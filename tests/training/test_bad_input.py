"""Data no model should be made of, and data that can be learnt from with a word of warning: the same for every learner.

Each case goes through train.py in one process of its own: it ends with a model, or with a refusal that says where, what
and what next. A traceback is neither.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.training.optml import fill, run
from tests.training.test_learners_script import archive

OWN = {
    "train.py": "import os, pathlib\npathlib.Path(os.environ['SM_MODEL_DIR'], 'm.txt').write_text('1')\n",
    "inference.py": "def model_fn(d): return d\ndef predict_fn(rows, m): return ['a' for row in rows]\n",
}
FAST = {
    "gradient_boosting": ("--num_round", "5"),
    "text_forest": ("--n_estimators", "5", "--min_df", "1"),
    "text_cnn": ("--epochs", "1", "--channels", "4", "--embedding_dim", "4"),
    "text_linear": ("--min_df", "1"),
    "text_sequence": ("--epochs", "1", "--hidden", "4", "--embedding_dim", "4"),
}
REGRESSION = {"curve"}
needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None,
    reason="PyTorch is not installed: pip install penstock[pytorch]",
)
QUICK = ("gradient_boosting", "text_linear")
COVERED = [
    pytest.param(
        name,
        marks=[
            *([] if name in QUICK else [pytest.mark.slow]),
            *([needs_torch] if name in {"text_cnn", "text_sequence"} else []),
        ],
    )
    for name in sorted({"curve", "script", *FAST})
]
ROWS = 60
MANY = pd.DataFrame({f"n{number}": np.arange(ROWS) * 1.0 for number in range(2000)})


@dataclass(frozen=True)
class Case:
    """What is done to good rows, and the words that must be said: of a refusal, or of a warning beside a model."""

    spoil: Callable[[pd.DataFrame, dict[str, Any]], None]
    refusal: str = ""
    warning: str = ""
    tasks: tuple[str, ...] = ("classification", "regression")


def one_class(made: pd.DataFrame, document: dict[str, Any]) -> None:
    made["answer"] = "a"


def a_row_of_a_class(made: pd.DataFrame, document: dict[str, Any]) -> None:
    made.loc[0, "answer"] = "rare"
    document["classes"] = ["a", "b", "rare"]


def no_labels(made: pd.DataFrame, document: dict[str, Any]) -> None:
    made["answer"] = None if document["classes"] else np.nan


def same_number(made: pd.DataFrame, document: dict[str, Any]) -> None:
    made["answer"] = 7.5


def infinite(made: pd.DataFrame, document: dict[str, Any]) -> None:
    made.loc[[1, 2], "size"] = [np.inf, -np.inf]


def infinite_answer(made: pd.DataFrame, document: dict[str, Any]) -> None:
    made.loc[3, "answer"] = np.inf


def two_thousand_columns(made: pd.DataFrame, document: dict[str, Any]) -> None:
    document["columns"] += [{"name": name, "role": "number"} for name in MANY]


def empty_texts(made: pd.DataFrame, document: dict[str, Any]) -> None:
    made.loc[[0, 1, 2], "line"] = ["", "   ", None]


def case_apart(made: pd.DataFrame, document: dict[str, Any]) -> None:
    made.loc[made.index % 4 == 1, "answer"] = "B"
    document["classes"] = ["B", "a", "b"]


CASES = {
    "one class": Case(one_class, refusal="rows has the same answer, a: upload", tasks=("classification",)),
    "a class with one row": Case(
        a_row_of_a_class, warning="class 'rare' of answer has 1 training row(s)", tasks=("classification",)
    ),
    "all labels missing": Case(no_labels, refusal="every label is missing. Upload rows that have one"),
    "constant target": Case(same_number, refusal="the same answer, 7.5: upload", tasks=("regression",)),
    "infinite values": Case(infinite, warning="size is infinite in 2 training row(s): taken for missing"),
    "an infinite target": Case(infinite_answer, refusal="missing or infinite values", tasks=("regression",)),
    "2,000 columns": Case(two_thousand_columns, warning="2002 columns to learn from"),
    "empty texts": Case(empty_texts, warning="line is empty in 3 of 36 training rows"),
    "labels that differ by case": Case(
        case_apart, warning="differ by case or spaces only", tasks=("classification",)
    ),
}


def good(task: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    rows = np.arange(ROWS)
    source = np.random.default_rng(3)
    made = pd.DataFrame(
        {"size": source.normal(50, 9, ROWS), "line": [f"words about {'ab'[n % 2]}{n % 7}" for n in rows]}
    )
    made["answer"] = np.exp(made["size"] / 20) if task == "regression" else [("a", "b")[n % 2] for n in rows]
    columns = [
        {"name": "size", "role": "number"},
        {"name": "line", "role": "text"},
        {"name": "answer", "role": "label"},
    ]
    document = {
        "project": "p", "version": 1, "task": task, "target": "answer", "columns": columns,
        "classes": None if task == "regression" else ["a", "b"], "rows": {}, "source_objects": [],
    }  # fmt: skip
    return made, document


@pytest.mark.parametrize("case", sorted(CASES))
@pytest.mark.parametrize("learner", COVERED)
def test_bad_input_is_refused_or_repaired_and_said(learner: str, case: str, tmp_path: Path) -> None:
    wanted = CASES[case]
    task = "regression" if learner in REGRESSION else wanted.tasks[0]
    if task not in wanted.tasks:
        task = wanted.tasks[0]
    made, document = good(task)
    wanted.spoil(made, document)
    if "n0" in {column["name"] for column in document["columns"]}:
        made = pd.concat([made, MANY], axis=1)
    fill(tmp_path, made, document)
    if learner == "script":
        archive(tmp_path / "input/data/source", OWN)
    done = run("train.py", tmp_path, "--learner", learner, *FAST.get(learner, ()))
    assert "Traceback" not in done.stderr, done.stderr
    if wanted.refusal:
        assert done.returncode == 1
        assert wanted.refusal in done.stderr, done.stderr
        return
    assert f"warning: {wanted.warning}" in done.stdout or wanted.warning in done.stdout, (
        done.stdout + done.stderr
    )
    if done.returncode == 0:
        assert json.loads((tmp_path / "model/manifest.json").read_text())["learner"] == learner
    else:  # a learner may refuse the task or the columns as such, by name
        assert done.stderr.startswith("BadData: ")
        assert learner in done.stderr or "curve" in done.stderr, done.stderr
