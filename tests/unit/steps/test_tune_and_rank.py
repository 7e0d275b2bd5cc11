"""From a spec's ranges or learners to the requests of a run, and from what was tried to the model that goes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import botocore.session
import jsonschema
import pytest
from botocore.validate import ParamValidator

from chalicelib.domain.leaderboard import ranked
from chalicelib.domain.model_version import Champion
from chalicelib.domain.prices import cost, usd_per_second
from chalicelib.domain.ranking import Candidate
from chalicelib.domain.run import RunRecord
from chalicelib.errors import JobFailed
from chalicelib.steps import define, ingest, look, rank, register
from tests import builders
from tests.fakes import RELEASED, FakePorts, Machine

CONTRACT = json.loads((Path(__file__).parents[3] / "statemachine/contracts/run.schema.json").read_text())
RANGES = {
    "max_depth": {"integer": [3, 12]},
    "learning_rate": {"continuous": [0.01, 0.3], "scale": "log"},
    "refit": {"categorical": [True, False]},
}
TUNE = {"tune": {"ranges": RANGES, "max_jobs": 4, "parallel": 2}}
TEXTS = {"columns": {"words": "text", "plan": "category", "churned": "label"}}
AUTO = {**TEXTS, "learner": {"name": "auto"}}


def claimed(ports: FakePorts, machine: Machine, key: str = "drop/churn/1.csv", **spec: Any) -> dict[str, Any]:
    """The run document after Claim, of a project with this spec."""
    define.run(define.Define("churn", builders.a_spec(**spec)), ports)
    ingest.run(ingest.Ingest(builders.an_upload(key=key)), ports)
    (name,) = ports.workflow.running()
    document = machine.claim(name)
    assert "claim" in document, document
    jsonschema.validate(document, CONTRACT)
    return document


def sound(operation: str, request: dict[str, Any]) -> None:
    """Assert that SageMaker's model takes a request."""
    model = botocore.session.Session().get_service_model("sagemaker").operation_model(operation)
    assert model.input_shape is not None
    report = ParamValidator().validate(request, model.input_shape)
    assert not report.has_errors(), report.generate_report()


def faults(**spec: Any) -> list[str]:
    """Where a spec is wrong."""
    return [fault["where"] for fault in define.spec_faults(builders.a_spec(**spec), "churn")]


@pytest.mark.parametrize(
    ("tune", "where"),
    [
        ({"ranges": {}}, "tune.ranges"),
        (
            {"ranges": {"max_depth": {"integer": [5, 5]}}, "max_jobs": 1, "parallel": 1},
            "tune.ranges.max_depth",
        ),
        (
            {"ranges": {"max_depth": {"integer": [9, 3]}}, "max_jobs": 1, "parallel": 1},
            "tune.ranges.max_depth",
        ),
        ({"ranges": {"max_depth": {"integer": [3.5, 30]}}}, "tune.ranges.max_depth"),
        ({"ranges": {"eta": {"continuous": [0, 1], "scale": "log"}}}, "tune.ranges.eta"),
        ({"ranges": {"eta": {"continuous": [0, 1], "scale": "reverse_log"}}}, "tune.ranges.eta"),
        ({"ranges": {"eta": {"continuous": [0, 1], "integer": [0, 10]}}}, "tune.ranges.eta"),
        ({"ranges": {"eta": {"scale": "log"}}}, "tune.ranges.eta"),
        ({"ranges": {"refit": {"categorical": [True, False]}}}, "tune.max_jobs"),
        ({"ranges": {"run": {"integer": [0, 100]}}}, "tune.ranges.run"),
        ({"ranges": RANGES, "max_jobs": 2, "parallel": 3}, "tune.parallel"),
        ({"ranges": RANGES, "metric": "rmse"}, "tune.metric"),
        ({"ranges": RANGES, "strategy": "Guess"}, "tune.strategy"),
    ],
)
def test_impossible_ranges_are_refused_where_they_stand(tune: dict[str, Any], where: str) -> None:
    assert faults(tune=tune) == [where]


