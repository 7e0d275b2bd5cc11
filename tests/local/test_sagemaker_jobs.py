"""Training and processing jobs really run, over HTTP, in the embedded AWS."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from penstock.localaws import control
from penstock.localaws.settings import layout
from tests.local import job_requests as make
from tests.local.conftest import EmbeddedAws, until

TRAIN = """
import json, os, sys
model, data = os.environ["SM_MODEL_DIR"], os.environ["SM_CHANNEL_TRAIN"]
config = "/opt/ml/input/config/"
seen = {
    "argv": sys.argv,
    "cwd": os.getcwd(),
    "data": sorted(os.path.relpath(os.path.join(d, f), data) for d, _, fs in os.walk(data) for f in fs),
    "one": os.listdir(os.environ["SM_CHANNEL_DATASET"]),
    "hyperparameters": json.load(open(config + "hyperparameters.json")),
    "channels": json.load(open(config + "inputdataconfig.json")),
    "resources": json.load(open(config + "resourceconfig.json")),
    "environment": dict(os.environ),
}
print("[0]\\tvalidation-auc:0.5")
print("[1]\\tvalidation-auc:0.875", file=sys.stderr)
json.dump(seen, open(model + "/seen.json", "w"))
os.symlink("/etc/passwd", model + "/passwd")
open(os.environ["SM_OUTPUT_DATA_DIR"] + "/plot.txt", "w").write("plot")
"""


@pytest.fixture(scope="module")
def job(embedded_aws: EmbeddedAws) -> dict[str, Any]:
    """One completed script-mode job: its description, with what it saw."""
    bucket = make.new_bucket(embedded_aws, train__a_csv="1", train__x__b_csv="2", lake__dataset="{}")
    request = make.script_training(
        embedded_aws,
        bucket,
        make.new_name(),
        TRAIN,
        HyperParameters={"epochs": "10", "flag": "true", "name": "a b"},
        InputDataConfig=[
            {**make.channel("train", f"s3://{bucket}/train/"), "ContentType": "text/csv"},
            make.channel("dataset", f"s3://{bucket}/lake/dataset"),
        ],
        Environment={"MINE": "yes"},
        Tags=[{"Key": "project", "Value": "p"}],
    )
    request["AlgorithmSpecification"]["MetricDefinitions"] = [
        {"Name": "validation:auc", "Regex": r".*\[[0-9]+\].*#011validation-auc:(\S+)"}
    ]
    described = make.trained(embedded_aws, request)
    assert described["TrainingJobStatus"] == "Completed", described
    prefix = f"models/{request['TrainingJobName']}/output"
    files = make.tar_content(embedded_aws, bucket, f"{prefix}/model.tar.gz")
    output = make.tar_content(embedded_aws, bucket, f"{prefix}/output.tar.gz")
    return {
        **described,
        "bucket": bucket,
        "files": files,
        "output": output,
        "seen": json.loads(files["seen.json"]),
    }


def test_it_went_the_way_of_aws(job: dict[str, Any]) -> None:
    shown = [one["Status"] for one in job["SecondaryStatusTransitions"]]
    assert shown == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert job["CreationTime"] <= job["TrainingStartTime"] <= job["TrainingEndTime"]
    assert job["BillableTimeInSeconds"] >= 1


def test_its_model_is_where_aws_puts_it(job: dict[str, Any]) -> None:
    uri = f"s3://{job['bucket']}/models/{job['TrainingJobName']}/output/model.tar.gz"
    assert job["ModelArtifacts"] == {"S3ModelArtifacts": uri}
    assert (list(job["files"]), job["output"]) == (["seen.json"], {"plot.txt": "plot"})  # no link in it


def test_it_saw_its_channels_and_configuration(job: dict[str, Any]) -> None:
    seen = job["seen"]
    assert (seen["data"], seen["one"], seen["cwd"]) == (["a.csv", "x/b.csv"], ["dataset"], "/opt/ml/code")
    assert seen["channels"]["train"] == {
        "ContentType": "text/csv",
        "TrainingInputMode": "File",
        "S3DistributionType": "FullyReplicated",
        "RecordWrapperType": "None",
    }
    assert seen["resources"]["current_group_name"] == "homogeneousCluster"
    assert seen["hyperparameters"]["flag"] == "true"


def test_its_script_got_arguments_and_environment(job: dict[str, Any]) -> None:
    seen, env = job["seen"], job["seen"]["environment"]
    assert seen["argv"] == ["train.py", "--epochs", "10", "--flag", "True", "--name", "a b"]
    assert (env["SM_HP_EPOCHS"], env["SM_CHANNELS"], env["MINE"]) == ("10", '["dataset","train"]', "yes")
    assert (env["TRAINING_JOB_NAME"], env["TRAINING_JOB_ARN"]) == (
        job["TrainingJobName"],
        job["TrainingJobArn"],
    )


def test_nothing_of_our_environment_is_in_it(job: dict[str, Any]) -> None:
    ours = {name for name in os.environ if name.startswith(("PYTEST", "SSH", "GIT", "MINISTACK"))}
    assert not ours & set(job["seen"]["environment"])
    assert job["seen"]["environment"]["AWS_ACCESS_KEY_ID"] == "000000000000"


def test_its_metrics_are_the_last_values(embedded_aws: EmbeddedAws, job: dict[str, Any]) -> None:
    (metric,) = job["FinalMetricDataList"]
    assert (metric["MetricName"], metric["Value"]) == ("validation:auc", 0.875)
    assert "[0]#011validation-auc:0.5" in make.lines(embedded_aws, job["TrainingJobName"])


def test_its_tags(embedded_aws: EmbeddedAws, job: dict[str, Any]) -> None:
    client, arn = embedded_aws.client("sagemaker"), job["TrainingJobArn"]
    client.add_tags(ResourceArn=arn, Tags=[{"Key": "b", "Value": "2"}])
    client.delete_tags(ResourceArn=arn, TagKeys=["project"])
    assert client.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]


def test_its_name_cannot_be_used_again(embedded_aws: EmbeddedAws, job: dict[str, Any]) -> None:
    with pytest.raises(ClientError, match="job names must be unique") as caught:
        make.trained(embedded_aws, make.shell_training(job["bucket"], job["TrainingJobName"], "true"))
    assert caught.value.response["Error"]["Code"] == "ResourceInUse"


def test_lists(embedded_aws: EmbeddedAws, job: dict[str, Any]) -> None:
    client = embedded_aws.client("sagemaker")
    found = client.list_training_jobs(NameContains=job["TrainingJobName"], StatusEquals="Completed")
    (summary,) = found["TrainingJobSummaries"]
    assert summary["TrainingJobArn"] == job["TrainingJobArn"]
    assert not client.list_training_jobs(CreationTimeBefore="2020-01-01")["TrainingJobSummaries"]


def failed(aws: EmbeddedAws, request: dict[str, Any]) -> str:
    described = make.trained(aws, request)
    assert described["TrainingJobStatus"] == "Failed", described
    return str(described["FailureReason"])


def test_a_script_that_raises_says_why_as_on_aws(embedded_aws: EmbeddedAws) -> None:
    bucket = make.new_bucket(embedded_aws)
    request = make.script_training(
        embedded_aws, bucket, make.new_name(), "raise ValueError('no way')", HyperParameters={"epochs": "1"}
    )
    reason = failed(embedded_aws, request)
    assert reason.startswith('AlgorithmError: ExecuteUserScriptError:\nExitCode 1\nErrorMessage "Traceback')
    assert 'ValueError: no way"' in reason
    assert reason.endswith('python -- train.py --epochs 1", exit code: 1')


def test_the_failure_file_is_the_reason(embedded_aws: EmbeddedAws) -> None:
    bucket = make.new_bucket(embedded_aws)
    source = "import sys; open('/opt/ml/output/failure', 'w').write('x' * 3000); sys.exit(4)"
    reason = failed(embedded_aws, make.script_training(embedded_aws, bucket, make.new_name(), source))
    assert reason.startswith("AlgorithmError: xxx")
    assert (len(reason) <= 1024, reason[-14:]) == (True, ", exit code: 1")


def test_without_a_failure_file_standard_error_is_the_reason(embedded_aws: EmbeddedAws) -> None:
    bucket = make.new_bucket(embedded_aws)
    request = make.shell_training(bucket, make.new_name(), "echo 'disk on fire' >&2; exit 3")
    assert failed(embedded_aws, request) == "AlgorithmError: disk on fire, exit code: 3"


def refused(aws: EmbeddedAws, request: dict[str, Any]) -> tuple[str, str]:
    """Code and message of a training job that is not taken."""
    with pytest.raises(ClientError) as caught:
        aws.client("sagemaker").create_training_job(**request)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def test_a_prefix_without_objects_is_refused(embedded_aws: EmbeddedAws) -> None:
    bucket = make.new_bucket(embedded_aws)
    request = make.shell_training(bucket, make.new_name(), "true")
    request["InputDataConfig"] = [make.channel("train", f"s3://{bucket}/nothing/")]
    code, message = refused(embedded_aws, request)
    assert code == "ValidationException"
    assert message == (
        f'No S3 objects found under S3 URL "s3://{bucket}/nothing/" given in input data source. Please ensure that '
        "the bucket exists in the selected region (us-east-1), that objects exist under that S3 prefix, and that the "
        f'role "{make.ROLE}" has "s3:ListBucket" permissions on bucket "{bucket}".'
    )
    request["InputDataConfig"] = [make.channel("train", "s3://there-is-no-such-bucket/x")]
    assert "The specified bucket does not exist" in refused(embedded_aws, request)[1]


def test_objects_that_go_before_the_job_begins_fail_its_download(embedded_aws: EmbeddedAws) -> None:
    bucket = make.new_bucket(embedded_aws, train__a_csv="1")
    make.put(embedded_aws, bucket, "manifest", json.dumps([{"prefix": f"s3://{bucket}/train/"}, "gone"]))
    request = make.shell_training(bucket, make.new_name(), "true")
    request["InputDataConfig"] = [make.channel("train", f"s3://{bucket}/manifest", S3DataType="ManifestFile")]
    reason = failed(embedded_aws, request)
    assert reason.startswith("ClientError: Data download failed:NoSuchKey (404): ")


def test_a_missing_output_bucket_fails_the_upload(embedded_aws: EmbeddedAws) -> None:
    request = make.shell_training("there-is-no-such-bucket", make.new_name(), "true")
    assert failed(embedded_aws, request) == (
        "ClientError: Artifact upload failed:Error 7: NoSuchBucket (404): The specified bucket does not exist"
    )


def test_a_hostile_key_fails_the_download(embedded_aws: EmbeddedAws) -> None:
    bucket = make.new_bucket(embedded_aws)
    make.put(embedded_aws, bucket, "manifest", json.dumps([{"prefix": f"s3://{bucket}/"}, "../../x"]))
    request = make.shell_training(bucket, make.new_name(), "true")
    request["InputDataConfig"] = [make.channel("train", f"s3://{bucket}/manifest", S3DataType="ManifestFile")]
    assert "cannot be the name of a file" in failed(embedded_aws, request)


def test_an_image_nobody_knows_is_refused_with_a_hint(embedded_aws: EmbeddedAws) -> None:
    request = make.training(make.new_bucket(embedded_aws), make.new_name())
    request["AlgorithmSpecification"]["TrainingImage"] = "000000000000.dkr.ecr.us-east-1.amazonaws.com/mine:1"
    code, message = refused(embedded_aws, request)
    assert code == "ValidationException"
    assert message.startswith(
        "Cannot find repository: mine in registry ID: 000000000000 Please check if your ECR"
    )
    assert "sagemaker-scikit-learn" in message
    request["AlgorithmSpecification"]["TrainingImage"] = "python:3"
    assert refused(embedded_aws, request)[1].startswith("Invalid image URI python:3.")


def test_a_manifest_names_the_objects(embedded_aws: EmbeddedAws) -> None:
    bucket = make.new_bucket(embedded_aws, d__a_csv="1", d__b_csv="2", d__c_csv="3")
    make.put(
        embedded_aws, bucket, "manifest", json.dumps([{"prefix": f"s3://{bucket}/d/"}, "a.csv", "c.csv"])
    )
    request = make.shell_training(bucket, make.new_name(), "ls /opt/ml/input/data/train > /opt/ml/model/seen")
    request["AlgorithmSpecification"]["ContainerArguments"] = [
        'D="$SAGEMAKER_BASE_DIR"; D="${D:-/opt/ml}"; ls "$D/input/data/train" > "$D/model/seen"'
    ]
    request["InputDataConfig"] = [make.channel("train", f"s3://{bucket}/manifest", S3DataType="ManifestFile")]
    name = make.trained(embedded_aws, request)["TrainingJobName"]
    assert make.tar_content(embedded_aws, bucket, f"models/{name}/output/model.tar.gz") == {
        "seen": "a.csv\nc.csv\n"
    }


WAITS = """
import os, signal, sys, time
def end(*_):
    open(os.environ["SM_MODEL_DIR"] + "/checkpoint", "w").write("saved")
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
print("waiting", flush=True)
while True:
    time.sleep(0.05)
