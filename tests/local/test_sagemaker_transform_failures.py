"""What goes wrong in batch transform: refused at once, one file alone, the model, a stop, a crash."""

import gzip
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from penstock.localaws import control, process
from tests.local.conftest import EmbeddedAws, until
from tests.local.job_requests import new_name
from tests.local.transforms import Transforms

SEE_LOGS = "See job logs for more information"


@pytest.fixture
def jobs(embedded_aws: EmbeddedAws) -> Iterator[Transforms]:
    made = Transforms(embedded_aws, new_name("transform"))
    yield made
    assert made.servers() == []


def test_what_aws_refuses_at_once_is_refused(jobs: Transforms) -> None:
    jobs.put("in/a.csv", "1,2\n")
    model = jobs.model()

    def refused(**changes: Any) -> str:
        request = jobs.request(changes.pop("Model", model), **changes)
        with pytest.raises(ClientError) as caught:
            jobs.sagemaker.create_transform_job(**request)
        assert caught.value.response["Error"]["Code"] == "ValidationException"
        return str(caught.value.response["Error"]["Message"])

    def source(uri: str, kind: str = "S3Prefix") -> dict[str, Any]:
        return {"DataSource": {"S3DataSource": {"S3DataType": kind, "S3Uri": uri}}}

    json_, lines = "application/json", "application/jsonlines"
    arn = "arn:aws:sagemaker:us-east-1:000000000000:model/nothing"
    assert refused(Model="nothing") == f'Could not find model "{arn}".'
    nowhere = f"s3://{jobs.prefix}/nowhere/"
    assert refused(Input=source(nowhere)).startswith(
        f'No S3 objects found under S3 URL "{nowhere}" given in input data source. Please ensure that the bucket '
        "exists in the selected region (us-east-1), that objects exist under that S3 prefix, and that the role"
    )
    assert "No S3 objects found" in refused(Input=source("s3://no-such-bucket/x"))
    assert "No S3 objects found" in refused(Input=source(nowhere + "x.manifest", "ManifestFile"))
    assert "AugmentedManifestFile is not compatible" in refused(
        Input=source(nowhere, "AugmentedManifestFile")
    )
    assert "is not an S3 URI" in refused(Output={"S3OutputPath": "https://bucket/x"})

    assert "less than or equal to 100" in refused(MaxPayloadInMB=101)
    assert "cannot exceed 100 MB" in refused(MaxPayloadInMB=51, MaxConcurrentTransforms=2)
    assert "Member must have length less than or equal to 16" in refused(
        Environment={f"K{n}": "" for n in range(17)}
    )
    retries = {"InvocationsMaxRetries": 4}
    assert "Member must have value less than or equal to 3" in refused(ModelClientConfig=retries)

    join = {"JoinSource": "Input"}
    assert "SplitType Line" in refused(DataProcessing=join, Input={"SplitType": "None"})
    assert "SplitType Line or None" in refused(
        DataProcessing={"InputFilter": "$.a"}, Input={"ContentType": json_, "SplitType": "RecordIO"}
    )
    assert "the same SplitType and AssembleWith" in refused(
        DataProcessing=join, Output={"AssembleWith": "None"}
    )
    assert "the same ContentType and Accept" in refused(DataProcessing=join, Output={"Accept": json_})
    assert "ContentType to be one of" in refused(DataProcessing=join, Input={"ContentType": "image/png"})
    assert refused(
        Input={"ContentType": lines},
        Output={"Accept": lines},
        DataProcessing={"OutputFilter": "$['account_id','SageMakerOutput']"},
    ) == (
        """Invalid OutputFilter: "$['account_id','SageMakerOutput']". Unexpected "_" in JsonPath. """
        """Supported operators for "application/jsonlines" are """
        """['$', '[', ']', '*', '.', ' ', ',', ':', '-', ''']"""
    )
    assert 'Unexpected "i" in JsonPath' in refused(DataProcessing={"InputFilter": "$id"})
    assert "only single range filters" in refused(DataProcessing={"OutputFilter": "$[0:2,4:]"})
    assert jobs.sagemaker.list_transform_jobs(NameContains=jobs.prefix)["TransformJobSummaries"] == []


def test_sizes_are_allowed_up_to_their_limit(jobs: Transforms) -> None:
    jobs.put("in/a.csv", "1\n")
    model = jobs.model()
    names = [
        jobs.create(model, MaxPayloadInMB=100),
        jobs.create(model, MaxPayloadInMB=50, MaxConcurrentTransforms=2),
        jobs.create(
            model, ModelClientConfig={"InvocationsTimeoutInSeconds": 3600, "InvocationsMaxRetries": 3}
        ),
    ]
    assert [jobs.over(name)["TransformJobStatus"] for name in names] == ["Completed"] * 3


