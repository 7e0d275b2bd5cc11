"""More than one model a run: a tuning, several learners, the leaderboard over both, and a model built again.

The models are small and the set is scikit-learn's own, so that what takes time is the pipeline itself.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from penstock.cli.__main__ import main
from tests.e2e.stage import Stage
from tests.e2e.test_main_job import _csv, breast_cancer, cancer_spec

pytestmark = pytest.mark.slow
RANGES = {"max_depth": {"integer": [2, 6]}, "learning_rate": {"continuous": [0.05, 0.5], "scale": "log"}}
FEW = {"name": "gradient_boosting", "hyperparameters": {"n_estimators": 40}}


def run_of(stage: Stage, project: str, name: str = "a.csv", rows: Any = None) -> dict[str, Any]:
    """Drop a file and wait for its run to end."""
    key = stage.drop(project, name, _csv(rows or breast_cancer()))
    return stage.settled(project, {key})[-1]


def document(stage: Stage, key: str) -> dict[str, Any]:
    """A JSON document of the stage's bucket."""
    body = stage.client("s3").get_object(Bucket=stage.deployed.bucket, Key=key)["Body"].read()
    return dict(json.loads(body))


def test_a_tuning_of_four_jobs_two_at_once_goes_on_with_the_best(stage: Stage) -> None:
    """The second run starts warm from the first one's tuning job."""
    spec = cancer_spec("tuned") | {
        "learner": FEW,
        "tune": {"ranges": RANGES, "max_jobs": 4, "parallel": 2},
        "gate": {"metric": "macro_f1", "at_least": 0.8, "beat_champion": False},
    }
    stage.put_project(spec)
    run = run_of(stage, "tuned")
    assert run["state"] == "SUCCEEDED", run
    table = document(stage, f"runs/{run['run']}/candidates.json")
    values = [one["value"] for one in table["candidates"]]
    assert len(values) == 4
    assert values == sorted(values, reverse=True)
    job = table["candidates"][0]["job"]
    assert run["summary"]["training_job"] == job
    tuning = stage.client("sagemaker").describe_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=run["summary"]["tuning"]["job"]
    )
    assert tuning["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxParallelTrainingJobs"] == 2
    assert set(run["summary"]["hyperparameters"]) >= {"max_depth", "learning_rate", "n_estimators"}
    again = run_of(stage, "tuned", "b.csv", breast_cancer()[:100])
    assert again["state"] == "SUCCEEDED", again
    second = stage.client("sagemaker").describe_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=again["summary"]["tuning"]["job"]
    )
    (parent,) = second["WarmStartConfig"]["ParentHyperParameterTuningJobs"]
    assert parent["HyperParameterTuningJobName"] == run["summary"]["tuning"]["job"]


def test_auto_goes_on_with_the_best_and_sets_aside_what_fails(stage: Stage) -> None:
    """Three candidates of two learners; one of them asks for what its learner does not take."""
    spec = cancer_spec("choice")
    spec["columns"]["note"] = "text"
    spec |= {
        "learner": {"name": "auto"},
        "auto": {
            "minutes": 5,
            "usd": 1,
            "learners": [
                FEW,
                {"name": "text_forest", "hyperparameters": {"n_estimators": 20}},
                {"name": "gradient_boosting", "hyperparameters": {"max_depth": 99}},
            ],
        },
    }
    stage.put_project(spec)
    words = ["round even cells", "odd large cells", "smooth border"]
    rows = [{**row, "note": words[number % 3]} for number, row in enumerate(breast_cancer())]
    run = run_of(stage, "choice", rows=rows)
    assert run["state"] == "SUCCEEDED", run
    table = document(stage, f"runs/{run['run']}/candidates.json")
    assert [one["learner"] for one in table["candidates"]] == [
        "gradient_boosting",
        "text_forest",
        "gradient_boosting",
    ]
    assert "max_depth is '99'" in table["candidates"][2]["reason"]
    assert run["summary"]["learner"] == "gradient_boosting"
    answer = stage.predict("choice", {"instances": [{**rows[0], "diagnosis": None}]})
    assert answer.status == 200, answer.body


def test_when_every_candidate_fails_the_run_fails_and_says_why(stage: Stage) -> None:
    """The reason of each, once."""
    bad = {"name": "gradient_boosting", "hyperparameters": {"max_depth": 99}}
    stage.put_project(
        cancer_spec("hopeless") | {"learner": {"name": "auto"}, "auto": {"learners": [bad, bad]}}
    )
    run = run_of(stage, "hopeless")
    assert run["state"] == "FAILED"
    assert "all 2 failed" in run["reason"]
    assert "max_depth is '99'" in run["reason"]


Out = pytest.CaptureFixture[str]


def say(stage: Stage, capsys: Out, *words: str) -> Any:
    """A word of the command line; its answer."""
    capsys.readouterr()
    assert main(["--json", "--root", str(stage.root), *words]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)


