"""Experiments, trials and components through boto3; a training job in a trial."""

from typing import Any

import pytest

from tests.local import job_requests as jobs
from tests.local.conftest import EmbeddedAws

ROUNDS = 'for i in 1 2 3; do echo "round $i loss=0.$((5 - i))"; done'


@pytest.fixture
def sagemaker(embedded_aws: EmbeddedAws) -> Any:
    return embedded_aws.client("sagemaker")


def test_a_job_of_a_trial_is_its_component_with_parameters_artefacts_and_metrics(
    embedded_aws: EmbeddedAws, sagemaker: Any
) -> None:
    experiment, trial, job = (jobs.new_name(word) for word in ("experiment", "trial", "job"))
    bucket = jobs.new_bucket(embedded_aws, train__a_csv="1,2\n")
    sagemaker.create_experiment(ExperimentName=experiment, Description="which depth?")
    sagemaker.create_trial(TrialName=trial, ExperimentName=experiment)
    request = jobs.shell_training(
        bucket,
        job,
        ROUNDS,
        HyperParameters={"max_depth": "5", "objective": "binary:logistic"},
        InputDataConfig=[jobs.channel("train", f"s3://{bucket}/train/")],
        ExperimentConfig={
            "ExperimentName": experiment,
            "TrialName": trial,
            "TrialComponentDisplayName": "Training",
        },
    )
    request["AlgorithmSpecification"]["MetricDefinitions"] = [{"Name": "loss", "Regex": r"loss=(\S+)"}]
    assert jobs.trained(embedded_aws, request)["TrainingJobStatus"] == "Completed"

    [summary] = sagemaker.list_trial_components(TrialName=trial)["TrialComponentSummaries"]
    assert summary["TrialComponentName"] == f"{job}-aws-training-job"
    assert summary["DisplayName"] == "Training"
    assert summary["Status"]["PrimaryStatus"] == "Completed"
    found = sagemaker.describe_trial_component(TrialComponentName=summary["TrialComponentName"])
    assert found["Parameters"]["max_depth"] == {"NumberValue": 5.0}
    assert found["Parameters"]["objective"] == {"StringValue": "binary:logistic"}
    assert found["InputArtifacts"]["train"]["Value"] == f"s3://{bucket}/train/"
    assert found["OutputArtifacts"]["SageMaker.ModelArtifact"]["Value"].endswith(f"{job}/output/model.tar.gz")
    [metric] = found["Metrics"]
    assert (metric["MetricName"], metric["Last"], metric["Max"], metric["Count"]) == ("loss", 0.2, 0.4, 3)
    assert found["EndTime"] >= found["StartTime"]
    listed = sagemaker.list_trials(ExperimentName=experiment)["TrialSummaries"]
    assert [one["TrialName"] for one in listed] == [trial]

    with pytest.raises(sagemaker.exceptions.ClientError, match="disassociate them first"):
        sagemaker.delete_trial(TrialName=trial)
    sagemaker.disassociate_trial_component(TrialComponentName=summary["TrialComponentName"], TrialName=trial)
    with pytest.raises(sagemaker.exceptions.ClientError, match="has trials"):
        sagemaker.delete_experiment(ExperimentName=experiment)
    sagemaker.delete_trial(TrialName=trial)
    sagemaker.delete_experiment(ExperimentName=experiment)
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.describe_experiment(ExperimentName=experiment)


def test_a_component_of_ones_own_is_changed_and_found_by_its_trial(sagemaker: Any) -> None:
    experiment, trial, name = (jobs.new_name(word) for word in ("experiment", "trial", "component"))
    sagemaker.create_experiment(ExperimentName=experiment)
    sagemaker.create_trial(TrialName=trial, ExperimentName=experiment)
    sagemaker.create_trial_component(
        TrialComponentName=name, Parameters={"a": {"NumberValue": 1}, "b": {"StringValue": "x"}}
    )
    sagemaker.associate_trial_component(TrialComponentName=name, TrialName=trial)
    sagemaker.associate_trial_component(TrialComponentName=name, TrialName=trial)
    sagemaker.update_trial_component(
        TrialComponentName=name,
        Status={"PrimaryStatus": "Completed"},
        Parameters={"c": {"NumberValue": 2}},
        ParametersToRemove=["a"],
    )
    found = sagemaker.describe_trial_component(TrialComponentName=name)
    assert found["Parameters"] == {"b": {"StringValue": "x"}, "c": {"NumberValue": 2.0}}
    assert found["Status"] == {"PrimaryStatus": "Completed"}
    by_trial = sagemaker.list_trials(TrialComponentName=name)["TrialSummaries"]
    assert [one["TrialName"] for one in by_trial] == [trial]
    by_experiment = sagemaker.list_trial_components(ExperimentName=experiment)["TrialComponentSummaries"]
    assert [one["TrialComponentName"] for one in by_experiment] == [name]


def test_names_are_unique_whatever_their_case_and_what_is_named_must_exist(
    embedded_aws: EmbeddedAws, sagemaker: Any
) -> None:
    experiment = jobs.new_name("Experiment")
    sagemaker.create_experiment(ExperimentName=experiment)
    with pytest.raises(sagemaker.exceptions.ClientError, match="already exists") as refused:
        sagemaker.create_experiment(ExperimentName=experiment.upper())
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.create_trial(TrialName="t", ExperimentName="nowhere")
    request = jobs.shell_training(
        jobs.new_bucket(embedded_aws), jobs.new_name(), "true", ExperimentConfig={"TrialName": "nowhere"}
    )
    with pytest.raises(sagemaker.exceptions.ResourceNotFound):
        sagemaker.create_training_job(**request)
