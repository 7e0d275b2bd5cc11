"""Endpoints in trouble on a running embedded AWS: crashes under load, kills amid a deployment, failing fleets."""

import contextlib
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from penstock.localaws import control
from penstock.localaws.settings import layout
from tests.local.conftest import EmbeddedAws, until
from tests.local.hosting import IMAGE, ROLE, Crowd, Hosting, serving_processes
from tests.local.test_sagemaker_endpoints_deployment import (
    alarm_on_errors,
    answers,
    baking,
    blue_green,
    count,
    percent,
    refused,
    total,
    two,
)
from tests.local.test_sagemaker_endpoints_lifetime import kill

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks processes up in /proc")


@pytest.fixture
def hosting(embedded_aws: EmbeddedAws, request: pytest.FixtureRequest) -> Iterator[Hosting]:
    short = "".join(letter if letter.isalnum() else "-" for letter in request.node.name.removeprefix("test_"))
    made = Hosting(embedded_aws, "t-" + short[-34:].strip("-"))
    yield made
    made.clean()


@linux
def test_instances_that_are_killed_under_load_lose_no_request(hosting: Hosting) -> None:
    before = set(serving_processes(hosting.aws.port))
    model = hosting.model("one")
    name = hosting.endpoint(hosting.config("three", hosting.variant(model, InitialInstanceCount=3)))
    mine = set(serving_processes(hosting.aws.port)) - before
    with contextlib.ExitStack() as crowds:
        asking = [crowds.enter_context(Crowd(hosting, name).asking()) for _ in range(3)]
        for victim in sorted(mine)[:2]:
            seen = sum(len(crowd.answers) for crowd in asking)
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
            until(lambda seen=seen: sum(len(crowd.answers) for crowd in asking) > seen + 30)
        until(lambda: len(set(serving_processes(hosting.aws.port)) - before - mine) >= 1)
    assert [error for crowd in asking for error in crowd.errors] == []


@linux
def test_the_only_instance_is_killed_under_load_and_no_request_is_lost(hosting: Hosting) -> None:
    before = set(serving_processes(hosting.aws.port))
    name = hosting.endpoint(hosting.config("one"))
    mine = set(serving_processes(hosting.aws.port)) - before
    with contextlib.ExitStack() as crowds:
        asking = [crowds.enter_context(Crowd(hosting, name).asking()) for _ in range(3)]
        with contextlib.suppress(ProcessLookupError):
            os.kill(max(mine), signal.SIGKILL)
        until(lambda: set(serving_processes(hosting.aws.port)) - before - mine)
    assert [error for crowd in asking for error in crowd.errors] == []


@linux
def test_a_killed_server_takes_its_baking_up_again_with_the_same_traffic(
    own_aws: Callable[[], EmbeddedAws],
) -> None:
    hosting = Hosting(own_aws(), "baked")
    name, one, second = two(hosting)
    single = len(serving_processes(hosting.aws.port))
    config = blue_green("LINEAR", wait=3600, LinearStepSize=percent(50))
    hosting.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=second, DeploymentConfig=config)
    baking(hosting, name, "3600 seconds (WaitIntervalInSeconds)")
    port = hosting.aws.port
    kill(hosting.aws)
    until(lambda: serving_processes(port) == [])

    again = Hosting(own_aws(), "baked")
    baking(again, name, "3600 seconds (WaitIntervalInSeconds)")
    described = again.describe(name)
    assert (described["EndpointStatus"], described["EndpointConfigName"]) == ("Updating", one)
    assert answers(again, name, 10) == {"first": 5, "second": 5}
    again.aws.advance(3601)
    assert again.until(name, "InService")["EndpointConfigName"] == second
    assert answers(again, name, 4) == {"second": 4}
    files = layout(again.aws.root).sagemaker / "endpoints" / name / "live"
    until(lambda: [entry.name for entry in files.iterdir()] == ["2"])
    until(lambda: len(serving_processes(again.aws.port)) == single)
    control.down(again.aws.root)
    assert serving_processes(again.aws.port) == []


