"""Requests for jobs with every default filled in, and what jobs leave: for the tests of this tier."""

import io
import tarfile
import uuid
from typing import Any

from tests.local.conftest import EmbeddedAws, until

ROLE = "arn:aws:iam::000000000000:role/penstock-local-jobs"
SKLEARN = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
OVER = ("Completed", "Failed", "Stopped")


def new_name(prefix: str = "job") -> str:
    return f"{prefix}-{uuid.uuid4().hex[:10]}"


def new_bucket(aws: EmbeddedAws, **objects: str) -> str:
    """A bucket of the test's own; `a__b_csv` is the key `a/b.csv`."""
    bucket = new_name("bucket")
    aws.client("s3").create_bucket(Bucket=bucket)
    for key, body in objects.items():
        put(aws, bucket, key.replace("__", "/").replace("_csv", ".csv"), body)
    return bucket


def put(aws: EmbeddedAws, bucket: str, key: str, body: str | bytes) -> None:
    aws.client("s3").put_object(Bucket=bucket, Key=key, Body=body)


def source_archive(**files: str) -> bytes:
    """A sourcedir.tar.gz of modules (`train` → train.py), `requirements_txt` of its own name."""
    named = {"requirements_txt": "requirements.txt"}
    return archive({named.get(name, f"{name}.py"): text for name, text in files.items()})


def archive(files: dict[str, str]) -> bytes:
    """A tar.gz of files by their names."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as opened:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text.encode())
            opened.addfile(info, io.BytesIO(text.encode()))
    return content.getvalue()


def channel(name: str, uri: str, **source: str) -> dict[str, Any]:
    return {
        "ChannelName": name,
        "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri, **source}},
    }


def training(bucket: str, name: str, **changes: Any) -> dict[str, Any]:
    request = {
        "TrainingJobName": name,
        "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingImage": SKLEARN, "TrainingInputMode": "File"},
        "OutputDataConfig": {"S3OutputPath": f"s3://{bucket}/models/"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }
    return {**request, **changes}


def shell_training(bucket: str, name: str, script: str, **changes: Any) -> dict[str, Any]:
    """A training job whose container runs a shell script."""
    algorithm = {
        "TrainingImage": SKLEARN,
        "TrainingInputMode": "File",
        "ContainerEntrypoint": ["/bin/sh", "-c"],
        "ContainerArguments": [script],
    }
    return training(bucket, name, **{"AlgorithmSpecification": algorithm, **changes})


def script_training(aws: EmbeddedAws, bucket: str, name: str, source: str, **changes: Any) -> dict[str, Any]:
    """A training job in script mode with `source` as train.py."""
    put(aws, bucket, f"code/{name}.tar.gz", source_archive(train=source))
    given = {
        "sagemaker_program": '"train.py"',
        "sagemaker_submit_directory": f'"s3://{bucket}/code/{name}.tar.gz"',
        **changes.pop("HyperParameters", {}),
    }
    return training(bucket, name, HyperParameters=given, **changes)


def processing(
    aws: EmbeddedAws, bucket: str, name: str, script: str, *inputs: dict[str, Any], **changes: Any
) -> dict[str, Any]:
    """A processing job that runs a shell script; /opt/ml/processing/output goes to s3://bucket/out/."""
    put(aws, bucket, f"code/{name}.sh", script)
    code = processing_input("code", f"s3://{bucket}/code/{name}.sh", "/opt/ml/processing/input/code")
    output = {
        "S3Uri": f"s3://{bucket}/out/",
        "LocalPath": "/opt/ml/processing/output",
        "S3UploadMode": "EndOfJob",
    }
    request = {
        "ProcessingJobName": name,
        "RoleArn": ROLE,
        "AppSpecification": {
            "ImageUri": SKLEARN,
            "ContainerEntrypoint": ["/bin/sh", f"/opt/ml/processing/input/code/{name}.sh"],
        },
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 5}
        },
        "ProcessingInputs": [code, *inputs],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "out", "S3Output": output}]},
    }
    return {**request, **changes}


def processing_input(name: str, uri: str, path: str) -> dict[str, Any]:
    return {"InputName": name, "S3Input": {"S3Uri": uri, "LocalPath": path, "S3DataType": "S3Prefix"}}


def trained(aws: EmbeddedAws, request: dict[str, Any], seconds: float = 60) -> dict[str, Any]:
    """Create the training job and describe it once it is over."""
    aws.client("sagemaker").create_training_job(**request)
    return training_over(aws, request["TrainingJobName"], seconds)


def training_over(aws: EmbeddedAws, name: str, seconds: float = 60) -> dict[str, Any]:
    def over() -> dict[str, Any] | None:
        described: dict[str, Any] = aws.client("sagemaker").describe_training_job(TrainingJobName=name)
        return described if described["TrainingJobStatus"] in OVER else None

    found: dict[str, Any] = until(over, seconds)
    return found


def processed(aws: EmbeddedAws, request: dict[str, Any]) -> dict[str, Any]:
    """Create the processing job and describe it once it is over."""
    client, name = aws.client("sagemaker"), request["ProcessingJobName"]
    client.create_processing_job(**request)

    def over() -> dict[str, Any] | None:
        described: dict[str, Any] = client.describe_processing_job(ProcessingJobName=name)
        return described if described["ProcessingJobStatus"] in OVER else None

    found: dict[str, Any] = until(over, 60)
    return found


def lines(aws: EmbeddedAws, name: str, group: str = "/aws/sagemaker/TrainingJobs") -> list[str]:
    """What a job printed, as CloudWatch Logs has it."""
    logs = aws.client("logs")
    streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=name)["logStreams"]
    return [
        event["message"]
        for stream in streams
        for event in logs.get_log_events(
            logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True
        )["events"]
    ]


def tar_content(aws: EmbeddedAws, bucket: str, key: str) -> dict[str, str]:
    """The files of a tar.gz in S3."""
    body = aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as archive:
        opened = {member.name: archive.extractfile(member) for member in archive.getmembers()}
        return {name: file.read().decode() for name, file in opened.items() if file is not None}
