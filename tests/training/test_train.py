"""train.py as SageMaker starts it: a process in an /opt/ml tree."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import pytest

from tests.training.optml import KINDS, fill, frame, run, trained

METRIC = re.compile(r"^validation:(\w+)=([0-9.e+-]+)$", re.MULTILINE)


def manifest(base: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((base / "model/manifest.json").read_text())
    return document


@pytest.mark.parametrize("kind", KINDS)
def test_leaves_a_model_that_says_how_it_came_about(kind: str) -> None:
    base, _ = trained(kind)
    about = manifest(base)
    assert (about["project"], about["run"], about["target"]) == (kind, f"{kind}-0001-x", "answer")
    assert about["dataset"]["version"] == 3
    assert about["hyperparameters"]["n_estimators"] == 40
    assert {"python", "numpy"} <= set(about["versions"])
    assert about["classes"] == frame(kind)[1]["classes"]
    for name, digest in about["files"].items():
        assert hashlib.sha256((base / "model" / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("kind", KINDS)
def test_prints_each_metric_on_a_line_a_regex_finds(kind: str) -> None:
    _, printed = trained(kind)
    found = {name: float(value) for name, value in METRIC.findall(printed)}
    expected = {"rmse", "mae", "r2"} if kind == "numbers" else {"accuracy", "macro_f1", "auc", "log_loss"}
    assert set(found) == expected | ({"f1", "pr_auc", "tpr_at_fpr"} if kind == "binary" else set())


def test_prints_every_round() -> None:
    assert re.search(
        r"^\[13\] train-logloss:0\.\d+ validation-logloss:0\.\d+$", trained("binary")[1], re.MULTILINE
    )


def test_the_model_holds_no_pickle_and_the_code_that_serves_it() -> None:
    names = {
        str(path.relative_to(trained("binary")[0] / "model"))
        for path in (trained("binary")[0] / "model").rglob("*")
    }
    assert {"code/inference.py", "code/requirements.txt", "code/learners/artifact.py"} <= names
    assert not [name for name in names if name.endswith((".pkl", ".joblib", ".pyc"))]


def test_the_request_schema_accepts_a_row_and_says_the_types() -> None:
    schema = json.loads((trained("binary")[0] / "model/request.schema.json").read_text())
    jsonschema.validate({"instances": [{"mean radius": 11.5, "clinic": None, "seen": "2024-03-01"}]}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"instances": [{"mean radius": "wide"}]}, schema)


def test_reads_hyperparameters_as_the_sdk_writes_them(tmp_path: Path) -> None:
    fill(tmp_path, *frame("classes"))
    (tmp_path / "input/config").mkdir(parents=True)
    given = {
        "learner": '"gradient_boosting"',
        "num_round": "7",
        "sagemaker_program": '"train.py"',
        "sagemaker_submit_directory": "s3://bucket/training.tar.gz",
        "_tuning_objective_metric": "validation:auc",
    }
    (tmp_path / "input/config/hyperparameters.json").write_text(json.dumps(given))
    done = run("train.py", tmp_path, "--eta", "0.3", "--refit", "False")
    assert done.returncode == 0, done.stderr
    kept = manifest(tmp_path)["hyperparameters"]
    assert (kept["n_estimators"], kept["learning_rate"], kept["refit"]) == (7, 0.3, False)


def test_channels_and_model_directory_may_be_anywhere(tmp_path: Path) -> None:
    fill(tmp_path / "one", *frame("numbers"))
    data = tmp_path / "one/input/data"
    done = run(
        "train.py",
        tmp_path / "one",
        SM_CHANNEL_TRAIN=str(data / "validation"),
        SM_MODEL_DIR=str(tmp_path / "elsewhere"),
        SM_HPS='{"n_estimators": 5}',
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "elsewhere/manifest.json").is_file()
    assert not (tmp_path / "one/model").exists()


def test_trains_without_a_validation_split(tmp_path: Path) -> None:
    fill(tmp_path, *frame("classes"))
    (tmp_path / "input/data/validation/part-0.parquet").unlink()
    done = run("train.py", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "train:macro_f1=" in done.stdout
    assert "200 rounds kept" in done.stdout


def one_answer(made: pd.DataFrame, document: dict[str, Any]) -> None:
    made["answer"] = document["classes"][0]


def strange_answer(made: pd.DataFrame, document: dict[str, Any]) -> None:
    document["classes"] = document["classes"][:2]


def no_target(made: pd.DataFrame, document: dict[str, Any]) -> None:
    document["target"] = "outcome"


def no_feature(made: pd.DataFrame, document: dict[str, Any]) -> None:
    document["columns"] = [{**column, "role": "ignore"} for column in document["columns"]]


def not_numbers(made: pd.DataFrame, document: dict[str, Any]) -> None:
    document["task"] = "regression"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (one_answer, "training rows has the same answer, grower 0: upload"),
        (strange_answer, "answer 'grower 2', not among the classes"),
        (no_target, "no column 'outcome', the target"),
        (no_feature, "needs a number, category or date column"),
        (not_numbers, "not all numbers, and the task is regression"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_says_why_data_cannot_be_learnt_from(tmp_path: Path, spoil: Any, words: str) -> None:
    made, document = frame("classes")
    spoil(made, document)
    fill(tmp_path, made, document)
    done = run("train.py", tmp_path)
    failure = (tmp_path / "output/failure").read_text()
    assert done.returncode == 1
    assert failure.startswith("BadData: ")
    assert words in failure
    assert done.stderr.strip().splitlines()[-1] == failure


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--max_depth", "deep", "--eta", "7", "--colour", "red"],
            ["max_depth is 'deep'", "eta is '7'", "colour is not"],
        ),
        (
            ["--learner", "oracle"],
            [
                "no learner 'oracle'",
                "gradient_boosting, script, text_cnn, text_forest, text_linear, text_sequence",
            ],
        ),
        (["--learner", "text_forest"], ["needs a text column"]),
    ],
)
def test_says_every_fault_of_the_settings(tmp_path: Path, arguments: list[str], words: list[str]) -> None:
    fill(tmp_path, *frame("classes"))
    done = run("train.py", tmp_path, *arguments)
    failure = (tmp_path / "output/failure").read_text()
    assert done.returncode == 1
    assert all(word in failure for word in words), failure


def test_says_which_input_is_missing_or_broken(tmp_path: Path) -> None:
    assert run("train.py", tmp_path).returncode == 1
    assert "channels train and dataset" in (tmp_path / "output/failure").read_text()
    fill(tmp_path, *frame("classes"))
    (tmp_path / "input/data/train/part-0.parquet").write_bytes(b"not parquet")
    assert run("train.py", tmp_path).returncode == 1
    assert "Parquet files of train/ cannot be read" in (tmp_path / "output/failure").read_text()