def test_a_name_is_used_once(jobs: Transforms) -> None:
    jobs.put("in/a.csv", "1\n")
    request = jobs.request(jobs.model())
    jobs.sagemaker.create_transform_job(**request)
    with pytest.raises(jobs.sagemaker.exceptions.ResourceInUse):
        jobs.sagemaker.create_transform_job(**request)
    assert jobs.over(request["TransformJobName"])["TransformJobStatus"] == "Completed"
    with pytest.raises(ClientError, match="Requested resource not found"):
        jobs.describe("nothing")


def test_what_is_over_cannot_be_stopped(jobs: Transforms) -> None:
    jobs.put("in/a.csv", "1\n")
    name = jobs.completed(jobs.model())

    def refusal() -> str:
        try:
            jobs.sagemaker.stop_transform_job(TransformJobName=name)
        except ClientError as refused:
            return str(refused)
        return ""  # it has completed, and its files are being removed

    assert "the transform job is in status Completed" in until(refusal)
    assert jobs.describe(name)["TransformJobStatus"] == "Completed"


def test_bad_files_fail_themselves_only(jobs: Transforms) -> None:
    jobs.put_gzip("in/a.gz", "good\n")
    jobs.put("in/b.gz", b"no gzip at all")
    jobs.put_gzip("in/c.gz", "good\nbad\ngood\n")
    jobs.put_gzip("in/d.gz", "x" * (1 << 20) + "\n")
    jobs.put_gzip("in/e.gz", "x" * ((1 << 20) - 1) + "\n")
    described = jobs.run(
        jobs.model(), Input={"CompressionType": "Gzip"}, MaxPayloadInMB=1, BatchStrategy="SingleRecord"
    )
    assert (described["TransformJobStatus"], described["FailureReason"]) == (
        "Failed",
        f"ClientError: {SEE_LOGS}",
    )
    assert jobs.keys() == ["a.gz.out", "e.gz.out"]
    said = jobs.data_log(described["TransformJobName"])
    label = f"{jobs.prefix}/in"
    assert [line for line in said if line.startswith(f"{label}/c.gz")] == [
        f"{label}/c.gz: ClientError: 422",
        f"{label}/c.gz: ",
        f"{label}/c.gz: Message:",
        f'{label}/c.gz: {{"error": "no such column"}}',
    ]
    assert any("b.gz: ClientError: Failed to decompress input as Gzip" in line for line in said)
    assert f"{label}/d.gz: ClientError: Too much data for max payload size" in said
    assert not any("/a.gz" in line or "/e.gz" in line for line in said)


def test_a_stream_that_breaks_off_spoils_no_other(jobs: Transforms) -> None:
    jobs.put_gzip("in/b.gz", "good")
    jobs.put("in/a.gz", gzip.compress(os.urandom(1 << 20))[:-100])
    described = jobs.run(
        jobs.model(ANSWER="size"),
        Input={"CompressionType": "Gzip", "SplitType": "None", "ContentType": "application/x-any"},
        MaxPayloadInMB=0,
        MaxConcurrentTransforms=1,
    )
    assert described["FailureReason"] == f"ClientError: {SEE_LOGS}"
    assert jobs.keys() == ["b.gz.out"]
    assert jobs.get("out/b.gz.out") == "4 chunked application/x-any text/csv\n"


def test_only_what_the_model_failed_in_is_tried_again(jobs: Transforms, tmp_path: Path) -> None:
    jobs.put("in/a.csv", f"fail {tmp_path}/a\n")  # fails twice
    jobs.put("in/b.csv", f"fail {tmp_path}/b\n")
    model = jobs.model()
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{jobs.prefix}/in/a"}}
    jobs.completed(model, Input={"DataSource": source}, ModelClientConfig={"InvocationsMaxRetries": 2})
    assert (tmp_path / "a").read_text() == "xxx"

    described = jobs.run(model, ModelClientConfig={"InvocationsMaxRetries": 1})
    assert described["FailureReason"] == f"AlgorithmError: {SEE_LOGS}"
    assert (tmp_path / "b").read_text() == "xx"
    assert f"{jobs.prefix}/in/b.csv: Bad HTTP status received from algorithm: 500" in jobs.data_log(
        described["TransformJobName"]
    )


def test_a_request_that_takes_too_long_fails_its_file(jobs: Transforms, tmp_path: Path) -> None:
    jobs.put("in/a.csv", "good\n")
    jobs.put("in/b.csv", f"wait {tmp_path}/go\n")
    config = {"InvocationsTimeoutInSeconds": 2, "InvocationsMaxRetries": 0}
    name = jobs.create(jobs.model(), ModelClientConfig=config)
    until(lambda: any("Unable to get response from algorithm" in line for line in data_log(jobs, name)))
    (tmp_path / "go").touch()  # or its server would take until SIGKILL to end
    assert jobs.over(name)["FailureReason"] == (
        "InternalServerError: We encountered an internal error. Please try again."
    )
    assert jobs.keys() == ["a.csv.out"]


