"""Deployments of endpoints on a running embedded AWS: traffic moves in steps, alarms of CloudWatch send it back."""

import datetime
import json
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import EmbeddedAws, until
from tests.local.hosting import Crowd, Hosting


@pytest.fixture
def hosting(embedded_aws: EmbeddedAws, request: pytest.FixtureRequest) -> Iterator[Hosting]:
    made = Hosting(
        embedded_aws, "d-" + request.node.name.replace("_", "-").replace("test-", "")[:36].rstrip("-[")
    )
    yield made
    made.clean()


def blue_green(kind: str, wait: int = 0, termination: int = 0, **sizes: Any) -> dict[str, Any]:
    routing = {"Type": kind, "WaitIntervalInSeconds": wait, **sizes}
    return {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": routing,
            "TerminationWaitInSeconds": termination,
        }
    }


def percent(value: int) -> dict[str, Any]:
    return {"Type": "CAPACITY_PERCENT", "Value": value}


def count(value: int) -> dict[str, Any]:
    return {"Type": "INSTANCE_COUNT", "Value": value}


def two(hosting: Hosting, instances: int = 1, **second: str) -> tuple[str, str, str]:
    """An endpoint in service on configuration `one`, and configuration `two` to update it to."""
    variants = [
        hosting.variant(hosting.model(short, **environment), InitialInstanceCount=instances)
        for short, environment in (("one", {"ANSWER": "first"}), ("two", {"ANSWER": "second", **second}))
    ]
    one = hosting.config("one", variants[0])
    return hosting.endpoint(one), one, hosting.config("two", variants[1])


def stage(hosting: Hosting, name: str) -> str | None:
    """The stage of the update under way."""
    summary = hosting.describe(name).get("PendingDeploymentSummary")
    if summary is None:
        return None
    return str(summary["ProductionVariants"][0]["VariantStatus"][0]["Status"])


def answers(hosting: Hosting, name: str, requests: int) -> Counter[str]:
    return Counter(json.loads(hosting.ask(name))["answer"] for _ in range(requests))


def alarm_on_errors(hosting: Hosting, name: str, config: str) -> str:
    """An alarm on the 5xx answers of one endpoint's fleet of that configuration."""
    dimensions = {"EndpointName": name, "VariantName": "live", "EndpointConfigName": config}
    alarm = f"{name}-errors"
    hosting.aws.client("cloudwatch").put_metric_alarm(
        AlarmName=alarm,
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Dimensions=[{"Name": key, "Value": value} for key, value in dimensions.items()],
        Statistic="Average",
        Period=10,
        EvaluationPeriods=1,
        Threshold=0.5,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
    )
    return alarm


def test_a_canary_whose_model_answers_500_is_rolled_back_by_its_alarm(hosting: Hosting) -> None:
    name, one, second = two(hosting, FAILING="1")
    alarm = alarm_on_errors(hosting, name, second)
    config = {
        **blue_green("CANARY", wait=600, CanarySize=percent(25)),
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": alarm}]},
    }
    hosting.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=second, DeploymentConfig=config)
    until(lambda: stage(hosting, name) == "Baking")
    described = hosting.describe(name)
    (variant,) = described["PendingDeploymentSummary"]["ProductionVariants"]
    assert variant["VariantStatus"][0]["StatusMessage"] == (
        "Baking for 600 seconds (WaitIntervalInSeconds) with traffic enabled on canary capacity of 1 instance(s)."
    )
    assert (described["EndpointConfigName"], described["LastDeploymentConfig"]) == (one, config)

    outcomes: Counter[str] = Counter()
    while not outcomes["500"] and sum(outcomes.values()) < 8:  # the alarm may go off after the first
        try:
            outcomes[json.loads(hosting.ask(name))["answer"]] += 1
        except hosting.runtime.exceptions.ModelError as error:
            outcomes[str(error.response["OriginalStatusCode"])] += 1
    assert outcomes["500"] == 1

    described = hosting.until(name, "InService")
    assert described["EndpointConfigName"] == one
    assert "FailureReason" not in described
    assert "PendingDeploymentSummary" not in described
    assert answers(hosting, name, 20) == {"first": 20}


