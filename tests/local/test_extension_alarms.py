"""Metric alarms of the embedded AWS (MiniStack 1.5.33 and our hook): each looks at its own metric, as on AWS."""

import time
import uuid
from typing import Any

import pytest

from tests.local.conftest import EmbeddedAws, until


class Alarms:
    """Alarms on metric `Errors` of a namespace of the test's own."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self.client = aws.client("cloudwatch")
        self.namespace = f"test/{uuid.uuid4().hex[:8]}"

    def put(self, name: str, **members: Any) -> str:
        defaults = {
            "Namespace": self.namespace,
            "MetricName": "Errors",
            "Dimensions": [{"Name": "Fleet", "Value": name}],
            "Period": 60,
            "EvaluationPeriods": 1,
            "Threshold": 1,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        }
        if "ExtendedStatistic" not in members:
            defaults["Statistic"] = "Sum"
        full = f"{self.namespace.replace('/', '-')}-{name}"
        self.client.put_metric_alarm(AlarmName=full, **{**defaults, **members})
        return full

    def send(self, fleet: str, value: float, ago: float = 0.0, **members: Any) -> None:
        datum = {
            "MetricName": "Errors",
            "Dimensions": [{"Name": "Fleet", "Value": fleet}],
            "Timestamp": time.time() - ago,
            **({} if "Values" in members else {"Value": value}),
        }
        self.client.put_metric_data(Namespace=self.namespace, MetricData=[{**datum, **members}])

    def state(self, name: str) -> str:
        (alarm,) = self.client.describe_alarms(AlarmNames=[name])["MetricAlarms"]
        return str(alarm["StateValue"])


@pytest.fixture
def alarms(embedded_aws: EmbeddedAws) -> Alarms:
    return Alarms(embedded_aws)


def test_an_alarm_looks_at_its_own_dimensions_only(alarms: Alarms) -> None:
    blue, green = alarms.put("blue"), alarms.put("green")
    alarms.send("green", 3)
    alarms.send("blue", 0)
    assert (alarms.state(blue), alarms.state(green)) == ("OK", "ALARM")


def test_an_alarm_goes_back_when_time_has_passed_without_anybody_sending(alarms: Alarms) -> None:
    name = alarms.put("blue", Period=10, TreatMissingData="notBreaching")
    alarms.send("blue", 3, ago=8)
    assert alarms.state(name) == "ALARM"
    until(lambda: alarms.state(name) == "OK")


def test_so_many_of_the_last_periods_must_breach(alarms: Alarms) -> None:
    name = alarms.put("blue", EvaluationPeriods=3, DatapointsToAlarm=2)
    alarms.send("blue", 3, ago=150)
    assert alarms.state(name) == "OK"
    alarms.send("blue", 3, ago=30)
    assert alarms.state(name) == "ALARM"


@pytest.mark.parametrize(
    ("treat", "state"),
    [("missing", "INSUFFICIENT_DATA"), ("notBreaching", "OK"), ("breaching", "ALARM"), ("ignore", "OK")],
)
def test_missing_data_is_treated_as_asked(alarms: Alarms, treat: str, state: str) -> None:
    name = alarms.put(treat, Period=10, TreatMissingData=treat)
    alarms.send(treat, 0)
    assert alarms.state(name) == "OK"
    other = alarms.put(f"{treat}-silent", TreatMissingData=treat)
    assert alarms.state(other) == (state if treat != "ignore" else "INSUFFICIENT_DATA")


def test_a_state_set_by_hand_holds_for_a_while(alarms: Alarms) -> None:
    name = alarms.put("blue", TreatMissingData="notBreaching")
    assert alarms.state(name) == "OK"
    alarms.client.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a fire drill")
    assert alarms.state(name) == "ALARM"


def test_a_percentile_of_latencies(alarms: Alarms) -> None:
    name = alarms.put("blue", ExtendedStatistic="p90", Threshold=100)
    alarms.send("blue", 0, Values=[50.0, 500.0], Counts=[95.0, 5.0])
    assert alarms.state(name) == "OK"
    alarms.send("blue", 0, Values=[500.0], Counts=[50.0])
    assert alarms.state(name) == "ALARM"
