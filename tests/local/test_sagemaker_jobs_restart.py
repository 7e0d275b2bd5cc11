"""What becomes of jobs when the plane goes down and comes up again, and how jobs are shown and changed."""

import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker import names
from penstock.localaws.sagemaker.jobs import lifecycle
from penstock.localaws.sagemaker.jobs.work import Record
from tests.local import job_requests as make
from tests.local.conftest import EmbeddedAws, until
from tests.local.planes import Jobs, plane

PLACES = os.cpu_count() or 1
ONCE_MORE = (
    'D="${SAGEMAKER_BASE_DIR:-/opt/ml}"; test -e "$D/checkpoints/begun" && exit 0; echo 1 > "$D/checkpoints/begun"; '
    "while :; do sleep 0.02; done"
)


@pytest.fixture(scope="module")
def jobs(embedded_aws: EmbeddedAws, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jobs]:
    with plane(embedded_aws, tmp_path_factory.mktemp("jobs")) as made:
        yield made


def test_jobs_that_wait_go_on_waiting_and_retries_are_used(embedded_aws: EmbeddedAws, tmp_path: Path) -> None:
    bucket = make.new_bucket(embedded_aws)
    request = make.shell_training(
        bucket, make.new_name(), ONCE_MORE, RetryStrategy={"MaximumRetryAttempts": 1}
    )
    request["CheckpointConfig"] = {"S3Uri": f"s3://{bucket}/checkpoints/"}
    s3 = embedded_aws.client("s3")
    with plane(embedded_aws, tmp_path) as before:
        retried = before.create(request)
        lost = [
            before.create(make.shell_training(bucket, make.new_name(), "sleep 60")) for _ in range(PLACES - 1)
        ]
        waiting = before.create(make.shell_training(bucket, make.new_name(), "true"))
        assert before.describe(waiting)["SecondaryStatus"] == "Pending"

        def has_checkpoint() -> bool:
            before.plane.clock.advance(2)
            return bool(s3.list_objects_v2(Bucket=bucket, Prefix="checkpoints/")["KeyCount"])

        until(has_checkpoint)
    with plane(embedded_aws, tmp_path) as again:
        described = again.ended(retried)
        assert described["TrainingJobStatus"] == "Completed", described
        assert "Restarting" in [one["Status"] for one in described["SecondaryStatusTransitions"]]
        assert again.ended(waiting)["TrainingJobStatus"] == "Completed"
        for name in lost:
            assert again.describe(name)["FailureReason"] == lifecycle.INTERNAL_ERROR


def test_an_interrupted_upload_leaves_no_half(embedded_aws: EmbeddedAws, tmp_path: Path) -> None:
    bucket, name = make.new_bucket(embedded_aws), make.new_name()
    make.put(embedded_aws, bucket, f"models/{name}/output/model.tar.gz", "half")
    make.put(embedded_aws, bucket, f"models/{name}-other/output/model.tar.gz", "whole")
    request = make.shell_training(bucket, name, "true")
    with plane(embedded_aws, tmp_path) as before:
        job = lifecycle.create(1.0)
        for event in (lifecycle.Admitted(2.0), lifecycle.Prepared(3.0), lifecycle.Ended(4.0, None)):
            job = lifecycle.handle(job, event)[0]
        arn = names.arn(before.plane.place, "training-job", name)
        record = Record("training", name, arn, request, job, {})
        before.plane.store.put("training", name, record.document())
    with plane(embedded_aws, tmp_path) as again:
        assert again.describe(name)["FailureReason"] == lifecycle.INTERNAL_ERROR
    found = embedded_aws.client("s3").list_objects_v2(Bucket=bucket)["Contents"]
    assert [one["Key"] for one in found] == [f"models/{name}-other/output/model.tar.gz"]