@pytest.fixture(scope="module")
def twice(stage: Stage) -> list[str]:
    """Two runs of a project with other hyperparameters: the second is refused."""
    gate = {"metric": "macro_f1", "at_least": 0.8, "beat_champion": False}
    stage.put_project(cancer_spec("twice") | {"learner": FEW, "gate": gate})
    first = run_of(stage, "twice")
    slower = {"name": "gradient_boosting", "hyperparameters": {"n_estimators": 40, "max_depth": 2}}
    strict = {"metric": "macro_f1", "at_least": 1.0}
    stage.put_project(cancer_spec("twice") | {"learner": slower, "gate": strict})
    second = run_of(stage, "twice", "b.csv", breast_cancer()[:50])
    assert [first["state"], second["state"]] == ["SUCCEEDED", "REFUSED"]
    return [first["run"], second["run"]]


def test_the_leaderboard_shows_both_and_compare_what_differs(
    stage: Stage, twice: list[str], capsys: Out
) -> None:
    """With parameters, metrics, cost and verdict; class by class."""
    rows = say(stage, capsys, "leaderboard", "twice")["leaderboard"]
    assert {row["run"]: row["verdict"] for row in rows} == {twice[0]: "champion", twice[1]: "refused"}
    assert all(row["usd"] > 0 and row["validation"]["macro_f1"] > 0 for row in rows)
    found = say(stage, capsys, "compare", *twice)
    assert found["parameters"] == {"max_depth": [None, "2"]}
    assert set(found["classes"]) == {"benign", "malignant"}
    one, other, more = found["test"]["macro_f1"]
    assert abs(other - one - more) < 1e-9
    assert main(["--root", str(stage.root), "compare", *twice]) == 0
    assert "max_depth" in capsys.readouterr().out


def test_a_model_is_built_again_bit_for_bit_from_whatever_names_it(
    stage: Stage, twice: list[str], capsys: Out
) -> None:
    """A run, a model version, and an answer's inference id lead to the same training job."""
    answer = stage.predict("twice", {"instances": [breast_cancer()[0]]})
    assert answer.status == 200, answer.body
    names = (["1", "--project", "twice"], [answer.headers["x-penstock-inference-id"]])
    found = [say(stage, capsys, "reproduce", *words) for words in names]
    assert {one["run"] for one in found} == {twice[0]}
    assert all(one["equal"] and one["files"] > 3 for one in found), found
    assert len({one["reproduced_by"] for one in found}) == 2


def test_what_was_let_go_cannot_be_built_again(stage: Stage, twice: list[str], capsys: Out) -> None:
    """The reason names the address that is gone."""
    version = next(run for run in stage.runs("twice") if run["run"] == twice[1])["summary"]["dataset_version"]
    s3, prefix = stage.client("s3"), f"lake/twice/prepared/version={version:06d}/train/"
    for one in s3.list_objects_v2(Bucket=stage.deployed.bucket, Prefix=prefix)["Contents"]:
        s3.delete_object(Bucket=stage.deployed.bucket, Key=one["Key"])
    assert main(["--root", str(stage.root), "reproduce", twice[1]]) == 1
    assert prefix in capsys.readouterr().err


def test_the_next_run_is_given_the_released_model_to_go_on_from(stage: Stage) -> None:
    """As channel `model` of its training job; what it makes of it is train.py's to say."""
    gate = {"metric": "macro_f1", "at_least": 0.8, "beat_champion": False}
    stage.put_project(cancer_spec("warm") | {"learner": FEW, "gate": gate, "retrain": {"warm_start": True}})
    first = run_of(stage, "warm", rows=breast_cancer()[:-60])
    second = run_of(stage, "warm", "b.csv", breast_cancer()[-60:])
    assert [first["state"], second["state"]] == ["SUCCEEDED", "SUCCEEDED"]
    describe = stage.client("sagemaker").describe_training_job
    jobs = [describe(TrainingJobName=run["summary"]["training_job"]) for run in (first, second)]
    given = [{one["ChannelName"]: one for one in job["InputDataConfig"]} for job in jobs]
    assert "model" not in given[0]
    uri = given[1]["model"]["DataSource"]["S3DataSource"]["S3Uri"]
    assert uri == jobs[0]["ModelArtifacts"]["S3ModelArtifacts"]


def test_a_schedule_starts_a_run_and_the_old_model_answers_until_the_gate_passes(
    stage: Stage, twice: list[str]
) -> None:
    """Nothing was dropped; the new model does not pass, and the old one goes on answering."""
    before = {run["run"] for run in stage.runs("twice")}
    strict = {"metric": "macro_f1", "at_least": 1.0}
    spec = cancer_spec("twice") | {"learner": FEW, "gate": strict, "retrain": {"schedule": "rate(1 minute)"}}
    stage.put_project(spec)
    seen: set[str] = set()

    def over() -> bool:
        answer = stage.predict("twice", {"instances": [breast_cancer()[0]]})
        assert answer.status == 200, answer.body
        seen.add(answer.headers["x-penstock-model"])
        new = [run for run in stage.runs("twice") if run["run"] not in before]
        return any(run["state"] == "REFUSED" for run in new)

    stage.until(over, "the scheduled run")
    stage.put_project({name: value for name, value in spec.items() if name != "retrain"})
    assert seen == {twice[0]}
    assert stage.client("scheduler").list_schedules(NamePrefix="penstock-local-project-")["Schedules"] == []