def test_what_does_not_go_together_is_refused() -> None:
    fixed = {"name": "gradient_boosting", "hyperparameters": {"max_depth": 4}}
    assert faults(**TUNE, learner=fixed) == ["tune.ranges.max_depth"]
    assert faults(**TUNE, split={"validation": 0}) == ["split.validation"]
    assert faults(**TUNE, retrain={"warm_start": True}) == ["retrain.warm_start"]
    assert faults(**TUNE, learner={"name": "auto"}) == ["tune"]
    assert faults(auto={"usd": 1}) == ["auto"]
    assert faults(learner={"name": "auto"}, auto={"learners": ["text_forest", "oracle"]}) == [
        "auto.learners.0",
        "auto.learners.1",
    ]
    assert faults(learner={"name": "auto"}, auto={"learners": [3]}) == ["auto.learners.0"]
    assert faults(learner={"name": "auto"}, split={"validation": 0}) == ["split.validation"]


def test_a_tuning_job_is_what_the_api_takes(ports: FakePorts, machine: Machine) -> None:
    claim = claimed(ports, machine, **TUNE)["claim"]
    sound("CreateHyperParameterTuningJob", claim["tune"])
    config = claim["tune"]["HyperParameterTuningJobConfig"]
    assert config["HyperParameterTuningJobObjective"] == {
        "Type": "Maximize",
        "MetricName": "validation:macro_f1",
    }
    assert config["ParameterRanges"] == {
        "IntegerParameterRanges": [
            {"Name": "max_depth", "MinValue": "3", "MaxValue": "12", "ScalingType": "Auto"}
        ],
        "ContinuousParameterRanges": [
            {"Name": "learning_rate", "MinValue": "0.01", "MaxValue": "0.3", "ScalingType": "Logarithmic"}
        ],
        "CategoricalParameterRanges": [{"Name": "refit", "Values": ["true", "false"]}],
    }
    told = {
        one["Name"]
        for one in claim["tune"]["TrainingJobDefinition"]["AlgorithmSpecification"]["MetricDefinitions"]
    }
    assert "validation:macro_f1" in told
    assert len(claim["tune"]["HyperParameterTuningJobName"]) <= 32


def test_a_tuning_job_has_a_name_of_its_own_in_every_run_and_attempt(
    ports: FakePorts, machine: Machine
) -> None:
    first = claimed(ports, machine, **TUNE)
    lease = ports.ledger.lease("churn")
    assert lease is not None
    ports.launcher.again(lease)
    second = machine.claim(f"{first['run']}-2")
    names = [one["claim"]["tune"]["HyperParameterTuningJobName"] for one in (first, second)]
    assert len(set(names)) == 2


def test_a_tuning_starts_warm_from_the_last_that_tuned_the_same(ports: FakePorts, machine: Machine) -> None:
    document = claimed(ports, machine, **TUNE)
    assert "WarmStartConfig" not in document["claim"]["tune"]
    finished(ports, machine, document)
    second = claimed(ports, machine, "drop/churn/2.csv", **TUNE)
    parent = document["claim"]["tune"]["HyperParameterTuningJobName"]
    assert second["claim"]["tune"]["WarmStartConfig"] == {
        "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": parent}],
        "WarmStartType": "TransferLearning",
    }
    sound("CreateHyperParameterTuningJob", second["claim"]["tune"])
    finished(ports, machine, second)
    other = {"tune": {**TUNE["tune"], "ranges": {**RANGES, "gamma": {"continuous": [0, 1]}}}}
    third = claimed(ports, machine, "drop/churn/3.csv", **other)
    assert "WarmStartConfig" not in third["claim"]["tune"]
    finished(ports, machine, third)
    cold = {"tune": {**TUNE["tune"], "warm_start": False}}
    assert "WarmStartConfig" not in claimed(ports, machine, "drop/churn/4.csv", **cold)["claim"]["tune"]


