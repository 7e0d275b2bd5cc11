"""Time limits, waits, checkpoints and memory of jobs, on a plane whose clock the test moves."""

import contextlib
import gc
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.localaws.sagemaker.jobs import capacity
from penstock.localaws.sagemaker.jobs.capacity import GIB, Machine
from penstock.localaws.sagemaker.jobs.runner import Runner
from tests.local import job_requests as make
from tests.local.conftest import EmbeddedAws, until
from tests.local.planes import Jobs, plane

PLACES = os.cpu_count() or 1
DEAF = "trap '' TERM; echo ready; while :; do sleep 0.02; done"
HEARS = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.02; done"


@pytest.fixture
def jobs(embedded_aws: EmbeddedAws, tmp_path: Path) -> Iterator[Jobs]:
    with plane(embedded_aws, tmp_path) as made:
        yield made


def running(jobs: Jobs, aws: EmbeddedAws, script: str, **changes: Any) -> str:
    """A training job that has said `ready`."""
    request = make.shell_training(make.new_bucket(aws), make.new_name(), script, **changes)
    name = jobs.create(request)
    jobs.reached(name, "Training")
    until(lambda: said(aws, name))
    return name


def said(aws: EmbeddedAws, name: str) -> bool:
    try:
        return "ready" in make.lines(aws, name)
    except aws.client("logs").exceptions.ResourceNotFoundException:
        return False


def test_a_deaf_job_has_120_seconds_to_stop(jobs: Jobs, embedded_aws: EmbeddedAws) -> None:
    name = running(jobs, embedded_aws, DEAF)
    jobs.stop(name)
    jobs.plane.clock.advance(110)
    assert jobs.describe(name)["SecondaryStatus"] == "Stopping"
    jobs.plane.clock.advance(10)
    described = jobs.ended(name)
    assert described["TrainingJobStatus"] == "Stopped"
    stopping = next(one for one in described["SecondaryStatusTransitions"] if one["Status"] == "Stopping")
    assert (stopping["EndTime"] - stopping["StartTime"]).total_seconds() >= 120