def test_linear_steps_move_all_traffic_without_losing_a_request(hosting: Hosting) -> None:
    name, _, second = two(hosting)
    config = blue_green("LINEAR", wait=300, termination=300, LinearStepSize=percent(50))
    with Crowd(hosting, name).asking() as crowd:
        hosting.sagemaker.update_endpoint(
            EndpointName=name, EndpointConfigName=second, DeploymentConfig=config
        )
        baking(hosting, name, "300 seconds (WaitIntervalInSeconds)")
        seen = len(crowd.answers)
        until(lambda: len(crowd.answers) >= seen + 20)
        half = Counter(json.loads(answer)["answer"] for answer in crowd.answers[seen : seen + 20])
        hosting.aws.advance(301)
        baking(hosting, name, "300 seconds (TerminationWaitInSeconds) with traffic enabled on full capacity")
        assert hosting.describe(name)["EndpointStatus"] == "Updating"
        hosting.aws.advance(301)
        described = hosting.until(name, "InService")
    assert crowd.errors == []
    assert half == {"first": 10, "second": 10}
    assert described["EndpointConfigName"] == second
    assert described["LastDeploymentConfig"] == config
    assert json.loads(crowd.answers[-1])["answer"] == "second"


def baking(hosting: Hosting, name: str, words: str) -> None:
    """Return once the update bakes, and says so in those words."""

    def said() -> bool:
        summary = hosting.describe(name).get("PendingDeploymentSummary", {"ProductionVariants": []})
        return any(
            status["Status"] == "Baking" and words in status["StatusMessage"]
            for variant in summary["ProductionVariants"]
            for status in variant["VariantStatus"]
        )

    until(said)


def test_a_deployment_that_takes_too_long_goes_back(hosting: Hosting) -> None:
    name, one, second = two(hosting)
    config = blue_green("LINEAR", wait=500, LinearStepSize=percent(10))
    config["BlueGreenUpdatePolicy"]["MaximumExecutionTimeoutInSeconds"] = 600
    hosting.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=second, DeploymentConfig=config)
    baking(hosting, name, "500 seconds")
    stage_before = hosting.describe(name)["PendingDeploymentSummary"]["ProductionVariants"][0][
        "VariantStatus"
    ]
    hosting.aws.advance(501)
    until(lambda: later(hosting, name, stage_before[0]["StartTime"]))
    hosting.aws.advance(110)
    assert hosting.until(name, "InService")["EndpointConfigName"] == one


def later(hosting: Hosting, name: str, than: datetime.datetime) -> bool:
    """Whether the update bakes again, since later than that."""
    summary = hosting.describe(name)["PendingDeploymentSummary"]["ProductionVariants"][0]
    (status,) = summary["VariantStatus"]
    return bool(status["Status"] == "Baking" and status["StartTime"] > than)


def test_a_rolling_deployment_replaces_instance_by_instance(hosting: Hosting) -> None:
    name, _, second = two(hosting, instances=2)
    config = {"RollingUpdatePolicy": {"MaximumBatchSize": count(1), "WaitIntervalInSeconds": 600}}
    with Crowd(hosting, name).asking() as crowd:
        hosting.sagemaker.update_endpoint(
            EndpointName=name, EndpointConfigName=second, DeploymentConfig=config
        )
        until(lambda: stage(hosting, name) == "Baking")
        summary = hosting.describe(name)["PendingDeploymentSummary"]["ProductionVariants"][0]
        hosting.aws.advance(601)
        baking(hosting, name, "on full capacity of 2 instance(s)")
        hosting.aws.advance(601)
        described = hosting.until(name, "InService")
    assert crowd.errors == []
    assert (summary["CurrentInstanceCount"], summary["DesiredInstanceCount"]) == (1, 2)
    assert described["EndpointConfigName"] == second
    assert answers(hosting, name, 4) == {"second": 4}


def test_all_at_once_bakes_before_the_old_fleet_ends_and_an_alarm_in_that_time_sends_all_back(
    hosting: Hosting,
) -> None:
    name, one, second = two(hosting)
    alarm = alarm_on_errors(hosting, name, second)
    config = {
        **blue_green("ALL_AT_ONCE", termination=3600),
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": alarm}]},
    }
    hosting.sagemaker.update_endpoint(EndpointName=name, EndpointConfigName=second, DeploymentConfig=config)
    until(lambda: stage(hosting, name) == "Baking")
    assert answers(hosting, name, 5) == {"second": 5}
    code, message = refused(hosting.sagemaker.update_endpoint, EndpointName=name, EndpointConfigName=one)
    assert (code, message.split('"')[0]) == ("ValidationException", "Cannot update in-progress endpoint ")
    assert refused(hosting.sagemaker.delete_endpoint, EndpointName=name)[1].startswith(
        "Cannot update in-prog"
    )
    hosting.aws.client("cloudwatch").set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="drill")
    assert hosting.until(name, "InService")["EndpointConfigName"] == one
    assert answers(hosting, name, 5) == {"first": 5}