def tried(job: str, value: float | None = None, **changes: Any) -> Candidate:
    """A candidate that ended well, unless told otherwise."""
    artifact = f"s3://b/models/churn/{job}/output/model.tar.gz"
    metrics = {} if value is None else {"macro_f1": value}
    given = {
        "job": job,
        "learner": "gradient_boosting",
        "metrics": metrics,
        "seconds": 30.0,
        "artifact": artifact,
    }
    return Candidate(**{**given, **changes})


def finished(ports: FakePorts, machine: Machine, document: dict[str, Any]) -> dict[str, Any]:
    """Tune, Rank and Report of a run whose model is released; answers what Rank said."""
    job = document["claim"]["tune"]["HyperParameterTuningJobName"]
    found = [tried(f"{job}-1", value=0.7), tried(f"{job}-2", value=0.9)]
    ports.jobs.tunings[job] = [
        Candidate(one.job, "?", {"max_depth": "4"}, value=v, seconds=30.0)
        for one, v in zip(found, (0.7, 0.9), strict=True)
    ]
    ports.jobs.ended |= {one.job: one for one in found}
    answer = rank.run(rank.Rank({**document, "tune": {"job": job}}), ports)
    jsonschema.validate({**document, "tune": {"job": job}, **answer}, CONTRACT)
    name = f"{document['run']}-1"
    machine.prepare(name)
    machine.report(name, **{**RELEASED, **answer})
    return answer


def test_the_best_of_a_tuning_goes_on(ports: FakePorts, machine: Machine) -> None:
    document = claimed(ports, machine, **TUNE)
    answer = finished(ports, machine, document)
    job = document["claim"]["tune"]["HyperParameterTuningJobName"]
    assert answer["train"]["job"] == f"{job}-2"
    assert (answer["rank"]["value"], answer["rank"]["candidates"], answer["rank"]["failed"]) == (0.9, 2, 0)
    assert answer["rank"]["usd"] == cost("ml.m5.large", 60)
    sound("CreateProcessingJob", answer["rank"]["evaluate"])
    (model,) = [one for one in answer["rank"]["evaluate"]["ProcessingInputs"] if one["InputName"] == "model"]
    assert model["S3Input"]["S3Uri"] == answer["train"]["artifact"]
    table = ports.documents.read(answer["rank"]["candidates_uri"])
    assert table is not None
    assert [(one["rank"], one["value"]) for one in table["candidates"]] == [(1, 0.9), (2, 0.7)]


def test_a_tuning_that_was_refused_says_so_in_its_words(ports: FakePorts, machine: Machine) -> None:
    document = claimed(ports, machine, **TUNE)
    refused = {"job": "j", "error": "SageMaker.ResourceLimitExceededException", "cause": "quota is 0"}
    with pytest.raises(JobFailed, match=r"ResourceLimitExceeded.*quota is 0"):
        rank.run(rank.Rank({**document, "tune": refused}), ports)


def test_auto_tries_what_can_read_the_columns(ports: FakePorts, machine: Machine) -> None:
    auto = claimed(ports, machine, **AUTO)["claim"]["auto"]
    assert [job["HyperParameters"]["learner"] for job in auto["jobs"]][:1] == ["gradient_boosting"]
    assert "text_forest" in {job["HyperParameters"]["learner"] for job in auto["jobs"]}
    for job in auto["jobs"]:
        sound("CreateTrainingJob", job)
    images = {job["AlgorithmSpecification"]["TrainingImage"] for job in auto["jobs"]}
    assert {"sklearn:1.9-0", "xgboost:3.2-0"} <= images


def test_auto_leaves_text_to_those_who_read_it(ports: FakePorts, machine: Machine) -> None:
    auto = claimed(ports, machine, learner={"name": "auto"})["claim"]["auto"]
    assert [job["HyperParameters"]["learner"] for job in auto["jobs"]] == ["gradient_boosting"]


