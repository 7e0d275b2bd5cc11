"""Workshop 002 (banking fraud): XGBoost on CSV in trials of an experiment, an endpoint with data capture, the cutoff.

The published model has no figures; on its own split of the 4,999 rows the recipe reaches a validation AUC of 0.974,
and the cheapest cutoff of the validation part costs 2,500 (false positives 100, false negatives 500, hits 100).
"""

import io
import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.local.conftest import until
from tests.workshops.conftest import ROLE, Account, wait

log = logging.getLogger("workshops")
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"
PREFIX = "archml-banking-writeup"
STAMP = "2020-06-01-10-00-00"
EXPERIMENT = f"archml-exp-banking-xgb-{STAMP}"
ENDPOINT = f"archml-banking-{STAMP}"


@pytest.fixture(scope="module")
def parts(seeds: Path) -> list[pd.DataFrame]:
    """Train, validation and test: the label first, no header, as the notebook writes them."""
    data = pd.read_csv(next((seeds / "002").glob("*.csv")))
    data = data.drop(columns=["nameOrig", "nameDest", "isFlaggedFraud"])
    model = pd.get_dummies(data, dtype=int)
    model = pd.concat([model["isFraud"], model.drop(columns="isFraud")], axis=1)
    shuffled = model.sample(frac=1, random_state=1729)
    cuts = [int(0.7 * len(model)), int(0.9 * len(model))]
    return [shuffled[: cuts[0]], shuffled[cuts[0] : cuts[1]], shuffled[cuts[1] :]]


def csv(frame: pd.DataFrame) -> bytes:
    out = io.StringIO()
    frame.to_csv(out, index=False, header=False)
    return out.getvalue().encode()


def channel(bucket: str, name: str) -> dict[str, Any]:
    uri = f"s3://{bucket}/{PREFIX}/{name}/"
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "ContentType": "csv"}


def train(account: Account, name: str, trial: str, min_child_weight: int) -> dict[str, Any]:
    """One training job in a trial of its own; its description when it is over."""
    sagemaker = account.client("sagemaker")
    sagemaker.create_trial(TrialName=trial, ExperimentName=EXPERIMENT)
    sagemaker.create_training_job(
        TrainingJobName=name,
        AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        RoleArn=ROLE,
        OutputDataConfig={"S3OutputPath": f"s3://{account.bucket}/{PREFIX}/output"},
        ResourceConfig={"InstanceCount": 1, "InstanceType": "ml.m4.xlarge", "VolumeSizeInGB": 30},
        HyperParameters={
            "max_depth": "5",
            "eta": "0.2",
            "gamma": "4",
            "min_child_weight": str(min_child_weight),
            "subsample": "0.8",
            "objective": "binary:logistic",
            "eval_metric": "auc",
            "num_round": "30",
        },
        StoppingCondition={"MaxRuntimeInSeconds": 3600},
        InputDataConfig=[channel(account.bucket, "train"), channel(account.bucket, "validation")],
        ExperimentConfig={
            "ExperimentName": EXPERIMENT,
            "TrialName": trial,
            "TrialComponentDisplayName": "Training",
        },
    )
    wait(sagemaker, "training_job_completed_or_stopped", TrainingJobName=name)
    described: dict[str, Any] = sagemaker.describe_training_job(TrainingJobName=name)
    assert described["TrainingJobStatus"] == "Completed", described.get("FailureReason")
    return described


def deploy(account: Account, job: dict[str, Any]) -> None:
    sagemaker = account.client("sagemaker")
    container = {"Image": IMAGE, "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"]}
    sagemaker.create_model(ModelName=ENDPOINT, ExecutionRoleArn=ROLE, PrimaryContainer=container)
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": ENDPOINT,
        "InstanceType": "ml.m4.xlarge",
        "InitialInstanceCount": 1,
    }
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 100,
        "DestinationS3Uri": f"s3://{account.bucket}/{PREFIX}/datacapture",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"]},
    }
    sagemaker.create_endpoint_config(
        EndpointConfigName=ENDPOINT, ProductionVariants=[variant], DataCaptureConfig=capture
    )
    sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName=ENDPOINT)
    wait(sagemaker, "endpoint_in_service", EndpointName=ENDPOINT)