"""


def waiting_job(aws: EmbeddedAws, **changes: Any) -> tuple[str, str]:
    bucket, name = make.new_bucket(aws), make.new_name()
    aws.client("sagemaker").create_training_job(**make.script_training(aws, bucket, name, WAITS, **changes))
    return bucket, name


def is_waiting(aws: EmbeddedAws, name: str) -> bool:
    try:
        return "waiting" in make.lines(aws, name)
    except aws.client("logs").exceptions.ResourceNotFoundException:
        return False


def test_a_stopped_job_still_uploads_its_model(embedded_aws: EmbeddedAws) -> None:
    client = embedded_aws.client("sagemaker")
    bucket, name = waiting_job(embedded_aws)
    until(lambda: is_waiting(embedded_aws, name))
    client.stop_training_job(TrainingJobName=name)
    described = make.training_over(embedded_aws, name)
    assert (described["TrainingJobStatus"], described["SecondaryStatus"]) == ("Stopped", "Stopped")
    assert "FailureReason" not in described
    files = make.tar_content(embedded_aws, bucket, f"models/{name}/output/model.tar.gz")
    assert files == {"checkpoint": "saved"}
    with pytest.raises(
        ClientError, match="The request was rejected because the training job is in status Stopped"
    ):
        client.stop_training_job(TrainingJobName=name)


def test_a_job_out_of_time_is_stopped_and_uploads(embedded_aws: EmbeddedAws) -> None:
    bucket, name = waiting_job(embedded_aws, StoppingCondition={"MaxRuntimeInSeconds": 1})
    described = make.training_over(embedded_aws, name)
    assert (described["TrainingJobStatus"], described["SecondaryStatus"]) == ("Stopped", "MaxRuntimeExceeded")
    assert make.tar_content(embedded_aws, bucket, f"models/{name}/output/model.tar.gz") == {
        "checkpoint": "saved"
    }


def test_more_jobs_than_cores_wait_their_turn(embedded_aws: EmbeddedAws) -> None:
    client = embedded_aws.client("sagemaker")
    names = [waiting_job(embedded_aws)[1] for _ in range((os.cpu_count() or 1) + 1)]
    last = client.describe_training_job(TrainingJobName=names[-1])
    assert (last["TrainingJobStatus"], last["SecondaryStatus"]) == ("InProgress", "Pending")
    client.stop_training_job(TrainingJobName=names[0])
    until(lambda: is_waiting(embedded_aws, names[-1]))
    for name in names[1:]:
        client.stop_training_job(TrainingJobName=name)
    assert {make.training_over(embedded_aws, name)["TrainingJobStatus"] for name in names} == {"Stopped"}


@pytest.mark.parametrize("operation", ["describe_training_job", "stop_training_job", "delete_training_job"])
def test_a_job_that_is_not_there(embedded_aws: EmbeddedAws, operation: str) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(embedded_aws.client("sagemaker"), operation)(TrainingJobName="nobody")
    assert caught.value.response["Error"] == {
        "Code": "ValidationException",
        "Message": "Requested resource not found.",
    }


def test_what_the_embedded_aws_does_not_do_is_said(embedded_aws: EmbeddedAws) -> None:
    client = embedded_aws.client("sagemaker")
    with pytest.raises(ClientError, match=r"ListDomains is not part of .* It has .*TrainingJob \(Create"):
        client.list_domains()
    request = make.training("b", "a")
    request["ResourceConfig"]["InstanceCount"] = 9
    code, message = refused(embedded_aws, request)
    assert (
        code,
        message.startswith("The account-level service limit 'ml.m5.large for training job usage' is 8"),
    ) == (
        "ResourceLimitExceeded",
        True,
    )
    assert "a request delta of 9 Instances" in message


def test_a_request_aws_refuses_is_refused_in_its_words(embedded_aws: EmbeddedAws) -> None:
    with pytest.raises(ClientError) as caught:
        embedded_aws.client("sagemaker").create_training_job(**make.training("b", "no_underscores"))
    assert caught.value.response["Error"]["Message"].startswith(
        "1 validation error detected: Value 'no_underscores' at 'trainingJobName' failed to satisfy constraint"
    )


# --- processing ---

PROCESS = """
D="${SAGEMAKER_BASE_DIR:-/opt/ml}"
cat "$D/processing/input/data/a.csv" "$D/processing/input/b.csv" > "$D/processing/output/both.txt"
mkdir "$D/processing/output/sub"; echo "$GREETING" > "$D/processing/output/sub/hello"
cp "$D/config/processingjobconfig.json" "$D/processing/output/"
printf 'all well' > "$D/output/message"
"""


def test_a_processing_job_reads_its_inputs_and_leaves_its_outputs(embedded_aws: EmbeddedAws) -> None:
    bucket, name = make.new_bucket(embedded_aws, data__a_csv="1\n", b_csv="2\n"), make.new_name()
    inputs = [
        make.processing_input("data", f"s3://{bucket}/data", "/opt/ml/processing/input/data"),
        make.processing_input("one", f"s3://{bucket}/b.csv", "/opt/ml/processing/input"),
    ]
    described = make.processed(
        embedded_aws,
        make.processing(embedded_aws, bucket, name, PROCESS, *inputs, Environment={"GREETING": "hello you"}),
    )
    assert (described["ProcessingJobStatus"], described["ExitMessage"]) == ("Completed", "all well")
    s3 = embedded_aws.client("s3")
    read = lambda key: s3.get_object(Bucket=bucket, Key=key)["Body"].read()  # noqa: E731
    assert (read("out/both.txt"), read("out/sub/hello")) == (b"1\n2\n", b"hello you\n")
    config = json.loads(read("out/processingjobconfig.json"))
    assert (config["ProcessingJobArn"], config["ProcessingJobName"]) == (described["ProcessingJobArn"], name)


def test_a_failed_processing_job_leaves_no_half_result(embedded_aws: EmbeddedAws) -> None:
    bucket, name = make.new_bucket(embedded_aws), make.new_name()
    script = 'echo x > "${SAGEMAKER_BASE_DIR:-/opt/ml}/processing/output/x"; echo why >&2; exit 2'
    described = make.processed(embedded_aws, make.processing(embedded_aws, bucket, name, script))
    assert described["ProcessingJobStatus"] == "Failed"
    assert described["FailureReason"] == "AlgorithmError: why, exit code: 2"
    assert embedded_aws.client("s3").list_objects_v2(Bucket=bucket, Prefix="out/")["KeyCount"] == 0
    assert make.lines(embedded_aws, name, "/aws/sagemaker/ProcessingJobs") == ["why"]


def test_a_local_path_elsewhere_is_refused(embedded_aws: EmbeddedAws) -> None:
    bucket, name = make.new_bucket(embedded_aws, a_csv="1"), make.new_name()
    inputs = [make.processing_input("a", f"s3://{bucket}/a.csv", "/etc/penstock")]
    described = make.processed(embedded_aws, make.processing(embedded_aws, bucket, name, "true", *inputs))
    assert (
        described["FailureReason"] == "ClientError: LocalPath /etc/penstock is not below /opt/ml/processing"
    )


def test_state_changes_are_events(embedded_aws: EmbeddedAws) -> None:
    queue = make.new_name("queue")
    sqs, events = embedded_aws.client("sqs"), embedded_aws.client("events")
    url = sqs.create_queue(QueueName=queue)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.sagemaker"], "detail-type": ["SageMaker Processing Job State Change"]}
    events.put_rule(Name=queue, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=queue, Targets=[{"Id": "1", "Arn": arn}])
    name = make.new_name()
    make.processed(embedded_aws, make.processing(embedded_aws, make.new_bucket(embedded_aws), name, "true"))
    seen: list[str] = []

    def completed() -> bool:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            detail = json.loads(message["Body"])["detail"]
            if detail["ProcessingJobName"] == name:
                seen.append(detail["ProcessingJobStatus"])
                assert isinstance(detail["CreationTime"], int)
        return "Completed" in seen

    until(completed)
    assert seen[0] == "InProgress"


# --- the server dies ---


def test_a_killed_server_fails_its_jobs_and_leaves_nothing(own_aws: Callable[[], EmbeddedAws]) -> None:
    aws = own_aws()
    _, name = waiting_job(aws)
    until(lambda: is_waiting(aws, name))
    running = control.status(aws.root)
    assert running is not None
    os.kill(running.pid, signal.SIGKILL)
    until(lambda: not processes_below(layout(aws.root).sagemaker))
    again = own_aws()
    described = make.training_over(again, name)
    assert described["TrainingJobStatus"] == "Failed"
    assert described["FailureReason"] == (
        "InternalServerError: We encountered an internal error. Please try again."
    )
    assert not list((layout(aws.root).sagemaker / "jobs").glob("*/*"))


def processes_below(directory: Path) -> list[int]:
    """Processes that were given a path below `directory`."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(directory).encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found