def test_a_job_out_of_time_by_the_clock(jobs: Jobs, embedded_aws: EmbeddedAws) -> None:
    name = running(jobs, embedded_aws, HEARS, StoppingCondition={"MaxRuntimeInSeconds": 3600})
    jobs.plane.clock.advance(3600)
    described = jobs.ended(name)
    assert (described["TrainingJobStatus"], described["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert 3600 <= described["BillableTimeInSeconds"] < 3700
    assert described["SecondaryStatusTransitions"][-1]["StatusMessage"] == (
        "Training job runtime exceeded MaxRuntimeInSeconds provided"
    )


def spot(run: int, wait: int) -> dict[str, Any]:
    times = {"MaxRuntimeInSeconds": run, "MaxWaitTimeInSeconds": wait}
    return {"StoppingCondition": times, "EnableManagedSpotTraining": True}


def test_a_spot_job_ends_with_its_wait(jobs: Jobs, embedded_aws: EmbeddedAws) -> None:
    name = running(jobs, embedded_aws, HEARS, **spot(3600, 3600))
    jobs.plane.clock.advance(3600)
    described = jobs.ended(name)
    assert (described["SecondaryStatus"], described["EnableManagedSpotTraining"]) == (
        "MaxWaitTimeExceeded",
        True,
    )


def test_a_job_waits_only_as_long_as_it_may(jobs: Jobs, embedded_aws: EmbeddedAws) -> None:
    busy = [
        running(jobs, embedded_aws, HEARS, StoppingCondition={"MaxRuntimeInSeconds": 86_400})
        for _ in range(PLACES)
    ]
    bucket = make.new_bucket(embedded_aws)
    pending = {"MaxRuntimeInSeconds": 60, "MaxPendingTimeInSeconds": 7200}
    short = jobs.create(make.shell_training(bucket, make.new_name(), "true", **spot(60, 600)))
    long = jobs.create(make.shell_training(bucket, make.new_name(), "true", StoppingCondition=pending))
    assert {jobs.describe(name)["SecondaryStatus"] for name in (short, long)} == {"Pending"}
    jobs.plane.clock.advance(600)
    assert jobs.ended(short)["SecondaryStatus"] == "MaxWaitTimeExceeded"
    assert jobs.describe(long)["SecondaryStatus"] == "Pending"
    jobs.plane.clock.advance(6600)
    described = jobs.ended(long)
    assert (described["TrainingJobStatus"], described["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert "TrainingStartTime" not in described
    for name in busy:
        jobs.stop(name)
        jobs.ended(name)


def test_jobs_take_their_turn(jobs: Jobs, embedded_aws: EmbeddedAws) -> None:
    busy = [running(jobs, embedded_aws, HEARS) for _ in range(PLACES)]
    bucket = make.new_bucket(embedded_aws)
    names = [jobs.create(make.shell_training(bucket, make.new_name(), "true")) for _ in range(5)]
    jobs.stop(names[2])
    assert jobs.ended(names[2])["SecondaryStatus"] == "Stopped"
    jobs.stop(busy[0])
    started = [jobs.ended(name)["TrainingStartTime"] for name in names if name != names[2]]
    assert started == sorted(started)
    for name in busy[1:]:
        jobs.stop(name)
    for name in busy:
        jobs.ended(name)


def test_two_hundred_waiting_jobs_hold_memory_flat(jobs: Jobs, embedded_aws: EmbeddedAws) -> None:
    busy = [running(jobs, embedded_aws, HEARS) for _ in range(PLACES)]
    bucket = make.new_bucket(embedded_aws)

    def queue(count: int) -> list[str]:
        request = make.shell_training(bucket, "", "true", HyperParameters={"big": "x" * 2000})
        return [jobs.create({**request, "TrainingJobName": make.new_name()}) for _ in range(count)]

    names = queue(5)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    names += queue(195)

    def grown() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before

    until(lambda: grown() < 400_000)  # 2 kB a job; the requests alone are 3 kB each
    tracemalloc.stop()
    assert jobs.describe(names[-1])["SecondaryStatus"] == "Pending"
    for name in names:
        jobs.stop(name)
    assert {jobs.describe(name)["TrainingJobStatus"] for name in names} == {"Stopped"}
    for name in busy:
        jobs.stop(name)
        jobs.ended(name)


def test_no_job_starts_while_the_machine_is_short_of_memory(jobs: Jobs, embedded_aws: EmbeddedAws) -> None:
    free = [GIB // 8]
    machine = Machine(jobs.plane.place.root, memory=lambda: free[0])
    jobs.plane.part(Runner).machine = machine
    name = jobs.create(make.shell_training(make.new_bucket(embedded_aws), make.new_name(), "true"))
    described = jobs.describe(name)
    assert described["SecondaryStatus"] == "Pending"
    assert described["SecondaryStatusTransitions"][-1]["StatusMessage"] == (
        "Waiting: this machine has 128 MiB of memory free, and a job starts with 256 MiB"
    )
    free[0] = GIB
    jobs.plane.clock.advance(5)
    assert jobs.ended(name)["TrainingJobStatus"] == "Completed"


def stored(aws: EmbeddedAws, bucket: str, prefix: str) -> dict[str, str]:
    """The objects below a prefix, while somebody else may be taking some of them away."""
    s3, found = aws.client("s3"), {}
    for one in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", []):
        with contextlib.suppress(s3.exceptions.NoSuchKey):
            body = s3.get_object(Bucket=bucket, Key=one["Key"])["Body"]
            found[one["Key"].removeprefix(prefix)] = body.read().decode()
    return found


CHECKPOINTS = (
    'D="${SAGEMAKER_BASE_DIR:-/opt/ml}/checkpoints"; trap \'echo last > "$D/last"; exit 0\' TERM; '
    'mkdir "$D/sub"; cat "$D/old" > "$D/sub/new"; rm "$D/old"; while :; do sleep 0.02; done'
)


def test_checkpoints_are_stored_while_the_job_runs(jobs: Jobs, embedded_aws: EmbeddedAws) -> None:
    bucket = make.new_bucket(embedded_aws, checkpoints__old="before", checkpoints_2__x="not ours")
    request = make.shell_training(bucket, make.new_name(), CHECKPOINTS)
    request["CheckpointConfig"] = {"S3Uri": f"s3://{bucket}/checkpoints"}
    name = jobs.create(request)
    jobs.reached(name, "Training")

    def mirrored() -> bool:
        jobs.plane.clock.advance(2)
        return stored(embedded_aws, bucket, "checkpoints/") == {"sub/new": "before"}

    until(mirrored)
    jobs.stop(name)
    assert jobs.ended(name)["TrainingJobStatus"] == "Stopped"
    assert stored(embedded_aws, bucket, "checkpoints/") == {"sub/new": "before", "last": "last\n"}


def test_outputs_of_a_processing_job_may_be_stored_continuously(
    jobs: Jobs, embedded_aws: EmbeddedAws
) -> None:
    bucket, name = make.new_bucket(embedded_aws), make.new_name()
    script = (
        'O="${SAGEMAKER_BASE_DIR:-/opt/ml}/processing/output"; echo early > "$O/early"; '
        "trap 'echo late > \"$O/late\"; exit 1' TERM; while :; do sleep 0.02; done"
    )
    request = make.processing(embedded_aws, bucket, name, script)
    request["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3UploadMode"] = "Continuous"
    jobs.sagemaker.call("CreateProcessingJob", request)

    def mirrored() -> bool:
        jobs.plane.clock.advance(2)
        return stored(embedded_aws, bucket, "out/") == {"early": "early\n"}

    until(mirrored)
    jobs.sagemaker.call("StopProcessingJob", {"ProcessingJobName": name})
    assert jobs.sagemaker.wait_job("processing", name)["ProcessingJobStatus"] == "Stopped"
    assert stored(embedded_aws, bucket, "out/") == {"early": "early\n", "late": "late\n"}


def test_a_job_that_fills_its_volume_fails(jobs: Jobs, embedded_aws: EmbeddedAws) -> None:
    source = (
        "import os, time\nfile = os.open(os.environ['SM_MODEL_DIR'] + '/big', os.O_CREAT | os.O_WRONLY)\n"
        "os.posix_fallocate(file, 0, (1 << 30) + (1 << 20))\ntime.sleep(60)"
    )
    request = make.script_training(embedded_aws, make.new_bucket(embedded_aws), make.new_name(), source)
    request["ResourceConfig"]["VolumeSizeInGB"] = 1
    described = jobs.ended(jobs.create(request))
    assert described["FailureReason"].startswith(
        "ClientError: Insufficient disk space: [Errno 28] No space left"
    )


@pytest.mark.slow
@pytest.mark.skipif(capacity.available_memory() < 8 * GIB, reason="takes more than 4 GiB of memory")
def test_a_job_over_its_instances_memory_fails(jobs: Jobs, embedded_aws: EmbeddedAws) -> None:
    source = "import time\nx = bytearray(b'x') * (4200 << 20)\ntime.sleep(60)"
    request = make.script_training(embedded_aws, make.new_bucket(embedded_aws), make.new_name(), source)
    request["ResourceConfig"]["InstanceType"] = "ml.t3.medium"
    assert jobs.ended(jobs.create(request))["FailureReason"] == (
        "ClientError: Please use an instance type with more memory, or reduce the size of job data processed on an "
        "instance."
    )