def test_what_a_deployment_config_must_not_say(hosting: Hosting) -> None:
    name, one, _ = two(hosting)

    def says(config: dict[str, Any], **members: Any) -> str:
        code, message = refused(
            hosting.sagemaker.update_endpoint,
            EndpointName=name,
            EndpointConfigName=one,
            DeploymentConfig=config,
            **members,
        )
        assert code == "ValidationException"
        return message

    rolling = {"RollingUpdatePolicy": {"MaximumBatchSize": percent(4), "WaitIntervalInSeconds": 1}}
    at_once = blue_green("ALL_AT_ONCE")
    assert "between 5% and 50%" in says(rolling)
    assert "Only one update policy" in says({**rolling, **at_once})
    assert "CanarySize must be less than or equal to 50%" in says(
        blue_green("CANARY", CanarySize=percent(51))
    )
    assert "it is 1 of the 1 instance(s)" in says(blue_green("CANARY", CanarySize=count(1)))
    assert "CanarySize must be specified" in says(blue_green("CANARY"))
    assert "LinearStepSize cannot be specified" in says(blue_green("ALL_AT_ONCE", LinearStepSize=percent(10)))
    assert "between 10% and 50%" in says(blue_green("LINEAR", LinearStepSize=percent(9)))
    alarms = {"AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "nobody-made-it"}]}}
    assert "Could not find CloudWatch alarm(s) nobody-made-it" in says({**at_once, **alarms})
    assert "RetainDeploymentConfig" in says(at_once, RetainDeploymentConfig=True)
    late = blue_green("ALL_AT_ONCE", wait=300, termination=300)
    late["BlueGreenUpdatePolicy"]["MaximumExecutionTimeoutInSeconds"] = 600
    assert "must be larger than the total waiting time" in says(late)
    assert hosting.describe(name)["EndpointStatus"] == "InService"


def test_a_deployment_config_of_the_creation_is_kept_for_updates(hosting: Hosting) -> None:
    name, one, second = hosting.name("e"), hosting.config("one"), hosting.config("two")
    config = blue_green("ALL_AT_ONCE", termination=600)
    create = {"EndpointName": name, "EndpointConfigName": one, "DeploymentConfig": config}
    hosting.sagemaker.create_endpoint(**create)
    hosting.made.append(name)
    code, message = refused(hosting.sagemaker.create_endpoint, **create)
    assert (code, message.split('"')[0]) == (
        "ValidationException",
        "Cannot create already existing endpoint ",
    )
    assert hosting.until(name, "InService")["LastDeploymentConfig"] == config
    hosting.sagemaker.update_endpoint(
        EndpointName=name, EndpointConfigName=second, RetainDeploymentConfig=True
    )
    baking(hosting, name, "600 seconds (TerminationWaitInSeconds)")
    hosting.aws.advance(601)
    assert hosting.until(name, "InService")["EndpointConfigName"] == second


@pytest.mark.slow  # waits for the next sending of metrics
def test_metrics_tell_the_fleets_of_an_endpoint_apart(hosting: Hosting) -> None:
    name, one, _ = two(hosting, instances=2)
    for _ in range(6):
        hosting.ask(name)
    assert until(lambda: total(hosting, name, "Invocations", EndpointConfigName=one) == 6)
    assert total(hosting, name, "Invocations") == 6
    assert total(hosting, name, "InvocationsPerInstance") == 3
    assert total(hosting, name, "InvocationModelErrors") == 0


def total(
    hosting: Hosting, name: str, metric: str, namespace: str = "AWS/SageMaker", **dimensions: str
) -> float:
    now = datetime.datetime.fromtimestamp(time.time(), datetime.UTC)
    of = {"EndpointName": name, "VariantName": "live", **dimensions}
    points = hosting.aws.client("cloudwatch").get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Dimensions=[{"Name": key, "Value": value} for key, value in of.items()],
        StartTime=now - datetime.timedelta(hours=1),
        EndTime=now + datetime.timedelta(hours=1),
        Period=3600,
        Statistics=["Sum"],
    )["Datapoints"]
    return float(sum(point["Sum"] for point in points))


def refused(call: Any, **members: Any) -> tuple[str, str]:
    """Code and message of what the service refuses."""
    with pytest.raises(ClientError) as caught:
        call(**members)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]
