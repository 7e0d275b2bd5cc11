"""State changes on EventBridge: what Describe answers, times in milliseconds, with the resource's tags."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from tests.local.conftest import EmbeddedAws, until
from tests.local.hosting import Hosting
from tests.local.job_requests import new_bucket, new_name, processing, shell_training

TAGS = [{"Key": "team", "Value": "blue"}]


@pytest.fixture
def heard(embedded_aws: EmbeddedAws) -> Iterator[Callable[[str], list[dict[str, Any]]]]:
    """All events so far about an ARN, in the order of their arrival."""
    sqs, events, name = embedded_aws.client("sqs"), embedded_aws.client("events"), new_name("events")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name=name, EventPattern=json.dumps({"source": ["aws.sagemaker"]}))
    events.put_targets(Rule=name, Targets=[{"Id": "1", "Arn": queue}])
    seen: list[dict[str, Any]] = []

    def about(arn: str) -> list[dict[str, Any]]:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            seen.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return [event for event in seen if event["resources"] == [arn]]

    yield about
    events.remove_targets(Rule=name, Ids=["1"])
    events.delete_rule(Name=name)
    sqs.delete_queue(QueueUrl=url)


def as_sent(value: Any) -> Any:
    """A Describe answer as an event has it."""
    if isinstance(value, datetime):
        return round(value.timestamp() * 1000)
    if isinstance(value, dict):
        return {key: as_sent(item) for key, item in value.items() if key != "ResponseMetadata"}
    return [as_sent(item) for item in value] if isinstance(value, list) else value


def last(heard: Callable[[str], list[dict[str, Any]]], arn: str, member: str, status: str) -> dict[str, Any]:
    """The event that tells `status`, once it has come."""

    def found() -> dict[str, Any] | None:
        return next((event for event in heard(arn) if event["detail"][member] == status), None)

    event: dict[str, Any] = until(found)
    return event


def test_a_training_job(embedded_aws: EmbeddedAws, heard: Any) -> None:
    client, name = embedded_aws.client("sagemaker"), new_name()
    request = shell_training(new_bucket(embedded_aws), name, "exit 3", Tags=TAGS)
    arn = client.create_training_job(**request)["TrainingJobArn"]
    event = last(heard, arn, "TrainingJobStatus", "Failed")
    assert event["detail-type"] == "SageMaker Training Job State Change"
    described = as_sent(client.describe_training_job(TrainingJobName=name))
    assert event["detail"] == {**described, "Tags": {"team": "blue"}}
    statuses = [one["detail"]["SecondaryStatus"] for one in heard(arn)]
    assert statuses[0] == "Starting"
    assert statuses[-4:] == ["Downloading", "Training", "Uploading", "Failed"]


def test_a_processing_job(embedded_aws: EmbeddedAws, heard: Any) -> None:
    client, name = embedded_aws.client("sagemaker"), new_name()
    request = processing(embedded_aws, new_bucket(embedded_aws), name, "true")
    arn = client.create_processing_job(**request)["ProcessingJobArn"]
    event = last(heard, arn, "ProcessingJobStatus", "Completed")
    assert event["detail-type"] == "SageMaker Processing Job State Change"
    described = as_sent(client.describe_processing_job(ProcessingJobName=name))
    assert event["detail"] == {**described, "Tags": {}}


def test_a_model_package(embedded_aws: EmbeddedAws, heard: Any) -> None:
    client, group = embedded_aws.client("sagemaker"), new_name("group")
    client.create_model_package_group(ModelPackageGroupName=group)
    specification = {"Containers": [{"Image": "i", "ModelDataUrl": "s3://b/m.tar.gz"}]}
    arn = client.create_model_package(
        ModelPackageGroupName=group,
        InferenceSpecification=specification,
        CustomerMetadataProperties={"a": "1"},
    )["ModelPackageArn"]
    last(heard, arn, "ModelApprovalStatus", "PendingManualApproval")
    client.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={"b": "2"})  # tells nobody
    client.update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="good"
    )
    event = last(heard, arn, "ModelApprovalStatus", "Approved")
    assert event["detail-type"] == "SageMaker Model Package State Change"
    described = as_sent(client.describe_model_package(ModelPackageName=arn))
    assert event["detail"] == {**described, "ModelPackageName": f"{group}/1", "Tags": {}}
    assert "ModelPackageName" not in described
    assert len(heard(arn)) == 2


def test_an_endpoint(embedded_aws: EmbeddedAws, heard: Any) -> None:
    client, hosting = embedded_aws.client("sagemaker"), Hosting(embedded_aws, new_name("e"))
    config = hosting.config("c")
    arn = client.create_endpoint(EndpointName=hosting.name("e"), EndpointConfigName=config, Tags=TAGS)[
        "EndpointArn"
    ]
    event = last(heard, arn, "EndpointStatus", "IN_SERVICE")
    assert event["detail-type"] == "SageMaker Endpoint State Change"
    described = as_sent(client.describe_endpoint(EndpointName=hosting.name("e")))
    told = {key: event["detail"][key] for key in described if key in event["detail"]}
    assert told == {**{key: described[key] for key in told}, "EndpointStatus": "IN_SERVICE"}
    assert {"EndpointName", "EndpointArn", "EndpointConfigName", "ProductionVariants"} <= set(told)
    assert event["detail"]["Tags"] == {"team": "blue"}
    client.delete_endpoint(EndpointName=hosting.name("e"))
    last(heard, arn, "EndpointStatus", "DELETING")
