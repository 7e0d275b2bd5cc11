"""Tunings through boto3 on the embedded AWS: their training jobs really run."""

import contextlib
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import EmbeddedAws, until
from tests.local.job_requests import ROLE, lines, new_bucket, new_name, training_over
from tests.local.test_server_kill import kill
from tests.local.tuning_requests import (
    ENDLESS,
    KERAS,
    METRIC,
    PARABOLA,
    config,
    continuous,
    definition,
    described,
    training_jobs,
    tune,
    tuned,
)

Start = Callable[[], EmbeddedAws]
EPOCHS = {"IntegerParameterRanges": [{"Name": "epochs", "MinValue": "2", "MaxValue": "7"}]}


def value(one: dict[str, Any]) -> float:
    return float(one["FinalHyperParameterTuningJobObjectiveMetric"]["Value"])


def has_printed(aws: EmbeddedAws, job: str) -> bool:
    """Whether a line of the training job has reached CloudWatch; its log group may not be there yet."""
    with contextlib.suppress(aws.client("logs").exceptions.ResourceNotFoundException):
        return bool(lines(aws, job))
    return False


def refused(aws: EmbeddedAws, operation: str, **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        getattr(aws.client("sagemaker"), operation)(**params)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_bayesian_tuning_finds_the_best_of_its_training_jobs(embedded_aws: EmbeddedAws) -> None:
    aws, name = embedded_aws, new_name("bayes")
    what = definition(aws, new_bucket(aws), PARABOLA)
    tags = [{"Key": "team", "Value": "a"}]
    tune(aws, name, config(5, 2, Strategy="Bayesian"), what, Tags=tags)
    over = tuned(aws, name)
    jobs = training_jobs(aws, name)
    assert over["HyperParameterTuningJobStatus"] == "Completed"
    assert over["TrainingJobStatusCounters"] == {
        "Completed": 5,
        "InProgress": 0,
        "RetryableError": 0,
        "NonRetryableError": 0,
        "Stopped": 0,
    }
    assert over["ObjectiveStatusCounters"] == {"Succeeded": 5, "Pending": 0, "Failed": 0}
    best = over["BestTrainingJob"]
    assert best == min(jobs, key=value)
    assert best["FinalHyperParameterTuningJobObjectiveMetric"]["Type"] == "Minimize"
    assert value(best) == pytest.approx((float(best["TunedHyperParameters"]["rate"]) - 0.3) ** 2, rel=1e-5)
    assert all(re.fullmatch(rf"{name}-00[1-5]-[0-9a-f]{{8}}", one["TrainingJobName"]) for one in jobs)
    child = aws.client("sagemaker").describe_training_job(TrainingJobName=best["TrainingJobName"])
    assert child["TuningJobArn"] == over["HyperParameterTuningJobArn"]
    static = {**what["StaticHyperParameters"], "_tuning_objective_metric": "loss"}
    assert over["TrainingJobDefinition"]["StaticHyperParameters"] == static
    assert child["HyperParameters"] == {**static, **best["TunedHyperParameters"]}
    assert not any("_tuning_objective_metric" in line for line in lines(aws, best["TrainingJobName"]))
    for arn in (child["TrainingJobArn"], over["HyperParameterTuningJobArn"]):
        assert aws.client("sagemaker").list_tags(ResourceArn=arn)["Tags"] == tags
    assert over["ConsumedResources"]["RuntimeInSeconds"] >= 0
    assert over["HyperParameterTuningEndTime"] >= over["CreationTime"]
    assert "TuningJobCompletionDetails" in over
    _check_lists(aws, name, jobs)


def _check_lists(aws: EmbeddedAws, name: str, jobs: list[dict[str, Any]]) -> None:
    names = [one["TrainingJobName"] for one in jobs]
    assert names == sorted(names)
    by_value = training_jobs(
        aws,
        name,
        SortBy="FinalObjectiveMetricValue",
        SortOrder="Descending",
        PaginationConfig={"PageSize": 2},
    )
    assert [value(one) for one in by_value] == sorted(map(value, jobs), reverse=True)
    assert training_jobs(aws, name, StatusEquals="Failed") == []
    assert len(training_jobs(aws, name, StatusEquals="Completed", SortBy="CreationTime")) == 5
    listed = aws.client("sagemaker").list_hyper_parameter_tuning_jobs(
        NameContains=name[4:], StatusEquals="Completed"
    )
    (summary,) = listed["HyperParameterTuningJobSummaries"]
    assert summary["HyperParameterTuningJobName"] == name
    assert (summary["Strategy"], summary["TrainingJobStatusCounters"]["Completed"]) == ("Bayesian", 5)
    assert summary["ResourceLimits"] == {"MaxParallelTrainingJobs": 2, "MaxNumberOfTrainingJobs": 5}


def test_the_workshops_own_regex_fails_the_tuning_and_says_so(embedded_aws: EmbeddedAws) -> None:
    """Workshop 001 asks for `loss = …`; Keras prints `loss: …`."""
    aws, name = embedded_aws, new_name("headline")
    what = definition(aws, new_bucket(aws), KERAS)
    what["AlgorithmSpecification"]["MetricDefinitions"] = [{"Name": "loss", "Regex": r"loss = ([0-9\.]+)"}]
    tune(aws, name, config(5, 2, Strategy="Bayesian", ParameterRanges=EPOCHS), what)
    over = tuned(aws, name)
    first = training_jobs(aws, name)[0]
    assert over["HyperParameterTuningJobStatus"] == "Failed"
    assert over["FailureReason"] == (
        "No training job succeeded after 5 attempts. For additional details, please take a look at the training job "
        "failures by listing training jobs for the hyperparameter tuning job. 5 completed without the objective metric "
        r'loss: no line of their logs matched its regular expression "loss = ([0-9\.]+)". Compare it with what they '
        f"printed: log group /aws/sagemaker/TrainingJobs, streams {first['TrainingJobName']}/algo-1-*."
    )
    assert (first["TrainingJobStatus"], first["ObjectiveStatus"]) == ("Completed", "Failed")
    assert "FinalHyperParameterTuningJobObjectiveMetric" not in first
    assert "BestTrainingJob" not in over
    assert over["ObjectiveStatusCounters"] == {"Succeeded": 0, "Pending": 0, "Failed": 5}
    assert any("loss: 0.5000" in line for line in lines(aws, first["TrainingJobName"]))


def test_the_workshops_tuning_with_a_regex_that_matches(embedded_aws: EmbeddedAws) -> None:
    """Five jobs, two at once, 2 to 7 epochs: the best has the least loss, the last its script printed."""
    aws, name = embedded_aws, new_name("headline")
    what = definition(aws, new_bucket(aws), KERAS)
    what["AlgorithmSpecification"]["MetricDefinitions"] = [{"Name": "loss", "Regex": r"loss: ([0-9\.]+)"}]
    tune(aws, name, config(5, 2, Strategy="Bayesian", ParameterRanges=EPOCHS), what)
    over = tuned(aws, name)
    jobs = training_jobs(aws, name)
    epochs = {int(one["TunedHyperParameters"]["epochs"]): value(one) for one in jobs}
    assert len(epochs) == 5
    assert epochs == {number: pytest.approx(1 / number, abs=1e-4) for number in epochs}
    assert int(over["BestTrainingJob"]["TunedHyperParameters"]["epochs"]) == max(epochs)


def test_a_grid_runs_every_combination(embedded_aws: EmbeddedAws) -> None:
    aws, name = embedded_aws, new_name("grid")
    ranges = {"CategoricalParameterRanges": [{"Name": "rate", "Values": ["0.1", "0.3", "0.5"]}]}
    tune(
        aws,
        name,
        config(None, 3, Strategy="Grid", ParameterRanges=ranges),
        definition(aws, new_bucket(aws), PARABOLA),
    )
    over = tuned(aws, name)
    assert sorted(one["TunedHyperParameters"]["rate"] for one in training_jobs(aws, name)) == [
        "0.1",
        "0.3",
        "0.5",
    ]
    assert over["BestTrainingJob"]["TunedHyperParameters"] == {"rate": "0.3"}


def test_a_stopped_tuning_stops_its_training_jobs_and_keeps_its_best(embedded_aws: EmbeddedAws) -> None:
    aws, name = embedded_aws, new_name("stop")
    client = aws.client("sagemaker")
    tune(aws, name, config(9, 2), definition(aws, new_bucket(aws), ENDLESS))
    until(lambda: training_jobs(aws, name))
    first = training_jobs(aws, name)[0]["TrainingJobName"]
    until(lambda: has_printed(aws, first))
    client.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    assert described(aws, name)["HyperParameterTuningJobStatus"] in ("Stopping", "Stopped")
    over = tuned(aws, name)
    assert over["HyperParameterTuningJobStatus"] == "Stopped"
    assert over["TrainingJobStatusCounters"]["Stopped"] == len(training_jobs(aws, name)) == 2
    assert "BestTrainingJob" in over
    assert (
        refused(aws, "stop_hyper_parameter_tuning_job", HyperParameterTuningJobName=name)[0]
        == "ValidationException"
    )


def test_hyperband_stops_what_is_worse_and_what_has_had_its_epochs(embedded_aws: EmbeddedAws) -> None:
    """No script ends by itself here: every end is Hyperband's doing."""
    aws, name = embedded_aws, new_name("band")
    how = config(
        4,
        4,
        Strategy="Hyperband",
        StrategyConfig={"HyperbandStrategyConfig": {"MinResource": 2, "MaxResource": 30}},
    )
    tune(aws, name, how, definition(aws, new_bucket(aws), ENDLESS))
    over = tuned(aws, name)
    jobs = training_jobs(aws, name)
    assert over["HyperParameterTuningJobStatus"] == "Completed"
    assert over["TrainingJobStatusCounters"]["Stopped"] == 4
    assert over["BestTrainingJob"] == min(jobs, key=value)


def test_early_stopping_ends_what_is_worse_than_the_median(embedded_aws: EmbeddedAws) -> None:
    """The first three report 0.1, 0.2, 0.3 and end; the last reports 0.9 and would never end by itself."""
    aws, name = embedded_aws, new_name("median")
    source = ENDLESS + "    if epoch == 4 and float(at['--rate']) < 0.5: break\n"
    ranges = {"CategoricalParameterRanges": [{"Name": "rate", "Values": ["0.1", "0.2", "0.3", "0.9"]}]}
    how = config(4, 1, Strategy="Grid", ParameterRanges=ranges, TrainingJobEarlyStoppingType="Auto")
    tune(aws, name, how, definition(aws, new_bucket(aws), source))
    over = tuned(aws, name)
    jobs = training_jobs(aws, name)
    assert over["HyperParameterTuningJobStatus"] == "Completed"
    assert [one["TrainingJobStatus"] for one in jobs] == ["Completed"] * 3 + ["Stopped"]
    assert (jobs[-1]["ObjectiveStatus"], round(value(jobs[-1]), 3)) == ("Succeeded", 0.9)


def test_scripts_that_fail_fail_the_tuning(embedded_aws: EmbeddedAws) -> None:
    aws, name = embedded_aws, new_name("fails")
    tune(aws, name, config(2, 2), definition(aws, new_bucket(aws), "raise SystemExit('no such column')"))
    over = tuned(aws, name)
    assert over["HyperParameterTuningJobStatus"] == "Failed"
    assert over["FailureReason"].startswith("No training job succeeded after 2 attempts.")
    assert "regular expression" not in over["FailureReason"]
    assert over["TrainingJobStatusCounters"]["NonRetryableError"] == 2
    assert all(
        "no such column" in one["FailureReason"] for one in training_jobs(aws, name, StatusEquals="Failed")
    )


def test_the_same_seed_tunes_the_same_hyperparameters(embedded_aws: EmbeddedAws) -> None:
    aws = embedded_aws
    what = definition(aws, new_bucket(aws), PARABOLA)
    seeds = {new_name("seed"): seed for seed in (5, 5, 6)}
    for name, seed in seeds.items():
        tune(aws, name, config(2, 1, RandomSeed=seed), what)
    assert all(tuned(aws, name) for name in seeds)
    first, again, other = (
        [one["TunedHyperParameters"] for one in training_jobs(aws, name)] for name in seeds
    )
    assert len(first) == 2
    assert first == again != other


def test_a_killed_server_goes_on_with_its_tuning(own_aws: Start) -> None:
    """What ran is lost and tried again with the same hyperparameters; what had ended stays; nothing runs twice."""
    aws, name = own_aws(), "outlives"
    source = PARABOLA + "\nimport time, os\nif '-002-' in os.environ['TRAINING_JOB_NAME']: time.sleep(60)\n"
    tune(aws, name, config(3, 1, Strategy="Bayesian"), definition(aws, new_bucket(aws), source))
    until(lambda: len(training_jobs(aws, name)) == 2)
    before = {one["TrainingJobName"]: one for one in training_jobs(aws, name)}
    until(lambda: has_printed(aws, max(before)))
    kill(aws)
    again = own_aws()
    over = tuned(again, name)
    jobs = training_jobs(again, name)
    assert over["HyperParameterTuningJobStatus"] == "Completed"
    assert over["TrainingJobStatusCounters"] == {
        "Completed": 3,
        "InProgress": 0,
        "RetryableError": 1,
        "NonRetryableError": 0,
        "Stopped": 0,
    }
    first, lost, replacement, _ = jobs
    assert first == before[first["TrainingJobName"]]
    assert lost["TrainingJobName"] in before
    assert lost["FailureReason"].startswith("InternalServerError")
    assert replacement["TunedHyperParameters"] == lost["TunedHyperParameters"]
    assert len(again.client("sagemaker").list_training_jobs()["TrainingJobSummaries"]) == len(jobs) == 4


def test_the_end_of_its_time_ends_a_tuning_and_so_does_a_reset(own_aws: Start) -> None:
    aws, name = own_aws(), "timed"
    tune(
        aws,
        name,
        config(9, 1, limits={"MaxRuntimeInSeconds": 1000}),
        definition(aws, new_bucket(aws), ENDLESS, StoppingCondition={"MaxRuntimeInSeconds": 5000}),
    )
    (first,) = until(lambda: training_jobs(aws, name))
    until(lambda: has_printed(aws, first["TrainingJobName"]))
    aws.advance(1001)
    over = tuned(aws, name)
    assert over["HyperParameterTuningJobStatus"] == "Completed"
    assert over["TrainingJobStatusCounters"]["Stopped"] == 1
    assert over["BestTrainingJob"]["TrainingJobName"] == first["TrainingJobName"]
    tune(aws, "more", config(9, 2), definition(aws, new_bucket(aws), ENDLESS))
    until(lambda: training_jobs(aws, "more"))
    aws.reset("sagemaker")
    client = aws.client("sagemaker")
    assert client.list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"] == []
    assert client.list_training_jobs()["TrainingJobSummaries"] == []


def test_a_warm_start_knows_its_parents(embedded_aws: EmbeddedAws) -> None:
    aws, name = embedded_aws, new_name("warm")
    what = definition(aws, new_bucket(aws), PARABOLA)
    tune(aws, f"{name}-p", config(2, 2, ParameterRanges=continuous(low="0.29", high="0.31")), what)
    parent = tuned(aws, f"{name}-p")
    start = {
        "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": f"{name}-p"}],
        "WarmStartType": "IdenticalDataAndAlgorithm",
    }
    tune(
        aws,
        name,
        config(1, 1, ParameterRanges=continuous(low="0.8", high="0.9")),
        what,
        WarmStartConfig=start,
    )
    over = tuned(aws, name)
    overall = dict(over["OverallBestTrainingJob"])
    assert overall.pop("TuningJobName") == f"{name}-p"
    assert overall == parent["BestTrainingJob"]
    assert over["BestTrainingJob"]["TrainingJobName"].startswith(f"{name}-001-")

    def changed(kind: str, **changes: Any) -> tuple[str, str]:
        asked = {**start, "WarmStartType": kind, **changes.pop("start", {})}
        return refused(
            aws,
            "create_hyper_parameter_tuning_job",
            HyperParameterTuningJobName=f"{name}-x",
            HyperParameterTuningJobConfig=config(1, 1, **changes.pop("config", {})),
            TrainingJobDefinition={**what, **changes},
            WarmStartConfig=asked,
        )

    other = {**what["AlgorithmSpecification"], "TrainingImage": "1.dkr.ecr.us-east-1.amazonaws.com/pytorch:2"}
    assert "Use TransferLearning" in changed("IdenticalDataAndAlgorithm", AlgorithmSpecification=other)[1]
    more = {**what["StaticHyperParameters"], "more": "1"}
    assert "static plus tunable" in changed("TransferLearning", StaticHyperParameters=more)[1]
    nobody = {"ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "nobody"}]}
    assert changed("TransferLearning", start=nobody)[0] == "ResourceNotFound"
    maximize = {"HyperParameterTuningJobObjective": {"Type": "Maximize", "MetricName": "loss"}}
    assert "objective metric must be the same" in changed("TransferLearning", config=maximize)[1]


def test_several_definitions_are_tuned_side_by_side(embedded_aws: EmbeddedAws) -> None:
    aws, name = embedded_aws, new_name("multi")
    bucket = new_bucket(aws)
    how = config(4, 2)
    objective = how.pop("HyperParameterTuningJobObjective")
    how.pop("ParameterRanges")
    both = [
        definition(
            aws,
            bucket,
            PARABOLA,
            DefinitionName=called,
            TuningObjective=objective,
            HyperParameterRanges=continuous(low=low, high="1"),
        )
        for called, low in (("wide", "0"), ("narrow", "0.9"))
    ]
    resources = both[0].pop("ResourceConfig")
    both[0]["HyperParameterTuningResourceConfig"] = {"InstanceConfigs": [resources]}
    both[1]["HyperParameterTuningResourceConfig"] = both[1].pop("ResourceConfig")
    aws.client("sagemaker").create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name, HyperParameterTuningJobConfig=how, TrainingJobDefinitions=both
    )
    over = tuned(aws, name)
    jobs = training_jobs(aws, name)
    assert [one["TrainingJobDefinitionName"] for one in jobs] == ["wide", "narrow"] * 2
    assert all(float(one["TunedHyperParameters"]["rate"]) >= 0.9 for one in jobs[1::2])
    assert over["BestTrainingJob"]["TrainingJobDefinitionName"] == "wide"
    for job in jobs[:2]:
        assert training_over(aws, job["TrainingJobName"])["ResourceConfig"] == resources
    shown = over["TrainingJobDefinitions"]
    assert "ResourceConfig" not in shown[0]
    assert shown[1]["ResourceConfig"] == shown[1]["HyperParameterTuningResourceConfig"] == resources


