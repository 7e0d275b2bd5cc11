"""The model registry, over HTTP, in the embedded AWS."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import EmbeddedAws, until
from tests.local.job_requests import SKLEARN, new_name

SPECIFICATION = {
    "Containers": [{"Image": SKLEARN, "ModelDataUrl": "s3://bucket/model.tar.gz"}],
    "SupportedContentTypes": ["application/json"],
    "SupportedResponseMIMETypes": ["application/json"],
}


@pytest.fixture
def group(embedded_aws: EmbeddedAws) -> str:
    name = new_name("group")
    embedded_aws.client("sagemaker").create_model_package_group(ModelPackageGroupName=name)
    return name


def package(aws: EmbeddedAws, group: str, **changes: Any) -> str:
    request = {"ModelPackageGroupName": group, "InferenceSpecification": SPECIFICATION, **changes}
    return str(aws.client("sagemaker").create_model_package(**request)["ModelPackageArn"])


def test_versions_are_numbered_in_their_group(embedded_aws: EmbeddedAws, group: str) -> None:
    arns = [package(embedded_aws, group) for _ in range(2)]
    assert [arn.rpartition(f"model-package/{group}/")[2] for arn in arns] == ["1", "2"]
    described = embedded_aws.client("sagemaker").describe_model_package(ModelPackageName=arns[1])
    assert (described["ModelPackageVersion"], described["ModelApprovalStatus"]) == (
        2,
        "PendingManualApproval",
    )
    assert described["InferenceSpecification"] == SPECIFICATION


def test_a_number_is_never_given_twice(embedded_aws: EmbeddedAws, group: str) -> None:
    client = embedded_aws.client("sagemaker")
    client.delete_model_package(ModelPackageName=package(embedded_aws, group))
    assert package(embedded_aws, group).endswith(f"{group}/2")


def test_the_same_client_token_gives_the_same_package(embedded_aws: EmbeddedAws, group: str) -> None:
    token = new_name("token")
    first, again = (package(embedded_aws, group, ClientToken=token) for _ in range(2))
    assert first == again
    with pytest.raises(ClientError, match="used before with other parameters"):
        package(embedded_aws, group, ClientToken=token, ModelApprovalStatus="Approved")


def test_lists_by_group_and_approval(embedded_aws: EmbeddedAws, group: str) -> None:
    arns = [package(embedded_aws, group, ModelApprovalStatus=s) for s in ("Approved", "Rejected", "Approved")]
    pages = embedded_aws.client("sagemaker").get_paginator("list_model_packages")
    found = pages.paginate(
        ModelPackageGroupName=group, ModelApprovalStatus="Approved", PaginationConfig={"PageSize": 1}
    )
    listed = [one["ModelPackageArn"] for page in found for one in page["ModelPackageSummaryList"]]
    assert listed == [arns[2], arns[0]]


def test_a_group_with_packages_cannot_be_deleted(embedded_aws: EmbeddedAws, group: str) -> None:
    client, arn = embedded_aws.client("sagemaker"), package(embedded_aws, group)
    with pytest.raises(ClientError, match="contains model packages"):
        client.delete_model_package_group(ModelPackageGroupName=group)
    client.delete_model_package(ModelPackageName=arn)
    client.delete_model_package_group(ModelPackageGroupName=group)
    with pytest.raises(ClientError, match="does not exist"):
        client.describe_model_package_group(ModelPackageGroupName=group)


def test_a_group_exists_once(embedded_aws: EmbeddedAws, group: str) -> None:
    client = embedded_aws.client("sagemaker")
    with pytest.raises(ClientError, match="Model Package Group already exists"):
        client.create_model_package_group(ModelPackageGroupName=group)
    names = [
        g["ModelPackageGroupName"] for g in client.list_model_package_groups()["ModelPackageGroupSummaryList"]
    ]
    assert group in names


def test_properties_are_merged_and_removed(embedded_aws: EmbeddedAws, group: str) -> None:
    client, arn = (
        embedded_aws.client("sagemaker"),
        package(embedded_aws, group, CustomerMetadataProperties={"a": "1"}),
    )
    client.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={"b": "2"})
    client.update_model_package(ModelPackageArn=arn, CustomerMetadataPropertiesToRemove=["a"])
    assert client.describe_model_package(ModelPackageName=arn)["CustomerMetadataProperties"] == {"b": "2"}


def test_an_approval_is_an_event(embedded_aws: EmbeddedAws, group: str) -> None:
    sqs, events = embedded_aws.client("sqs"), embedded_aws.client("events")
    url = sqs.create_queue(QueueName=group)["QueueUrl"]
    queue = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {
        "detail-type": ["SageMaker Model Package State Change"],
        "detail": {"ModelPackageGroupName": [group]},
    }
    events.put_rule(Name=group, EventPattern=json.dumps(pattern))
    events.put_targets(Rule=group, Targets=[{"Id": "1", "Arn": queue}])
    arn = package(embedded_aws, group)
    embedded_aws.client("sagemaker").update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus="Approved", ApprovalDescription="good"
    )
    seen: list[dict[str, Any]] = []

    def both() -> bool:
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            seen.append(json.loads(message["Body"]))
        return len(seen) == 2

    until(both)
    details = [event["detail"] for event in seen]
    assert {detail["ModelApprovalStatus"] for detail in details} == {"PendingManualApproval", "Approved"}
    assert all(event["source"] == "aws.sagemaker" and event["resources"] == [arn] for event in seen)
