"""The clock and the reset that tests have, and that nobody has who did not ask for them."""

import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstock.localaws import control
from penstock.localaws.settings import layout
from tests.local.conftest import EmbeddedAws, until
from tests.local.hosting import Hosting, serving_processes
from tests.local.job_requests import new_bucket, processing, shell_training, training_over

Start = Callable[[], EmbeddedAws]


def status_of(url: str, body: bytes | None = None) -> int:
    try:
        with urllib.request.urlopen(url, body) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code


def refusal(aws: EmbeddedAws, name: str, body: bytes | None) -> tuple[int, str]:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{aws.endpoint_url}/_penstock/{name}", body)
    with caught.value as refused:
        return refused.code, json.load(refused)["message"]


def test_without_asking_there_is_neither(tmp_path: Path, unused_port: int) -> None:
    url = control.up(tmp_path, port=unused_port).endpoint_url
    try:
        assert status_of(f"{url}/_penstock/clock") == status_of(f"{url}/_unknown/clock") == 404
        for path in ("clock", "reset"):
            unknown = status_of(f"{url}/_unknown/{path}", b"{}")
            assert status_of(f"{url}/_penstock/{path}", b"{}") == unknown >= 400
    finally:
        control.down(tmp_path)


def test_time_passes_when_it_is_told_to(own_aws: Start) -> None:
    aws = own_aws()
    before = aws.ask_penstock("clock")["now"]
    after = aws.advance(3600)
    assert 3600 <= after - before < 3700
    assert aws.ask_penstock("clock")["now"] >= after


@pytest.mark.parametrize(
    ("name", "body", "status", "text"),
    [
        ("clock", b'{"advance_seconds": -1}', 400, "from 0 to"),
        ("clock", b'{"advance_seconds": NaN}', 400, "from 0 to"),
        ("clock", b'{"advance_seconds": true}', 400, "from 0 to"),
        ("clock", b"{}", 400, "None"),
        ("clock", b"{", 400, "not JSON"),
        ("clock", b"[1]", 400, "JSON object"),
        ("clock", b" " * 20_000, 413, "over"),
        ("reset", None, 405, "takes POST"),
        ("reset", b'{"services": ["s3"]}', 400, "['s3'] cannot be reset by itself"),
        ("health", None, 404, "only /_penstock/clock, /_penstock/reset"),
    ],
)
def test_what_it_does_not_understand_it_refuses(
    embedded_aws: EmbeddedAws, name: str, body: bytes | None, status: int, text: str
) -> None:
    answered, message = refusal(embedded_aws, name, body)
    assert (answered, text in message) == (status, True), message


def processes_naming(mark: str) -> list[int]:
    """Process ids with `mark` in their command line (Linux)."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
    return found


def furnish(aws: EmbeddedAws, bucket: str) -> None:
    """Everything SageMaker has here, most of it running; the names are always the same."""
    client, hosting = aws.client("sagemaker"), Hosting(aws, "reset")
    client.create_training_job(
        **shell_training(
            bucket,
            "reset-stubborn",
            "trap '' TERM; while :; do sleep 0.1; done",
            Tags=[{"Key": "a", "Value": "b"}],
        )
    )
    client.create_processing_job(**processing(aws, bucket, "reset-waits", "sleep 500"))
    client.create_model_package_group(ModelPackageGroupName="reset", Tags=[{"Key": "a", "Value": "b"}])
    client.create_model_package(ModelPackageGroupName="reset", ClientToken="1" * 36)
    hosting.endpoint(hosting.config("c"))
    until(
        lambda: (
            client.describe_training_job(TrainingJobName="reset-stubborn")["SecondaryStatus"] == "Training"
        )
    )


def left(aws: EmbeddedAws) -> dict[str, Any]:
    """What each list of SageMaker has."""
    client = aws.client("sagemaker")
    return {
        "training": client.list_training_jobs()["TrainingJobSummaries"],
        "processing": client.list_processing_jobs()["ProcessingJobSummaries"],
        "endpoints": client.list_endpoints()["Endpoints"],
        "configs": client.list_endpoint_configs()["EndpointConfigs"],
        "models": client.list_models()["Models"],
        "groups": client.list_model_package_groups()["ModelPackageGroupSummaryList"],
        "packages": client.list_model_packages(ModelPackageType="Both")["ModelPackageSummaryList"],
    }


def test_a_reset_leaves_nothing_of_sagemaker(own_aws: Start) -> None:
    aws = own_aws()
    bucket = new_bucket(aws)
    furnish(aws, bucket)
    moved = aws.advance(100_000)
    assert all(left(aws).values())
    aws.reset("sagemaker")
    assert not any(left(aws).values())
    assert serving_processes(aws.port) == processes_naming("trap '' TERM; while :; do sleep 0.1") == []
    home = layout(aws.root).sagemaker
    assert [path for path in home.rglob("*") if not path.name.startswith("store.sqlite")] == []
    assert b"reset-stubborn" not in b"".join(path.read_bytes() for path in home.iterdir())
    assert aws.ask_penstock("clock")["now"] >= moved
    assert aws.client("s3").list_buckets()["Buckets"]  # of another service

    furnish(aws, bucket)  # no name is taken, and everything still works
    client = aws.client("sagemaker")
    client.stop_training_job(TrainingJobName="reset-stubborn")
    aws.reset("sagemaker")
    client.create_training_job(**shell_training(bucket, "reset-stubborn", "true"))
    assert training_over(aws, "reset-stubborn")["TrainingJobStatus"] == "Completed"


def test_a_reset_of_everything(own_aws: Start) -> None:
    aws = own_aws()
    new_bucket(aws, a="b")
    aws.client("sagemaker").create_model_package_group(ModelPackageGroupName="reset")
    aws.reset()
    assert not any(left(aws).values())
    assert aws.client("s3").list_buckets()["Buckets"] == []
    assert not [path for path in layout(aws.root).objects.rglob("*") if path.is_file()]