def test_what_cannot_be_tuned_is_refused_at_once(embedded_aws: EmbeddedAws) -> None:
    aws, name = embedded_aws, new_name("refused")
    what = definition(aws, new_bucket(aws), PARABOLA)

    def create(**changes: Any) -> tuple[str, str]:
        asked = {
            "HyperParameterTuningJobName": name,
            "HyperParameterTuningJobConfig": config(),
            "TrainingJobDefinition": what,
            **changes,
        }
        return refused(aws, "create_hyper_parameter_tuning_job", **asked)

    silent = {**what["AlgorithmSpecification"], "MetricDefinitions": [{**METRIC, "Name": "other"}]}
    code, text = create(TrainingJobDefinition={**what, "AlgorithmSpecification": silent})
    assert code == "ValidationException"
    assert text.startswith("A metric is required for this hyperparameter tuning job objective.")
    missing = ("ResourceNotFound", "Amazon SageMaker can't find a tuning job with the name nobody.")
    for operation in (
        "describe_hyper_parameter_tuning_job",
        "stop_hyper_parameter_tuning_job",
        "delete_hyper_parameter_tuning_job",
        "list_training_jobs_for_hyper_parameter_tuning_job",
    ):
        assert refused(aws, operation, HyperParameterTuningJobName="nobody") == missing


