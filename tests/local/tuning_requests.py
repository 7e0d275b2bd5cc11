"""Requests for tunings with every default filled in, and their ends: for the tests of this tier."""

from typing import Any

from tests.local.conftest import EmbeddedAws, until
from tests.local.job_requests import OVER, ROLE, SKLEARN, new_name, put, source_archive

# Prints what Keras prints: an epoch's line ends in its loss.
KERAS = """
import sys
at = dict(zip(sys.argv[1::2], sys.argv[2::2]))
for epoch in range(int(at["--epochs"])):
    loss = 1 / (epoch + 1)
    print(f"Epoch {epoch + 1}/{at['--epochs']}")
    print(f"337822/337822 [==============================] - 95s 281us/step - loss: {loss:.4f} - acc: 0.9")
"""

# Prints the distance of rate from 0.3, and fails when told to.
PARABOLA = """
import sys
at = dict(zip(sys.argv[1::2], sys.argv[2::2]))
print(f"loss = {(float(at['--rate']) - 0.3) ** 2};")
"""

# Reports one epoch after the other until it is stopped: bad ones are bad at once.
ENDLESS = """
import sys, time
at = dict(zip(sys.argv[1::2], sys.argv[2::2]))
for epoch in range(100000):
    print(f"loss = {float(at['--rate'])};", flush=True)
    time.sleep(0.02)
"""

METRIC = {"Name": "loss", "Regex": r"loss = ([0-9.e-]+);"}


def definition(aws: EmbeddedAws, bucket: str, source: str, **changes: Any) -> dict[str, Any]:
    """A training job definition that runs `source` as train.py and reports `loss`."""
    key = f"code/{new_name('source')}.tar.gz"
    put(aws, bucket, key, source_archive(train=source))
    static = {
        "sagemaker_program": '"train.py"',
        "sagemaker_submit_directory": f'"s3://{bucket}/{key}"',
        **changes.pop("StaticHyperParameters", {}),
    }
    return {
        "StaticHyperParameters": static,
        "AlgorithmSpecification": {
            "TrainingImage": SKLEARN,
            "TrainingInputMode": "File",
            "MetricDefinitions": [METRIC],
        },
        "RoleArn": ROLE,
        "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/models/"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        **changes,
    }


def continuous(name: str = "rate", low: str = "0", high: str = "1", **more: str) -> dict[str, Any]:
    """Ranges of one continuous hyperparameter."""
    return {"ContinuousParameterRanges": [{"Name": name, "MinValue": low, "MaxValue": high, **more}]}


def config(jobs: int | None = 3, parallel: int = 2, **changes: Any) -> dict[str, Any]:
    """A HyperParameterTuningJobConfig that minimizes `loss` over rate in [0, 1] at random."""
    limits = {"MaxParallelTrainingJobs": parallel, **changes.pop("limits", {})}
    if jobs is not None:
        limits["MaxNumberOfTrainingJobs"] = jobs
    return {
        "Strategy": "Random",
        "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
        "ResourceLimits": limits,
        "ParameterRanges": continuous(),
        "RandomSeed": 1,
        **changes,
    }


def tune(aws: EmbeddedAws, name: str, how: dict[str, Any], what: dict[str, Any], **more: Any) -> None:
    """Start a tuning."""
    aws.client("sagemaker").create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name,
        HyperParameterTuningJobConfig=how,
        TrainingJobDefinition=what,
        **more,
    )


def described(aws: EmbeddedAws, name: str) -> dict[str, Any]:
    """Describe the tuning."""
    found: dict[str, Any] = aws.client("sagemaker").describe_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name
    )
    return found


def tuned(aws: EmbeddedAws, name: str, seconds: float = 60) -> dict[str, Any]:
    """Describe the tuning once it is over."""

    def over() -> dict[str, Any] | None:
        found = described(aws, name)
        return found if found["HyperParameterTuningJobStatus"] in OVER else None

    found: dict[str, Any] = until(over, seconds)
    return found


def training_jobs(aws: EmbeddedAws, name: str, **asked: Any) -> list[dict[str, Any]]:
    """All training jobs of the tuning."""
    pages = aws.client("sagemaker").get_paginator("list_training_jobs_for_hyper_parameter_tuning_job")
    return [
        one
        for page in pages.paginate(HyperParameterTuningJobName=name, **asked)
        for one in page["TrainingJobSummaries"]
    ]