def test_a_roll_back_that_fails_is_seen_and_the_next_update_puts_it_right(hosting: Hosting) -> None:
    """A rolling deployment has ended half of the old fleet; its model is broken when it is to come back."""
    name, one, second = two(hosting, instances=2)
    alarm = alarm_on_errors(hosting, name, second)
    config = {
        "RollingUpdatePolicy": {"MaximumBatchSize": count(1), "WaitIntervalInSeconds": 600},
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": alarm}]},
    }
    hosting.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=second, DeploymentConfig=config)
    baking(hosting, name, "capacity of 1 instance(s)")
    hosting.aws.advance(601)
    baking(hosting, name, "capacity of 2 instance(s)")
    files = layout(hosting.aws.root).sagemaker / "endpoints" / name / "live/1/opt/ml/model"
    (files / "code/inference.py").write_text("def model_fn(where):\n    raise OSError('the disk is bad')\n")
    hosting.aws.client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="drill")

    stuck = hosting.until(name, "UpdateRollbackFailed")
    assert "the disk is bad" in stuck["FailureReason"]
    assert answers(hosting, name, 4) == {"second": 4}
    hosting.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=one)
    described = hosting.until(name, "InService")
    assert (described["EndpointConfigName"], "FailureReason" in described) == (one, False)
    assert answers(hosting, name, 4) == {"first": 4}


@pytest.mark.parametrize(
    ("image", "data", "reason"),
    [
        (
            "nobody/knows:1",
            None,
            "Please make sure all images included in the model for the production variant live",
        ),
        (
            IMAGE,
            b"no archive",
            'Failed to extract model data archive for container "container_1" from URL "s3://',
        ),
    ],
    ids=["image", "archive"],
)
def test_why_an_endpoint_cannot_be_made(
    hosting: Hosting, image: str, data: bytes | None, reason: str
) -> None:
    uri = hosting.upload()
    bucket, key = uri.removeprefix("s3://").split("/", 1)
    if data is not None:
        hosting.aws.client("s3").put_object(Bucket=bucket, Key=key, Body=data)
    container = {"Image": image, "ModelDataUrl": uri}
    hosting.sagemaker.create_model(
        ModelName=hosting.name("m"), PrimaryContainer=container, ExecutionRoleArn=ROLE
    )
    name, config = hosting.name("e"), hosting.config("c", hosting.variant(hosting.name("m")))
    hosting.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    hosting.made.append(name)
    creating = hosting.describe(name)
    if creating["EndpointStatus"] == "Creating":
        (variant,) = creating["PendingDeploymentSummary"]["ProductionVariants"]
        assert variant["VariantStatus"][0]["StatusMessage"] == "Launching 1 instance(s)."
    failed = until(lambda: (d := hosting.describe(name))["EndpointStatus"] == "Failed" and d)
    assert failed["FailureReason"].startswith(reason)
    assert "ProductionVariants" not in failed