def test_no_candidate_may_cost_more_than_its_share(ports: FakePorts, machine: Machine) -> None:
    price = usd_per_second("ml.m5.large")
    assert price is not None
    two = {"learners": ["gradient_boosting", {"name": "text_forest", "hyperparameters": {"n_estimators": 9}}]}
    budget = {**two, "minutes": 10, "usd": price * 2 * 120}
    auto = claimed(ports, machine, **{**AUTO, "auto": budget})["claim"]["auto"]
    seconds = [job["StoppingCondition"]["MaxRuntimeInSeconds"] for job in auto["jobs"]]
    assert len(seconds) == 2
    assert all(119 <= one <= 120 for one in seconds)
    assert auto["jobs"][1]["HyperParameters"]["n_estimators"] == "9"
    assert len({job["TrainingJobName"] for job in auto["jobs"]}) == 2


def test_what_the_money_does_not_reach_for_is_left_out_and_said(ports: FakePorts, machine: Machine) -> None:
    budget = {"learners": ["gradient_boosting", "text_forest"], "usd": 0.002}
    auto = claimed(ports, machine, **{**AUTO, "auto": budget})["claim"]["auto"]
    assert len(auto["jobs"]) == 1
    assert auto["left_out"] == ["text_forest"]
    assert 60 <= auto["jobs"][0]["StoppingCondition"]["MaxRuntimeInSeconds"] <= 63


def tried_all(ports: FakePorts, machine: Machine, *found: Candidate, **error: Any) -> dict[str, Any]:
    """A run document after Auto."""
    document = claimed(ports, machine, **AUTO)
    ports.jobs.ended |= {one.job: one for one in found}
    return {**document, "auto": [{"job": one.job, "learner": one.learner, **error} for one in found]}


def test_one_candidate_that_fails_does_not_fail_the_run(ports: FakePorts, machine: Machine) -> None:
    bad = tried("a", status="Failed", reason="BadData: no text", artifact=None)
    good = tried("b", value=0.6, learner="text_forest")
    document = tried_all(ports, machine, bad, good)
    answer = rank.run(rank.Rank(document), ports)
    assert (answer["train"]["job"], answer["train"]["learner"]) == ("b", "text_forest")
    assert answer["rank"]["evaluate"]["AppSpecification"]["ImageUri"] == "sklearn:1.9-0"
    table = ports.documents.read(answer["rank"]["candidates_uri"])
    assert table is not None
    assert table["candidates"][1]["reason"] == "BadData: no text"
    jsonschema.validate({**document, **answer}, CONTRACT)


def test_all_candidates_failing_fails_the_run_with_each_reason(ports: FakePorts, machine: Machine) -> None:
    first = tried("a", status="Failed", reason="BadData: no text")
    silent = tried("b", learner="text_forest")
    with pytest.raises(JobFailed, match=r"all 2 failed; .*BadData: no text.*told no value"):
        rank.run(rank.Rank(tried_all(ports, machine, first, silent)), ports)


def test_a_candidate_that_was_never_created_says_what_the_machine_was_told(
    ports: FakePorts, machine: Machine
) -> None:
    error = {"error": "SageMaker.ResourceLimitExceededException", "cause": "no capacity"}
    with pytest.raises(JobFailed, match=r"ResourceLimitExceeded.*no capacity"):
        rank.run(rank.Rank(tried_all(ports, machine, tried("a", value=0.9), **error)), ports)


def test_the_winner_is_registered_with_its_image_and_where_it_comes_from(
    ports: FakePorts, machine: Machine
) -> None:
    found = tried("b", value=0.6, learner="text_forest", hyperparameters={"max_depth": "4", "run": "x"})
    document = tried_all(ports, machine, found)
    document |= rank.run(rank.Rank(document), ports)
    document["evaluate"] = {
        "job": "e",
        "scorecard_uri": document["claim"]["scorecard_uri"],
        "report_uri": "r",
    }
    ports.documents.write(document["claim"]["scorecard_uri"], builders.a_scorecard())
    register.run(
        register.Register({**document, "gate": {"passed": True, "reason": "beats it (really)"}}), ports
    )
    (request,) = ports.registry.requests
    assert request["InferenceSpecification"]["Containers"][0]["Image"] == "sklearn:1.9-0"
    properties = request["CustomerMetadataProperties"]
    wanted = {
        "learner": "text_forest",
        "parameter_max_depth": "4",
        "test_macro_f1": "0.9",
        "validation_macro_f1": "0.6",
    }
    assert wanted.items() <= properties.items()
    assert properties["cost_usd_estimate"] == str(cost("ml.m5.large", 30))
    assert "parameter_run" not in properties
    sound("CreateModelPackage", dict(request))