def test_a_name_is_taken_whatever_its_case_until_it_is_deleted(embedded_aws: EmbeddedAws) -> None:
    aws, name = embedded_aws, new_name("Case")
    client = aws.client("sagemaker")
    what = definition(aws, new_bucket(aws), PARABOLA)
    tune(aws, name, config(1, 1), what)
    again = {"HyperParameterTuningJobConfig": config(1, 1), "TrainingJobDefinition": what}
    taken = refused(
        aws, "create_hyper_parameter_tuning_job", HyperParameterTuningJobName=name.upper(), **again
    )
    assert taken[0] == "ResourceInUse"
    assert "already exists" in taken[1]
    (job,) = until(lambda: training_jobs(aws, name))
    tuned(aws, name)
    client.delete_hyper_parameter_tuning_job(HyperParameterTuningJobName=name.lower())
    assert (
        refused(aws, "describe_hyper_parameter_tuning_job", HyperParameterTuningJobName=name)[0]
        == "ResourceNotFound"
    )
    assert training_over(aws, job["TrainingJobName"])["TrainingJobStatus"] == "Completed"


def test_a_state_machine_waits_for_a_tuning_and_its_events_are_sent(embedded_aws: EmbeddedAws) -> None:
    aws, name = embedded_aws, new_name("sync")
    sqs, events, machines = aws.client("sqs"), aws.client("events"), aws.client("stepfunctions")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {
        "detail-type": ["SageMaker HyperParameter Tuning Job State Change"],
        "detail": {"HyperParameterTuningJobName": [name]},
    }
    events.put_rule(Name=name, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": arn}])
    task = {
        "Type": "Task",
        "Resource": "arn:aws:states:::sagemaker:createHyperParameterTuningJob.sync",
        "Parameters": {
            "HyperParameterTuningJobName": name,
            "HyperParameterTuningJobConfig": config(1, 1),
            "TrainingJobDefinition": definition(aws, new_bucket(aws), PARABOLA),
        },
        "End": True,
    }
    machine = machines.create_state_machine(
        name=name, definition=json.dumps({"StartAt": "T", "States": {"T": task}}), roleArn=ROLE
    )["stateMachineArn"]
    execution = machines.start_execution(stateMachineArn=machine)["executionArn"]

    def ended() -> dict[str, Any] | None:
        found: dict[str, Any] = machines.describe_execution(executionArn=execution)
        return found if found["status"] != "RUNNING" else None

    output = json.loads(until(ended)["output"])
    assert output["BestTrainingJob"]["TrainingJobName"].startswith(f"{name}-001-")
    assert output["HyperParameterTuningJobStatus"] == "Completed"
    seen: list[str] = []

    def both() -> bool:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            seen.append(json.loads(message["Body"])["detail"]["HyperParameterTuningJobStatus"])
        return len(seen) >= 2

    until(both)
    assert seen == ["InProgress", "Completed"]
