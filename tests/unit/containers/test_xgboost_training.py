"""Training as the XGBoost image does it, in this process: what is printed, what is left, what fails and why."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from penstock.localaws.containers.xgboost import callbacks, scores, train
from penstock.localaws.containers.xgboost.errors import UserError
from penstock.localaws.sagemaker.jobs.metrics import MetricReader

REPO = Path(__file__).resolve().parents[3]
CSV = {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "ContentType": "text/csv"}


def binary(count: int, flip: int = 0) -> str:
    """Rows whose label is whether the first of two features is over a half; every `flip`th is wrong."""
    random = np.random.default_rng(count)
    lines = []
    for number, (a, b) in enumerate(random.random((count, 2))):
        wrong = flip and number % flip == 0
        lines.append(f"{int((a > 0.5) != bool(wrong))},{a:.4f},{b:.4f}")
    return "\n".join(lines) + "\n"


def job(base: Path, hyperparameters: dict[str, str], hosts: int = 1, **channels: str) -> train.Place:
    """The /opt/ml of a job."""
    config = base / "input/config"
    config.mkdir(parents=True, exist_ok=True)
    names = [f"algo-{number}" for number in range(1, hosts + 1)]
    for name, document in {
        "hyperparameters": hyperparameters,
        "inputdataconfig": dict.fromkeys(channels, CSV),
        "resourceconfig": {"current_host": names[0], "hosts": names},
    }.items():
        (config / f"{name}.json").write_text(json.dumps(document))
    for name, content in channels.items():
        (base / "input/data" / name).mkdir(parents=True, exist_ok=True)
        (base / "input/data" / name / "data.csv").write_text(content)
    return train.Place(base)


def booster(place: train.Place, name: str = "xgboost-model") -> Any:
    return xgboost.Booster(model_file=bytearray((place.base / "model" / name).read_bytes()))


def test_the_model_and_the_lines(tmp_path, capfd):
    """Lines with real tabs, a metric of XGBoost's and two of the image's own, and a file without an extension."""
    given = {
        "num_round": "3",
        "objective": "binary:logistic",
        "eval_metric": "auc",
        "_tuning_objective_metric": "validation:f1",
    }
    place = job(tmp_path, {**given, "eval_metric": "auc,accuracy"}, train=binary(80), validation=binary(40))
    train.run(place)

    lines = [line for line in capfd.readouterr().out.splitlines() if line.startswith("[")]
    assert [line.split("\t")[0] for line in lines] == ["[0]", "[1]", "[2]"]
    shown = dict(part.split(":") for part in lines[-1].split("\t")[1:])
    assert set(shown) == {f"{d}-{m}" for d in ("train", "validation") for m in ("auc", "accuracy", "f1")}
    assert float(shown["validation-accuracy"]) > 0.9
    assert booster(place).num_boosted_rounds() == 3
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["xgboost-model"]


def test_the_definitions_find_the_metrics_in_the_lines(tmp_path, capfd):
    from penstock.localaws.containers.xgboost import METRICS  # noqa: PLC0415

    train.run(job(tmp_path, {"num_round": "2"}, train=binary(30), validation=binary(20)))
    reader = MetricReader([{"Name": name, "Regex": regex} for name, regex in METRICS.items()])
    for line in capfd.readouterr().out.splitlines():
        reader.read(line.replace("\t", "#011"), 0.0)
    assert [metric["MetricName"] for metric in reader.final()] == ["validation:rmse"]


def test_early_stopping_keeps_the_best_round(tmp_path):
    given = {
        "num_round": "200",
        "objective": "binary:logistic",
        "eval_metric": "logloss",
        "early_stopping_rounds": "3",
        "eta": "0.9",
    }
    place = job(tmp_path, given, train=binary(60, flip=4), validation=binary(40))
    train.run(place)
    assert booster(place).num_boosted_rounds() == booster(place).best_iteration + 1 < 100


def test_cross_validation_leaves_a_model_a_fold_and_the_predictions(tmp_path, capfd):
    given = {"num_round": "2", "objective": "binary:logistic", "_kfold": "3", "_num_cv_round": "2"}
    place = job(tmp_path, given, train=binary(60), validation=binary(30))
    train.run(place)

    names = sorted(path.name for path in (tmp_path / "model").iterdir())
    assert names == [f"xgboost-model-{number}" for number in range(6)]
    predictions = np.loadtxt(tmp_path / "output/data/predictions.csv", delimiter=",")
    assert predictions.shape == (90, 3)
    assert (predictions[:, 0] == predictions[:, 2]).mean() > 0.9
    means = re.findall(
        r"^\[2\]\ttrain-logloss:\S+\tvalidation-logloss:\S+$", capfd.readouterr().out, re.MULTILINE
    )
    assert len(means) == 3  # after each repetition, and over both


def test_a_checkpoint_is_taken_up_and_five_are_kept(tmp_path):
    place = job(tmp_path, {"num_round": "7"}, train=binary(30))
    (tmp_path / "input/config/checkpointconfig.json").write_text('{"S3Uri": "s3://b/c"}')
    train.run(place)
    kept = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert kept == [f"xgboost-checkpoint.{number}" for number in range(2, 7)]
    assert callbacks.latest(tmp_path / "checkpoints").rounds == 7

    train.run(job(tmp_path, {"num_round": "9"}, train=binary(30)))

    assert booster(place).num_boosted_rounds() == 9
    assert callbacks.latest(tmp_path / "checkpoints").rounds == 9


@pytest.mark.parametrize(
    ("given", "channels", "said"),
    [
        (
            {"objective": "binary:logistic"},
            {"train": "0,1\n5,2\n"},
            "label must be in [0,1] for logistic regression",
        ),
        (
            {"objective": "multi:softmax", "num_class": "3"},
            {"train": "0,1\n3,2\n"},
            "label must be in [0, num_class), num_class is 3",
        ),
        (
            {"objective": "count:poisson"},
            {"train": "1,1\n-3,2\n"},
            "label must be non-negative for Poisson",
        ),
        ({}, {"train": ""}, "No data in training channel path"),
        ({}, {"train": "1,2\n", "validation": ""}, "No data in validation channel path"),
        ({"use_dask_gpu_training": "true"}, {"train": "1,2\n"}, "unsuitable for Dask GPU training"),
    ],
)
def test_the_users_faults(tmp_path, given, channels, said):
    with pytest.raises(UserError) as refused:
        train.run(job(tmp_path, {"num_round": "1", **given}, **channels))
    assert said in str(refused.value)
    assert "Stack trace" not in str(refused.value)


def test_of_several_hosts_the_first_trains_when_it_has_all_the_data(tmp_path):
    place = job(tmp_path, {"num_round": "1"}, hosts=2, train=binary(20))
    resources = tmp_path / "input/config/resourceconfig.json"
    first = resources.read_text()
    resources.write_text(first.replace('"current_host": "algo-1"', '"current_host": "algo-2"'))
    train.run(place)
    assert not (tmp_path / "model").exists()
    resources.write_text(first)
    train.run(place)
    assert (tmp_path / "model/xgboost-model").is_file()

    channels = tmp_path / "input/config/inputdataconfig.json"
    channels.write_text(channels.read_text().replace("FullyReplicated", "ShardedByS3Key"))
    with pytest.raises(UserError, match="Distributed training on 2 hosts is not there"):
        train.run(place)


@pytest.mark.parametrize(
    ("objective", "predictions", "classes"),
    [
        ("binary:logistic", [0.2, 0.7], [0, 1]),
        ("binary:logitraw", [-0.2, 0.3], [0, 1]),
        ("multi:softmax", [2.0, 0.0], [2, 0]),
        ("multi:softprob", [[0.1, 0.9], [0.6, 0.4]], [1, 0]),
    ],
)
def test_classes_of_predictions(objective, predictions, classes):
    assert scores.classes(np.array(predictions), objective).tolist() == classes


def test_a_job_told_to_stop_leaves_the_model_so_far(tmp_path):
    """save_model_on_termination: SIGTERM in the middle ends with code 0, a whole model, and nothing half written."""
    given = {"num_round": "100000", "save_model_on_termination": "true"}
    place = job(tmp_path, given, train=binary(30))
    command = [sys.executable, "-m", "penstock.localaws.containers.xgboost.train"]
    with subprocess.Popen(
        command, env={**os.environ, "SAGEMAKER_BASE_DIR": str(tmp_path)}, stdout=subprocess.PIPE, cwd=REPO
    ) as process:
        assert process.stdout is not None
        lines = iter(process.stdout)
        assert any(line.startswith(b"[9]\t") for line in lines)
        process.terminate()
        for _ in lines:
            pass
        assert process.wait(20) == 0
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["xgboost-model"]
    assert 9 <= booster(place).num_boosted_rounds() < 100_000


def test_a_failure_is_written_where_the_platform_reads_it(tmp_path):
    job(tmp_path, {"num_round": "many"}, train=binary(10))
    env = {**os.environ, "SAGEMAKER_BASE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "penstock.localaws.containers.xgboost.train"]
    assert subprocess.run(command, env=env, cwd=REPO, check=False, stderr=subprocess.DEVNULL).returncode == 1
    said = (tmp_path / "output/failure").read_text()
    assert said == "ClientError: Hyperparameter num_round: could not parse value (caused by ValueError)"
