"""AWS/Lambda metrics of the embedded AWS (MiniStack 1.5.33 and our hook): every invocation counts, whoever made it."""

from __future__ import annotations

import io
import json
import time
import uuid
import zipfile
from typing import Any

import pytest

from tests.local.conftest import EmbeddedAws, until

CODE = """
def handler(event, context):
    if (event.get("detail") or event).get("fail"):
        raise ValueError("as asked")
    return {}
"""


class Function:
    """A function that fails when it is told to, and a rule that brings it events."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self.aws, self.name = aws, f"counted-{uuid.uuid4().hex[:8]}"
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("app.py", CODE)
        made = aws.client("lambda").create_function(
            FunctionName=self.name,
            Runtime="python3.11",
            Role="arn:aws:iam::000000000000:role/none",
            Handler="app.handler",
            Code={"ZipFile": packed.getvalue()},
        )
        events = aws.client("events")
        events.put_rule(Name=self.name, EventPattern=json.dumps({"source": [self.name]}))
        events.put_targets(Rule=self.name, Targets=[{"Id": "it", "Arn": made["FunctionArn"]}])

    def call(self, **event: Any) -> None:
        self.aws.client("lambda").invoke(FunctionName=self.name, Payload=json.dumps(event))

    def send(self, **detail: Any) -> None:
        entry = {"Source": self.name, "DetailType": "test", "Detail": json.dumps(detail)}
        self.aws.client("events").put_events(Entries=[entry])

    def total(self, metric: str, statistic: str = "Sum") -> float:
        now = time.time()
        points = self.aws.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName=metric,
            Dimensions=[{"Name": "FunctionName", "Value": self.name}],
            StartTime=now - 600,
            EndTime=now + 60,
            Period=60,
            Statistics=[statistic],
        )["Datapoints"]
        return sum(float(point[statistic]) for point in points)


@pytest.fixture
def function(embedded_aws: EmbeddedAws) -> Function:
    return Function(embedded_aws)


def test_calls_and_events_count_once_each_and_so_does_every_attempt(function: Function) -> None:
    for fail in (False, True, False):
        function.call(fail=fail)
    assert (function.total("Invocations"), function.total("Errors")) == (3, 1)
    for fail in (False, False, True):  # the last is tried three times
        function.send(fail=fail)
    assert until(lambda: function.total("Invocations") == 8)
    assert function.total("Errors") == 4
    assert function.total("Duration", "SampleCount") == 8


def test_a_throttled_call_is_no_invocation(function: Function) -> None:
    client = function.aws.client("lambda")
    client.put_function_concurrency(FunctionName=function.name, ReservedConcurrentExecutions=0)
    with pytest.raises(client.exceptions.TooManyRequestsException):
        function.call()
    assert [function.total(one) for one in ("Throttles", "Invocations", "Errors")] == [1, 0, 0]