def predict(account: Account, frame: pd.DataFrame) -> np.ndarray:
    """Mini-batches of 500 rows without the label; scores come comma-separated or a line each."""
    runtime, found = account.client("sagemaker-runtime"), []
    rows = frame.drop(columns="isFraud")
    for start in range(0, len(rows), 500):
        body = csv(rows[start : start + 500])
        answer = runtime.invoke_endpoint(EndpointName=ENDPOINT, ContentType="text/csv", Body=body)
        found += [
            float(score) for score in answer["Body"].read().decode().replace("\n", ",").split(",") if score
        ]
    return np.array(found)


def costs(truth: np.ndarray, scores: np.ndarray) -> dict[float, float]:
    """What each cutoff costs: 100 a false alarm, 500 a fraud missed, 100 a fraud found."""
    found = {}
    for cutoff in np.arange(0.01, 1.0, 0.01):
        alarm = scores > cutoff
        missed, hit, false = ~alarm & (truth == 1), alarm & (truth == 1), alarm & (truth == 0)
        found[round(float(cutoff), 2)] = float(100 * false.sum() + 500 * missed.sum() + 100 * hit.sum())
    return found


@pytest.mark.slow
def test_the_workshop_from_experiment_to_cutoff(account: Account, parts: list[pd.DataFrame]) -> None:
    s3, sagemaker = account.client("s3"), account.client("sagemaker")
    for name, part in zip(("train", "validation"), parts[:2], strict=True):
        s3.put_object(Bucket=account.bucket, Key=f"{PREFIX}/{name}/{name}.csv", Body=csv(part))
    sagemaker.create_experiment(ExperimentName=EXPERIMENT, Description="Predict fraud with XGBoost")

    jobs = [
        train(account, f"xgboost-{weight}-{STAMP}", f"algorithm-mode-trial-{weight}-{STAMP}", weight)
        for weight in (1, 10)
    ]
    aucs = [
        {m["MetricName"]: m["Value"] for m in job["FinalMetricDataList"]}["validation:auc"] for job in jobs
    ]
    assert max(aucs) > 0.93  # XGBoost itself gives 0.940 to 0.971 with other seeds
    listed = sagemaker.list_trial_components(ExperimentName=EXPERIMENT)["TrialComponentSummaries"]
    assert len(listed) == 2
    compared = [
        sagemaker.describe_trial_component(TrialComponentName=one["TrialComponentName"]) for one in listed
    ]
    weights = {one["Parameters"]["min_child_weight"]["NumberValue"] for one in compared}
    assert weights == {1.0, 10.0}

    deploy(account, jobs[0])
    scores = predict(account, parts[1])
    assert len(scores) == len(parts[1])
    by_cutoff = costs(parts[1]["isFraud"].to_numpy(), scores)
    cheapest = min(by_cutoff, key=by_cutoff.__getitem__)
    log.info("cheapest cutoff: %s", cheapest)
    log.info("its cost: %s", by_cutoff[cheapest])
    assert by_cutoff[cheapest] <= 2500

    sagemaker.delete_endpoint(EndpointName=ENDPOINT)
    wait(sagemaker, "endpoint_deleted", EndpointName=ENDPOINT)
    captured = until(lambda: _captured(account))
    assert sum(len(one["captureData"]["endpointInput"]["data"].splitlines()) for one in captured) == len(
        parts[1]
    )


def _captured(account: Account) -> list[dict[str, Any]]:
    s3, found = account.client("s3"), []
    prefix = f"{PREFIX}/datacapture/{ENDPOINT}/AllTraffic/"
    for item in s3.list_objects_v2(Bucket=account.bucket, Prefix=prefix).get("Contents", []):
        lines = s3.get_object(Bucket=account.bucket, Key=item["Key"])["Body"].read().decode().splitlines()
        found += [json.loads(line) for line in lines]
    return found