def test_capacity_goes_up_and_down_and_an_update_may_keep_it(hosting: Hosting) -> None:
    name, _, second = two(hosting)
    scale = hosting.sagemaker.update_endpoint_weights_and_capacities
    scale(EndpointName=name, DesiredWeightsAndCapacities=[{"VariantName": "live", "DesiredInstanceCount": 3}])
    scaling = hosting.describe(name)
    (variant,) = scaling["ProductionVariants"]
    assert (variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]) == (1, 3)
    assert variant["VariantStatus"][0]["StatusMessage"] == "Scaling out desired instance count to 3."
    assert "PendingDeploymentSummary" not in scaling
    (variant,) = hosting.until(name, "InService")["ProductionVariants"]
    assert (variant["CurrentInstanceCount"], "VariantStatus" in variant) == (3, False)

    hosting.sagemaker.update_endpoint(
        EndpointName=name,
        EndpointConfigName=second,
        RetainAllVariantProperties=True,
        ExcludeRetainedVariantProperties=[{"VariantPropertyType": "DesiredWeight"}],
    )
    (variant,) = hosting.until(name, "InService")["ProductionVariants"]
    assert variant["CurrentInstanceCount"] == 3
    assert answers(hosting, name, 3) == {"second": 3}
    scale(EndpointName=name, DesiredWeightsAndCapacities=[{"VariantName": "live", "DesiredInstanceCount": 1}])
    (variant,) = hosting.until(name, "InService")["ProductionVariants"]
    assert variant["CurrentInstanceCount"] == 1
    wanted = [{"VariantName": "live", "DesiredInstanceCount": 0}]
    assert "at least 1" in refused(scale, EndpointName=name, DesiredWeightsAndCapacities=wanted)[1]
    wanted = [{"VariantName": "live", "ServerlessUpdateConfig": {"MaxConcurrency": 1}}]
    assert "is not serverless" in refused(scale, EndpointName=name, DesiredWeightsAndCapacities=wanted)[1]


@linux
def test_what_instances_use_is_published_each_minute(hosting: Hosting) -> None:
    name = hosting.endpoint(hosting.config("one"))
    cloudwatch, of = hosting.aws.client("cloudwatch"), [{"Name": "EndpointName", "Value": name}]

    def published() -> set[str]:
        hosting.aws.advance(61)
        found = cloudwatch.list_metrics(Namespace="/aws/sagemaker/Endpoints", Dimensions=of)["Metrics"]
        return {metric["MetricName"] for metric in found}

    until(lambda: published() == {"CPUUtilization", "MemoryUtilization", "DiskUtilization"})
    assert total(hosting, name, "MemoryUtilization", namespace="/aws/sagemaker/Endpoints") > 0


def test_eventbridge_hears_of_every_stage_of_a_deployment(hosting: Hosting) -> None:
    sqs, events = hosting.aws.client("sqs"), hosting.aws.client("events")
    queue = sqs.create_queue(QueueName=hosting.prefix)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.sagemaker"], "detail-type": ["SageMaker Endpoint Deployment State Change"]}
    events.put_rule(Name=hosting.prefix, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=hosting.prefix, Targets=[{"Id": "queue", "Arn": arn}])
    name, _, second = two(hosting)
    config = blue_green("CANARY", CanarySize=percent(10))
    hosting.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=second, DeploymentConfig=config)
    heard: list[dict[str, Any]] = []

    def ended() -> bool:
        got = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        for message in got:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        found = [json.loads(message["Body"])["detail"] for message in got]
        heard.extend(detail for detail in found if detail["EndpointName"] == name)
        return any(d["EndpointStatus"] == "IN_SERVICE" and d["EndpointConfigName"] == second for d in heard)

    until(ended)
    until(lambda: ended() and len(heard) >= 8)
    stages = [
        (status["Status"], status["StatusMessage"].rpartition(" on ")[2])
        for detail in heard
        if (summary := detail.get("PendingDeploymentSummary")) and summary["EndpointConfigName"] == second
        for status in summary["ProductionVariants"][0]["VariantStatus"]
    ]
    assert Counter(stages) == Counter(
        [
            ("Creating", "Launching 1 instance(s)."),
            ("ActivatingTraffic", "canary capacity of 1 instance(s)."),
            ("Baking", "canary capacity of 1 instance(s)."),
            ("ActivatingTraffic", "full capacity of 1 instance(s)."),
            ("Baking", "full capacity of 1 instance(s)."),
        ]
    )
    ending = [
        detail["ProductionVariants"][0]["VariantStatus"][0]
        for detail in heard
        if detail["EndpointConfigName"] == second and detail["EndpointStatus"] == "UPDATING"
    ]
    assert [(one["Status"], one["StatusMessage"]) for one in ending] == [
        ("Deleting", "Terminating 1 instance(s).")
    ]