def data_log(jobs: Transforms, name: str) -> list[str]:
    """The data log of a job that may not have begun it."""
    try:
        return jobs.data_log(name)
    except ClientError:
        return []


def test_a_killed_server_is_replaced_and_no_record_is_lost(jobs: Transforms, tmp_path: Path) -> None:
    jobs.put("in/a.csv", f"good\ncrash {tmp_path}/a\ngood\n")
    jobs.completed(jobs.model(), BatchStrategy="SingleRecord")
    assert jobs.get("out/a.csv.out") == f"good:1\ncrash {tmp_path}/a:1\ngood:1\n"
    assert (tmp_path / "a").read_text() == "xx"


def test_a_model_that_does_not_load_is_the_algorithms_error(jobs: Transforms) -> None:
    jobs.put("in/a.csv", "1\n")
    described = jobs.run(jobs.model(BROKEN="1"))
    assert described["TransformJobStatus"] == "Failed"
    assert described["FailureReason"].startswith("AlgorithmError: Model container failed to respond to ping.")
    assert "weights.bin is missing" in described["FailureReason"]


def test_an_image_nobody_has_and_a_model_that_is_gone_are_the_clients_errors(jobs: Transforms) -> None:
    jobs.put("in/a.csv", "1\n")
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/mine:1"
    described = jobs.run(jobs.model(image=image))
    assert described["FailureReason"].startswith(f"ClientError: Cannot pull image {image}")
    model = jobs.model()
    jobs.aws.client("s3").delete_object(Bucket=jobs.prefix, Key=f"models/{model}.tar.gz")
    assert jobs.run(model)["FailureReason"].startswith("ClientError: Failed to download model data")


def test_a_stop_ends_the_server_and_keeps_what_is_finished(jobs: Transforms) -> None:
    jobs.put("in/a.csv", "good\n")
    jobs.put("in/b.csv", "sleep 0.05\n" * 2000)
    name = jobs.create(jobs.model(), BatchStrategy="SingleRecord", MaxConcurrentTransforms=1)
    until(lambda: jobs.keys() == ["a.csv.out"])
    jobs.sagemaker.stop_transform_job(TransformJobName=name)
    assert jobs.describe(name)["TransformJobStatus"] in ("Stopping", "Stopped")
    described = jobs.over(name)
    assert described["TransformJobStatus"] == "Stopped"
    assert "FailureReason" not in described
    assert jobs.servers() == []
    assert jobs.keys() == ["a.csv.out"]
    assert jobs.data_log(name) == ["MaxConcurrentTransforms=1, MaxPayloadInMB=6, BatchStrategy=SINGLE_RECORD"]


@pytest.mark.parametrize("end", ["kill", pytest.param("down", marks=pytest.mark.slow)])
def test_a_server_that_ends_meanwhile_leaves_no_process_and_no_half_output(
    own_aws: Callable[[], EmbeddedAws], end: str
) -> None:
    aws = own_aws()
    jobs = Transforms(aws, new_name("transform"))
    jobs.put("in/a.csv", "sleep 0.05\n" * 2000)
    name = jobs.create(jobs.model(), BatchStrategy="SingleRecord")
    until(lambda: data_log(jobs, name))
    assert len(jobs.servers()) > 0
    running = control.status(aws.root)
    assert running
    mark = process.fingerprint(running.pid)
    assert mark
    if end == "kill":
        os.kill(running.pid, signal.SIGKILL)
        assert process.wait_for_end(running.pid, mark, 10)
    else:
        control.down(aws.root)
    until(lambda: jobs.servers() == [])

    again = own_aws()
    client = again.client("sagemaker")
    until(lambda: client.describe_transform_job(TransformJobName=name)["TransformJobStatus"] == "Failed")
    described = client.describe_transform_job(TransformJobName=name)
    assert described["FailureReason"] == (
        "InternalServerError: We encountered an internal error. Please try again."
    )
    found = again.client("s3").list_objects_v2(Bucket=jobs.prefix, Prefix="out/")
    assert found["KeyCount"] == 0
    assert not list(Path(aws.root).rglob("jobs/transform/*"))


@pytest.mark.slow
def test_a_reset_waits_for_nothing_that_runs(own_aws: Callable[[], EmbeddedAws], tmp_path: Path) -> None:
    aws = own_aws()
    jobs = Transforms(aws, new_name("transform"))
    jobs.put("in/a.csv", f"wait {tmp_path}/never\n")
    jobs.create(jobs.model())
    until((tmp_path / "never.started").exists)
    aws.reset()
    assert jobs.servers() == []
    assert jobs.sagemaker.list_transform_jobs()["TransformJobSummaries"] == []