def test_a_model_is_gone_on_from_only_when_its_learner_is_the_same(
    ports: FakePorts, machine: Machine
) -> None:
    warm = {"retrain": {"warm_start": True}}
    first = claimed(ports, machine, **warm)["claim"]["train"]
    assert {one["ChannelName"] for one in first["InputDataConfig"]} == {"train", "validation", "dataset"}
    (name,) = ports.workflow.running()
    machine.prepare(name)
    train = {"train": {"job": "j", "artifact": "s3://b/m.tar.gz", "seconds": 3}}
    machine.report(name, **{**RELEASED, **train})
    run = name.rpartition("-")[0]
    ports.ledger.put_champion(Champion("churn", run, "s3://b/m.tar.gz", "arn", 1, "e", "c", {}, builders.AT))
    second = claimed(ports, machine, "drop/churn/2.csv", **warm)["claim"]["train"]
    (model,) = [one for one in second["InputDataConfig"] if one["ChannelName"] == "model"]
    assert model["DataSource"]["S3DataSource"]["S3Uri"] == "s3://b/m.tar.gz"
    sound("CreateTrainingJob", second)


def ended(ports: FakePorts, machine: Machine, key: str, value: float, **parts: Any) -> str:
    """A run that trained, with its scorecard; answers its name."""
    document = claimed(ports, machine, key)
    name = f"{document['run']}-1"
    machine.prepare(name)
    uri = document["claim"]["scorecard_uri"]
    ports.documents.write(uri, builders.a_scorecard(metrics={"macro_f1": value}))
    train = {
        "job": f"{name}-train",
        "artifact": "s3://b/m",
        "seconds": 100,
        "metrics": {"validation:macro_f1": 0.5},
    }
    evaluate = {"job": "e", "scorecard_uri": uri, "report_uri": "s3://b/r", "seconds": 20}
    machine.report(name, train=train, evaluate=evaluate, **parts)
    return str(document["run"])


def test_the_leaderboard_ranks_by_the_gates_metric_and_shows_refused_runs(
    ports: FakePorts, machine: Machine
) -> None:
    first = ended(ports, machine, "drop/churn/1.csv", 0.8, **RELEASED)
    refused = {"gate": {"passed": False, "reason": "no", "metric": "macro_f1", "value": 0.9}}
    second = ended(ports, machine, "drop/churn/2.csv", 0.9, **refused)
    died = {"error": {"state": "Evaluate", "Error": "States.TaskFailed", "Cause": "x"}}
    third = ended(ports, machine, "drop/churn/3.csv", 0.1, **died)
    ports.ledger.put_champion(Champion("churn", first, "s3://b/m", "arn", 1, "e", "c", {}, builders.AT))
    told = look.models("churn", ports)
    assert told["metric"] == "macro_f1"
    rows = told["leaderboard"]
    assert [(one["run"], one["verdict"]) for one in rows] == [
        (second, "refused"),
        (first, "champion"),
        (third, "failed"),
    ]
    assert rows[0]["usd"] == cost("ml.m5.large", 120)
    assert rows[0]["validation"] == {"macro_f1": 0.5}
    assert rows[0]["learner"] == "gradient_boosting"
    assert "sagemaker_program" not in rows[0]["hyperparameters"]


def test_of_an_error_the_smallest_is_the_best(ports: FakePorts, machine: Machine) -> None:
    records = [
        RunRecord(
            "churn", run, 1, "SUCCEEDED", builders.AT, summary={"training_job": "j", "test": {"rmse": value}}
        )
        for run, value in (("a", 2.0), ("b", 1.0))
    ]
    assert [row["run"] for row in ranked(records, "rmse", None)] == ["b", "a"]
    assert [row["rank"] for row in ranked(records, "rmse", None)] == [1, 2]
