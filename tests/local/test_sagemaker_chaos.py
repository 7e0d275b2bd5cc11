"""What is killed from outside ends in the state and with the reason AWS documents, and takes nothing else along."""

import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.local import job_requests as jobs
from tests.local.conftest import EmbeddedAws, until

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="looks for processes in /proc (Linux)"
)
WAITING = "echo up; while true; do sleep 0.1; done"


def processes(job: str, command: str) -> list[int]:
    """Process ids of a job whose command line has `command` in it."""
    mark, found = f"TRAINING_JOB_NAME={job}".encode(), []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            if command in line and mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found


def running(aws: EmbeddedAws, bucket: str) -> str:
    """The name of a training job that is at its work."""
    name = jobs.new_name("chaos")
    aws.client("sagemaker").create_training_job(**jobs.shell_training(bucket, name, WAITING))
    until(lambda: len(processes(name, WAITING)) > 1)  # the guard, and what it guards
    return name


@pytest.mark.parametrize("victim", ["the job", "its guard"])
def test_a_killed_job_process_fails_the_job_and_nothing_of_it_lives_on(
    embedded_aws: EmbeddedAws, victim: str
) -> None:
    bucket = jobs.new_bucket(embedded_aws)
    name, other = running(embedded_aws, bucket), running(embedded_aws, bucket)
    for pid in processes(name, WAITING):
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):  # one's end is that of the others
            guards = b"guard.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
            if guards == (victim == "its guard"):
                os.kill(pid, signal.SIGKILL)
    job = jobs.training_over(embedded_aws, name)
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("AlgorithmError: ")
    assert job["FailureReason"].endswith("exit code: 137")
    assert "Contents" not in embedded_aws.client("s3").list_objects_v2(Bucket=bucket)
    until(lambda: not processes(name, ""))
    assert status(embedded_aws, other) == "InProgress"
    embedded_aws.client("sagemaker").stop_training_job(TrainingJobName=other)
    assert jobs.training_over(embedded_aws, other)["TrainingJobStatus"] == "Stopped"


def status(aws: EmbeddedAws, name: str) -> Any:
    return aws.client("sagemaker").describe_training_job(TrainingJobName=name)["TrainingJobStatus"]
