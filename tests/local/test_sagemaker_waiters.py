"""botocore's own waiters end as they should on what our operations answer."""

from collections.abc import Callable, Iterator
from typing import Any

import botocore.loaders
import pytest
from botocore.exceptions import WaiterError

from penstock.localaws import control
from penstock.localaws.sagemaker import api
from tests.local.conftest import EmbeddedAws, free_port, until
from tests.local.hosting import Hosting
from tests.local.job_requests import new_bucket, new_name, processing, put, shell_training

WAITERS = botocore.loaders.Loader().load_service_model("sagemaker", "waiters-2")["waiters"]
SOON = {"Delay": 0.05, "MaxAttempts": 600}
FAILED = "Waiter encountered a terminal failure state: For expression"
MISSING = "Matched expected service error code: ValidationException"


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    root = tmp_path_factory.mktemp("waiters")
    aws = EmbeddedAws(root, control.up(root, port=free_port(), testing=True).port)
    yield aws
    aws.close()


def training(aws: EmbeddedAws, script: str) -> str:
    name = new_name()
    aws.client("sagemaker").create_training_job(**shell_training(new_bucket(aws), name, script))
    return name


def stopped_training(aws: EmbeddedAws) -> str:
    name = training(aws, "sleep 100")
    aws.client("sagemaker").stop_training_job(TrainingJobName=name)
    return name


def process(aws: EmbeddedAws, script: str) -> str:
    name = new_name()
    aws.client("sagemaker").create_processing_job(**processing(aws, new_bucket(aws), name, script))
    return name


def stopped_process(aws: EmbeddedAws) -> str:
    name = process(aws, "sleep 100")
    aws.client("sagemaker").stop_processing_job(ProcessingJobName=name)
    return name


def endpoint(aws: EmbeddedAws, **environment: str) -> str:
    hosting = Hosting(aws, new_name("w"))
    config = hosting.config("c", **environment)
    aws.client("sagemaker").create_endpoint(EndpointName=hosting.name("e"), EndpointConfigName=config)
    return hosting.name("e")


def settled(aws: EmbeddedAws, **environment: str) -> str:
    name, client = endpoint(aws, **environment), aws.client("sagemaker")
    until(lambda: client.describe_endpoint(EndpointName=name)["EndpointStatus"] in ("InService", "Failed"))
    return name


def deleted_endpoint(aws: EmbeddedAws) -> str:
    name = settled(aws)
    aws.client("sagemaker").delete_endpoint(EndpointName=name)
    return name


def transform(aws: EmbeddedAws, body: str = "hello", **environment: str) -> str:
    client, bucket, name = aws.client("sagemaker"), new_bucket(aws), new_name("w")
    model = Hosting(aws, name).model("m", **environment)
    put(aws, bucket, "in/a.csv", body)
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/in/"}}
    client.create_transform_job(
        TransformJobName=name,
        ModelName=model,
        TransformInput={"DataSource": source, "ContentType": "text/csv"},
        TransformOutput={"S3OutputPath": f"s3://{bucket}/out/"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    return name


def stopped_transform(aws: EmbeddedAws) -> str:
    name = transform(aws, "wait /nonexistent/file")
    aws.client("sagemaker").stop_transform_job(TransformJobName=name)
    return name


def nothing(_aws: EmbeddedAws) -> str:
    return new_name("nobody")


# The waiter, what it waits for, and how it ends: None when it is content.
Case = tuple[str, Callable[[EmbeddedAws], str], str | None]
EVERY: list[Case] = [
    ("TrainingJobCompletedOrStopped", lambda aws: training(aws, "true"), None),
    ("TrainingJobCompletedOrStopped", stopped_training, None),
    ("TrainingJobCompletedOrStopped", lambda aws: training(aws, "exit 1"), FAILED),
    ("TrainingJobCompletedOrStopped", nothing, MISSING),
    ("ProcessingJobCompletedOrStopped", lambda aws: process(aws, "true"), None),
    ("ProcessingJobCompletedOrStopped", stopped_process, None),
    ("ProcessingJobCompletedOrStopped", lambda aws: process(aws, "exit 1"), FAILED),
    ("ProcessingJobCompletedOrStopped", nothing, MISSING),
    ("EndpointInService", endpoint, None),
    ("EndpointInService", lambda aws: endpoint(aws, BROKEN="1"), FAILED),
    ("EndpointInService", nothing, MISSING),
    ("EndpointDeleted", deleted_endpoint, None),
    ("EndpointDeleted", nothing, None),
    ("EndpointDeleted", lambda aws: settled(aws, BROKEN="1"), FAILED),
    ("TransformJobCompletedOrStopped", transform, None),
    ("TransformJobCompletedOrStopped", stopped_transform, None),
    ("TransformJobCompletedOrStopped", lambda aws: transform(aws, "fail"), FAILED),
    ("TransformJobCompletedOrStopped", nothing, MISSING),
]
HAVE = {name for one in api._load_modules().values() for name in getattr(one, "OPERATIONS", {})}
CASES = [case for case in EVERY if WAITERS[case[0]]["operation"] in HAVE]


@pytest.mark.parametrize(("waiter", "make", "end"), CASES)
def test_a_waiter_ends(
    aws: EmbeddedAws, waiter: str, make: Callable[[EmbeddedAws], str], end: str | None
) -> None:
    noun = WAITERS[waiter]["operation"].removeprefix("Describe")
    waits: Any = aws.client("sagemaker").get_waiter(
        "".join(f"_{c.lower()}" if c.isupper() else c for c in waiter).lstrip("_")
    )
    asked = {f"{noun}Name": make(aws), "WaiterConfig": SOON}
    if end is None:
        waits.wait(**asked)
    else:
        with pytest.raises(WaiterError) as caught:
            waits.wait(**asked)
        assert end in str(caught.value)


def test_every_waiter_of_what_we_have_is_looked_at() -> None:
    ours = {name for name, waiter in WAITERS.items() if waiter["operation"] in HAVE}
    assert ours == {waiter for waiter, _, _ in CASES}
