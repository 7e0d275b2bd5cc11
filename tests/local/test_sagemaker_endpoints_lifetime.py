"""Endpoints beyond a server's life, and what CloudWatch and EventBridge hear of them."""

import datetime
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from penstock.localaws import control, process
from tests.local.conftest import EmbeddedAws, until
from tests.local.hosting import Hosting, serving_processes

linux = pytest.mark.skipif(sys.platform != "linux", reason="looks processes up in /proc")


@pytest.fixture
def hosting(embedded_aws: EmbeddedAws, request: pytest.FixtureRequest) -> Iterator[Hosting]:
    made = Hosting(embedded_aws, request.node.name.replace("_", "-").replace("test-", "")[:40].rstrip("-["))
    yield made
    made.clean()


def kill(aws: EmbeddedAws) -> None:
    running = control.status(aws.root)
    assert running
    mark = process.fingerprint(running.pid)
    assert mark
    os.kill(running.pid, signal.SIGKILL)
    assert process.wait_for_end(running.pid, mark, 10)


@linux
def test_a_killed_server_leaves_no_model_server_and_its_successor_brings_endpoints_back(
    own_aws: Callable[[], EmbeddedAws],
) -> None:
    aws = own_aws()
    hosting = Hosting(aws, "kept")
    name = hosting.endpoint(hosting.config("one", ANSWER="first"))
    assert len(serving_processes(aws.port)) >= 1
    kill(aws)
    until(lambda: serving_processes(aws.port) == [])

    again = Hosting(own_aws(), "kept")
    assert again.until(name, "InService")["EndpointConfigName"] == hosting.name("one")
    assert json.loads(again.ask(name))["answer"] == "first"


@linux
def test_a_stopped_server_stops_model_servers_and_an_update_under_way_goes_on(
    own_aws: Callable[[], EmbeddedAws],
) -> None:
    aws = own_aws()
    hosting = Hosting(aws, "moved")
    name = hosting.endpoint(hosting.config("one", ANSWER="first"))
    second = hosting.config("two", ANSWER="second")
    hosting.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=second)
    control.down(aws.root)
    assert serving_processes(aws.port) == []

    again = Hosting(own_aws(), "moved")
    assert again.until(name, "InService")["EndpointConfigName"] == second
    assert json.loads(again.ask(name))["answer"] == "second"


def test_cloudwatch_gets_metrics_and_log_lines(hosting: Hosting) -> None:
    name = hosting.endpoint(hosting.config("one"))
    for _ in range(10):
        hosting.ask(name)
    with pytest.raises(hosting.runtime.exceptions.ModelError):
        hosting.ask(name, "bad")

    assert until(lambda: total(hosting, name, "Invocations") == 11)
    assert total(hosting, name, "Invocation4XXErrors") == 1
    assert total(hosting, name, "Invocation5XXErrors") == 0
    assert 0 < total(hosting, name, "ModelLatency") < 60e6 * 11
    assert total(hosting, name, "OverheadLatency") > 0

    logs, group = hosting.aws.client("logs"), f"/aws/sagemaker/Endpoints/{name}"

    def lines() -> list[str]:
        try:
            found = logs.filter_log_events(logGroupName=group)["events"]
        except logs.exceptions.ResourceNotFoundException:
            return []  # lines are shipped every half second; the group comes with the first
        return [event["message"] for event in found]

    assert until(lambda: len([line for line in lines() if '"event": "request"' in line]) == 11)
    assert "asked for hello" in lines()
    (stream,) = logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert stream["logStreamName"].startswith("live/i-")
    requests = [line for line in lines() if '"event": "request"' in line]
    assert json.loads(requests[0])["status"] == 200


def total(hosting: Hosting, name: str, metric: str) -> float:
    now = datetime.datetime.now(datetime.UTC)
    points = hosting.aws.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName=metric,
        Dimensions=[{"Name": "EndpointName", "Value": name}, {"Name": "VariantName", "Value": "live"}],
        StartTime=now - datetime.timedelta(hours=1),
        EndTime=now + datetime.timedelta(hours=1),
        Period=60,
        Statistics=["Sum"],
    )["Datapoints"]
    return float(sum(point["Sum"] for point in points))


def test_eventbridge_hears_of_every_state(hosting: Hosting) -> None:
    queue = listen(hosting)
    name = hosting.endpoint(hosting.config("one"))
    hosting.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=hosting.config("two", BROKEN="1"))
    heard: list[dict[str, Any]] = []

    def all_heard() -> bool:
        sqs = hosting.aws.client("sqs")
        got = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        for message in got:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        events = [json.loads(message["Body"]) for message in got]
        heard.extend(event["detail"] for event in events if event["detail"]["EndpointName"] == name)
        return len(heard) >= 5

    until(all_heard, 30)
    heard.sort(key=lambda detail: int(detail["LastModifiedTime"]))
    states = [detail["EndpointStatus"] for detail in heard]
    assert states == ["CREATING", "IN_SERVICE", "UPDATING", "ROLLING_BACK", "IN_SERVICE"]
    assert "weights.bin is missing" in heard[3]["FailureReason"]
    assert heard[4]["EndpointConfigName"] == hosting.name("one")


def listen(hosting: Hosting) -> str:
    """A queue of its own that gets SageMaker's endpoint events."""
    sqs, events = hosting.aws.client("sqs"), hosting.aws.client("events")
    queue: str = sqs.create_queue(QueueName=hosting.prefix)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["aws.sagemaker"], "detail-type": ["SageMaker Endpoint State Change"]}
    events.put_rule(Name=hosting.prefix, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=hosting.prefix, Targets=[{"Id": "queue", "Arn": arn}])
    return queue
