"""What a training job finds in its channels: pipes, shuffled and wrapped, read-only files, augmented manifests."""

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from penstock.localaws.execution.execution import probe
from penstock.localaws.sagemaker.faults import JobFault
from penstock.localaws.sagemaker.jobs import recordio, sources
from penstock.localaws.sagemaker.jobs.transfers import Volume
from tests.local import job_requests as make
from tests.local.conftest import EmbeddedAws

READS = """
import os
base = os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml")
for epoch in range(2):
    with open(f"{base}/input/data/train_{epoch}", "rb") as pipe:
        open(f"{base}/model/{epoch}", "wb").write(pipe.read())
"""


def piped(aws: EmbeddedAws, bucket: str, source: dict[str, str], **channel: Any) -> list[bytes]:
    """What two epochs of a pipe brought."""
    one = {**make.channel("train", **source), "InputMode": "Pipe", **channel}
    one["DataSource"]["S3DataSource"].update(channel.pop("attributes", {}))
    one.pop("attributes", None)
    name = make.new_name()
    described = make.trained(
        aws,
        make.script_training(aws, bucket, name, READS, InputDataConfig=[one], OutputDataConfig=loose(bucket)),
    )
    assert described["TrainingJobStatus"] == "Completed", described
    s3 = aws.client("s3")
    keys = [f"models/{name}/output/model/{epoch}" for epoch in range(2)]
    return [s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys]


def loose(bucket: str) -> dict[str, str]:
    return {"S3OutputPath": f"s3://{bucket}/models/", "CompressionType": "NONE"}


def test_a_pipe_brings_every_object_each_epoch(embedded_aws: EmbeddedAws) -> None:
    bucket = make.new_bucket(embedded_aws, d__a_csv="1\n", d__b_csv="2\n", d__c_csv="x" * 200_000)
    assert piped(embedded_aws, bucket, {"uri": f"s3://{bucket}/d/"}) == [b"1\n2\n" + b"x" * 200_000] * 2


def test_a_pipe_unpacks_wraps_and_shuffles(embedded_aws: EmbeddedAws) -> None:
    bucket = make.new_bucket(embedded_aws)
    for number in range(8):
        make.put(embedded_aws, bucket, f"d/{number}.gz", gzip.compress(str(number).encode()))
    first, second = piped(
        embedded_aws,
        bucket,
        {"uri": f"s3://{bucket}/d/"},
        CompressionType="Gzip",
        RecordWrapperType="RecordIO",
        ShuffleConfig={"Seed": 3},
    )
    orders = [[int(one) for one in recordio.records(stream)] for stream in (first, second)]
    assert [sorted(order) for order in orders] == [list(range(8))] * 2
    assert orders[0] != orders[1]


def test_an_augmented_manifest_comes_as_records(embedded_aws: EmbeddedAws) -> None:
    bucket = make.new_bucket(embedded_aws, images__a_csv="A", images__b_csv="B")
    lines = [{"source-ref": f"s3://{bucket}/images/{n}.csv", "label": n == "b", "text": n} for n in "ab"]
    make.put(embedded_aws, bucket, "m.jsonl", "\n".join(map(json.dumps, lines)))
    streams = piped(
        embedded_aws,
        bucket,
        {"uri": f"s3://{bucket}/m.jsonl", "S3DataType": "AugmentedManifestFile"},
        RecordWrapperType="RecordIO",
        attributes={"AttributeNames": ["source-ref", "label", "text"]},
    )
    assert [list(recordio.records(one)) for one in streams] == [
        [b"A", b"false", b"a", b"B", b"true", b"b"]
    ] * 2


def test_a_pipe_nobody_reads_holds_nobody_up(embedded_aws: EmbeddedAws) -> None:
    bucket, name = make.new_bucket(embedded_aws, d__a_csv="1"), make.new_name()
    channel = {**make.channel("train", f"s3://{bucket}/d/"), "InputMode": "Pipe"}
    request = make.shell_training(bucket, name, "true", InputDataConfig=[channel])
    assert make.trained(embedded_aws, request)["TrainingJobStatus"] == "Completed"


def test_a_pipe_that_breaks_fails_the_job(embedded_aws: EmbeddedAws) -> None:
    bucket, name = make.new_bucket(embedded_aws), make.new_name()
    make.put(embedded_aws, bucket, "m", json.dumps([{"prefix": f"s3://{bucket}/"}, "gone"]))
    channel = {
        **make.channel("train", f"s3://{bucket}/m", S3DataType="ManifestFile"),
        "InputMode": "Pipe",
    }
    described = make.trained(
        embedded_aws, make.script_training(embedded_aws, bucket, name, READS, InputDataConfig=[channel])
    )
    assert described["FailureReason"].startswith("ClientError: Data download failed:NoSuchKey (404)")


@pytest.mark.skipif(probe(sys.executable) == "plain", reason="this machine allows no namespaces")
def test_fast_file_is_read_only(embedded_aws: EmbeddedAws) -> None:
    bucket, name = make.new_bucket(embedded_aws, d__a_csv="1"), make.new_name()
    channel = {**make.channel("train", f"s3://{bucket}/d/"), "InputMode": "FastFile"}
    source = "open('/opt/ml/input/data/train/a.csv').read(); open('/opt/ml/input/data/train/a.csv', 'a')"
    described = make.trained(
        embedded_aws, make.script_training(embedded_aws, bucket, name, source, InputDataConfig=[channel])
    )
    assert "Read-only file system" in described["FailureReason"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"InputMode": "File"}, "AugmentedManifestFile can only be used if the channel's input mode is Pipe"),
        ({"InputMode": "FastFile"}, "can only be used if the channel's input mode is Pipe"),
        ({"InputMode": "Pipe"}, "AttributeNames must be given"),
        ({"ChannelName": ".."}, "cannot be the name of a directory"),
    ],
)
def test_a_channel_aws_does_not_take_is_refused(
    embedded_aws: EmbeddedAws, changes: dict[str, str], words: str
) -> None:
    channel = {**make.channel("train", "s3://b/m", S3DataType="AugmentedManifestFile"), **changes}
    with pytest.raises(ClientError, match=words):
        embedded_aws.client("sagemaker").create_training_job(
            **make.training("b", make.new_name(), InputDataConfig=[channel])
        )


def test_more_data_than_the_volume_holds_fails_the_download(
    embedded_aws: EmbeddedAws, tmp_path: Path
) -> None:
    bucket = make.new_bucket(embedded_aws, d__a_csv="x" * 600, d__b_csv="x" * 600)
    s3 = embedded_aws.client("s3")
    items = sources.listing(s3, {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/d/"})
    sources.download(s3, items, tmp_path / "fits", Volume(1200))
    with pytest.raises(JobFault, match=r"^ClientError: Data download failed:Insufficient disk space$"):
        sources.download(s3, items, tmp_path / "does not", Volume(1199))