def test_a_job_is_shown_with_what_was_asked_and_with_defaults(jobs: Jobs, embedded_aws: EmbeddedAws) -> None:
    bucket = make.new_bucket(embedded_aws, d__a_csv="1")
    asked: dict[str, Any] = {
        "EnableNetworkIsolation": True,
        "DebugHookConfig": {"S3OutputPath": f"s3://{bucket}/debug"},
        "ProfilerConfig": {"S3OutputPath": f"s3://{bucket}/profile", "ProfilingIntervalInMilliseconds": 500},
        "RemoteDebugConfig": {"EnableRemoteDebug": False},
        "InfraCheckConfig": {"EnableInfraCheck": False},
        "TensorBoardOutputConfig": {"S3OutputPath": f"s3://{bucket}/board"},
        "RetryStrategy": {"MaximumRetryAttempts": 3},
    }
    channel = make.channel("train", f"s3://{bucket}/d/")
    request = make.shell_training(bucket, make.new_name(), "true", InputDataConfig=[channel], **asked)
    request["ResourceConfig"]["KeepAlivePeriodInSeconds"] = 60
    described = jobs.ended(jobs.create(request))
    assert {key: described[key] for key in asked} == asked
    assert described["InputDataConfig"] == [
        {**channel, "CompressionType": "None", "RecordWrapperType": "None"}
    ]
    assert described["OutputDataConfig"]["CompressionType"] == "GZIP"
    assert described["OutputDataConfig"]["KmsKeyId"] == ""  # SDK v2 attaches to a job by it
    assert (described["EnableManagedSpotTraining"], described["ProfilingStatus"]) == (False, "Enabled")
    assert described["WarmPoolStatus"] == {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 0}
    assert not {"VpcConfig", "CheckpointConfig", "FailureReason", "FinalMetricDataList"} & set(described)
    messages = [one["StatusMessage"] for one in described["SecondaryStatusTransitions"]]
    assert messages == [
        "Starting the training job",
        "Downloading input data",
        "Training image download completed. Training in progress.",
        "Uploading generated training model",
        "Training job completed",
    ]


def test_the_profiler_of_a_running_job_can_be_changed(jobs: Jobs, embedded_aws: EmbeddedAws) -> None:
    bucket = make.new_bucket(embedded_aws)
    name = jobs.create(make.shell_training(bucket, make.new_name(), "while :; do sleep 0.02; done"))
    jobs.reached(name, "Training")
    change = {"TrainingJobName": name, "ProfilerConfig": {"S3OutputPath": f"s3://{bucket}/profile"}}
    assert jobs.sagemaker.call("UpdateTrainingJob", change)["TrainingJobArn"].endswith(name)
    jobs.stop(name)
    described = jobs.ended(name)
    assert described["ProfilerConfig"] == {"S3OutputPath": f"s3://{bucket}/profile"}
    with pytest.raises(ServiceError, match="only while it is InProgress"):
        jobs.sagemaker.call("UpdateTrainingJob", change)
    kept = {"TrainingJobName": name, "ResourceConfig": {"KeepAlivePeriodInSeconds": 0}}
    jobs.sagemaker.call("UpdateTrainingJob", kept)


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        (
            {"AlgorithmSpecification": {"AlgorithmName": "bought", "TrainingInputMode": "File"}},
            "UnsupportedOperation",
            "algorithm by name",
        ),
        (
            {"EnableManagedSpotTraining": True},
            "ValidationException",
            "Invalid MaxWaitTimeInSeconds. It must be present",
        ),
        ({"RoleArn": "no-role-at-all-is-this"}, "ValidationException", "at 'roleArn' failed to satisfy"),
        (
            {"ResourceConfig": {"InstanceType": "ml.none.large", "InstanceCount": 1, "VolumeSizeInGB": 1}},
            "ValidationException",
            "Member must satisfy enum value set",
        ),
        (
            {"InputDataConfig": [make.channel(f"c{n}", "s3://bucket/x") for n in range(21)]},
            "ValidationException",
            "Member must have length less than or equal to 20",
        ),
        (
            {"InputDataConfig": [make.channel("twice", "s3://bucket/x")] * 2},
            "ValidationException",
            "Channel names must be unique",
        ),
        (
            {"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 0, "VolumeSizeInGB": 1}},
            "ValidationException",
            "InstanceCount must be at least 1",
        ),
    ],
)
def test_what_aws_refuses_at_once_is_refused(
    jobs: Jobs, changes: dict[str, Any], code: str, words: str
) -> None:
    with pytest.raises(ServiceError) as caught:
        jobs.create(make.training("bucket", make.new_name(), **changes))
    assert caught.value.code == code
    assert words in caught.value.message


def test_a_record_of_an_older_version_can_be_read() -> None:
    job = lifecycle.create(1.0)
    document = Record("training", "a", "arn", {}, job, {}).document()
    for added in ("attempts", "out_of_wait"):
        del document["job"][added]
    assert Record.read(document).job == dataclasses.replace(job)
