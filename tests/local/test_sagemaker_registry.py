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
    assert "ModelPackageName" not in described


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


def refusal(call: Any, **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


def test_everything_that_was_said_is_described(embedded_aws: EmbeddedAws, group: str) -> None:
    said = {
        "ModelPackageDescription": "the first",
        "InferenceSpecification": SPECIFICATION,
        "MetadataProperties": {"CommitId": "abc", "Repository": "r", "GeneratedBy": "me", "ProjectId": "p"},
        "ModelMetrics": {
            "ModelQuality": {"Statistics": {"ContentType": "application/json", "S3Uri": "s3://b/m"}}
        },
        "CustomerMetadataProperties": {"run": "7"},
        "Domain": "MACHINE_LEARNING",
        "Task": "CLASSIFICATION",
        "SamplePayloadUrl": "s3://b/payload.tar.gz",
        "DriftCheckBaselines": {
            "Bias": {"ConfigFile": {"ContentType": "application/json", "S3Uri": "s3://b/c"}}
        },
        "AdditionalInferenceSpecifications": [{"Name": "other", "Containers": [{"Image": "i"}]}],
        "SkipModelValidation": "All",
        "SourceUri": "git://somewhere",
        "ModelCard": {"ModelCardContent": "{}", "ModelCardStatus": "Draft"},
        "ModelLifeCycle": {"Stage": "Development", "StageStatus": "PendingApproval"},
        "ModelPackageRegistrationType": "Registered",
    }
    client = embedded_aws.client("sagemaker")
    arn = package(embedded_aws, group, **said, ModelApprovalStatus="Rejected")
    described = client.describe_model_package(ModelPackageName=arn)
    assert {key: described[key] for key in said} == said
    assert (described["ModelPackageGroupName"], described["ModelPackageVersion"]) == (group, 1)
    assert (described["ModelApprovalStatus"], described["ModelPackageStatus"]) == ("Rejected", "Completed")
    assert described["ModelPackageStatusDetails"] == {"ValidationStatuses": [], "ImageScanStatuses": []}
    assert described["CreatedBy"]["IamIdentity"]["Arn"] == "arn:aws:iam::000000000000:root"
    assert "LastModifiedTime" not in described
    bare = client.describe_model_package(ModelPackageName=f"{group}/1", IncludedData="MetadataOnly")
    assert bare["ModelCard"] == {"ModelCardStatus": "Draft"}
    (summary,) = client.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
    assert summary["ModelLifeCycle"] == said["ModelLifeCycle"]


def test_an_update_changes_what_it_names(embedded_aws: EmbeddedAws, group: str) -> None:
    client = embedded_aws.client("sagemaker")
    arn = package(embedded_aws, group, Domain="MACHINE_LEARNING")
    stage = {"Stage": "Production", "StageStatus": "Approved", "StageDescription": "at last"}
    client.update_model_package(
        ModelPackageArn=arn,
        ModelApprovalStatus="Approved",
        ApprovalDescription="good",
        ModelLifeCycle=stage,
        SourceUri="s3://b/source",
        ModelCard={"ModelCardContent": '{"a": 1}', "ModelCardStatus": "Approved"},
        AdditionalInferenceSpecificationsToAdd=[{"Name": "a", "Containers": [{"Image": "i"}]}],
    )
    described = client.describe_model_package(ModelPackageName=arn)
    assert (described["ModelApprovalStatus"], described["ApprovalDescription"]) == ("Approved", "good")
    assert (described["ModelLifeCycle"], described["SourceUri"]) == (stage, "s3://b/source")
    assert [one["Name"] for one in described["AdditionalInferenceSpecifications"]] == ["a"]
    assert (described["Domain"], described["InferenceSpecification"]) == ("MACHINE_LEARNING", SPECIFICATION)
    assert described["LastModifiedTime"] >= described["CreationTime"]


def test_a_package_without_a_group(embedded_aws: EmbeddedAws) -> None:
    client, name = embedded_aws.client("sagemaker"), new_name("package")
    arn = client.create_model_package(
        ModelPackageName=name,
        InferenceSpecification=SPECIFICATION,
        ModelApprovalStatus="Approved",  # as SDKs send it; it does not apply
        CertifyForMarketplace=False,
        Tags=[{"Key": "a", "Value": "b"}],
    )["ModelPackageArn"]
    for named in (name, arn):
        described = client.describe_model_package(ModelPackageName=named)
        assert (described["ModelPackageName"], described["ModelPackageArn"]) == (name, arn)
        assert not {"ModelPackageVersion", "ModelPackageGroupName", "ModelApprovalStatus"} & set(described)
    assert client.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "b"}]
    code, text = refusal(
        client.create_model_package, ModelPackageName=name, InferenceSpecification=SPECIFICATION
    )
    assert (code, text) == ("ConflictException", f"Model Package already exists: {arn}")
    code, text = refusal(client.update_model_package, ModelPackageArn=arn, ModelApprovalStatus="Rejected")
    assert (code, "is unversioned" in text) == ("ValidationException", True)
    client.delete_model_package(ModelPackageName=name)
    code, text = refusal(client.describe_model_package, ModelPackageName=name)
    assert (code, text) == ("ValidationException", f"ModelPackage {arn} does not exist.")


def test_names_and_arns_in_any_case_of_letters(embedded_aws: EmbeddedAws) -> None:
    client, name = embedded_aws.client("sagemaker"), new_name("Group")
    group = client.create_model_package_group(ModelPackageGroupName=name)["ModelPackageGroupArn"]
    assert group.endswith(f"model-package-group/{name.lower()}")
    arn = client.create_model_package(ModelPackageGroupName=group)["ModelPackageArn"]
    assert arn.endswith(f"model-package/{name.lower()}/1")
    for named in (name, group):
        assert (
            client.describe_model_package_group(ModelPackageGroupName=named)["ModelPackageGroupName"] == name
        )
    for named in (f"{name}/1", arn):
        assert client.describe_model_package(ModelPackageName=named)["ModelPackageGroupName"] == name
    elsewhere = group.replace("us-east-1", "eu-west-1")
    code, text = refusal(client.describe_model_package_group, ModelPackageGroupName=elsewhere)
    assert (code, text) == ("ValidationException", f"ModelPackageGroup {elsewhere} does not exist.")
    code, text = refusal(client.create_model_package_group, ModelPackageGroupName=name.lower())
    assert (code, text) == ("ValidationException", f"Model Package Group already exists: {group}")


def test_a_package_is_cloned_or_made_from_a_model(embedded_aws: EmbeddedAws, group: str) -> None:
    client, name = embedded_aws.client("sagemaker"), new_name("model")
    source = package(embedded_aws, group, CustomerMetadataProperties={"a": "1"}, Task="OTHER")
    clone = client.create_model_package(ModelPackageGroupName=group, SourceUri=source)["ModelPackageArn"]
    described = client.describe_model_package(ModelPackageName=clone)
    assert (described["InferenceSpecification"], described["Task"]) == (SPECIFICATION, "OTHER")
    assert (described["SourceUri"], described["ModelApprovalStatus"]) == (source, "PendingManualApproval")
    container = {"Image": SKLEARN, "ModelDataUrl": "s3://bucket/model.tar.gz"}
    model = client.create_model(
        ModelName=name, PrimaryContainer=container, ExecutionRoleArn="arn:aws:iam::000000000000:role/anything"
    )["ModelArn"]
    made = client.create_model_package(ModelPackageGroupName=group, SourceUri=model)["ModelPackageArn"]
    containers = client.describe_model_package(ModelPackageName=made)["InferenceSpecification"]["Containers"]
    assert containers == [container]
    code, text = refusal(
        client.create_model_package, ModelPackageGroupName=group, SourceUri=model.replace(name, "nobody")
    )
    assert (code, "Could not find model" in text) == ("ValidationException", True)


def test_many_are_described_at_once(embedded_aws: EmbeddedAws, group: str) -> None:
    client, arn = embedded_aws.client("sagemaker"), package(embedded_aws, group)
    missing = arn[:-1] + "9"
    answer = client.batch_describe_model_package(ModelPackageArnList=[arn, missing])
    found = answer["ModelPackageSummaries"][arn]
    assert (found["ModelPackageVersion"], found["InferenceSpecification"]) == (1, SPECIFICATION)
    assert answer["BatchDescribeModelPackageErrorMap"] == {
        missing: {
            "ErrorCode": "ValidationException",
            "ErrorResponse": f"ModelPackage {missing} does not exist.",
        }
    }


def test_a_policy_of_a_group(embedded_aws: EmbeddedAws, group: str) -> None:
    client = embedded_aws.client("sagemaker")
    arn = client.describe_model_package_group(ModelPackageGroupName=group)["ModelPackageGroupArn"]
    nothing = ("ValidationException", f"Cannot find resource policy for: {arn}")
    assert refusal(client.get_model_package_group_policy, ModelPackageGroupName=group) == nothing
    policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow"}]})
    client.put_model_package_group_policy(ModelPackageGroupName=group, ResourcePolicy=policy)
    assert client.get_model_package_group_policy(ModelPackageGroupName=group)["ResourcePolicy"] == policy
    client.delete_model_package_group_policy(ModelPackageGroupName=group)
    assert refusal(client.delete_model_package_group_policy, ModelPackageGroupName=group) == nothing
    for text in ("{", "[]", '{"Statement": []}'):
        code, _ = refusal(
            client.put_model_package_group_policy, ModelPackageGroupName=group, ResourcePolicy=text
        )
        assert code == "ValidationException"
    code, text = refusal(client.get_model_package_group_policy, ModelPackageGroupName="nobody")
    assert (code, text.startswith("Cannot find Model Package Group: arn:")) == ("ValidationException", True)


@pytest.mark.parametrize(
    ("request_of", "text"),
    [
        (lambda group: {}, "Specify ModelPackageGroupName or ModelPackageName"),
        (
            lambda group: {"ModelPackageGroupName": group, "ModelPackageName": "a"},
            "Both ModelPackageGroupName and ModelPackageName are provided",
        ),
        (
            lambda group: {"ModelPackageGroupName": group, "Tags": [{"Key": "a", "Value": "b"}]},
            "uses the tags of its group",
        ),
        (lambda group: {"ModelPackageName": "a"}, "Specify InferenceSpecification or"),
        (
            lambda group: {
                "ModelPackageName": "a",
                "InferenceSpecification": {"Containers": [{"Image": "i", "Environment": {"a": "b"}}]},
            },
            "Environment variable map cannot be specified when using non-versioned ModelPackages",
        ),
        (lambda group: {"ModelPackageGroupName": "nobody"}, "model-package-group/nobody does not exist."),
        (
            lambda group: {
                "ModelPackageGroupName": group,
                "SourceUri": "arn:aws:sagemaker:r:0:model-package/x",
            },
            "does not exist",
        ),
        (
            lambda group: {
                "ModelPackageGroupName": group,
                "ModelCard": {"ModelCardContent": "{", "ModelCardStatus": "Draft"},
            },
            "ModelCardContent is not JSON",
        ),
        (
            lambda group: {
                "ModelPackageGroupName": group,
                "AdditionalInferenceSpecifications": [{"Name": "a", "Containers": [{"Image": "i"}]}] * 2,
            },
            "must be unique",
        ),
    ],
)
def test_what_aws_refuses(embedded_aws: EmbeddedAws, group: str, request_of: Any, text: str) -> None:
    client = embedded_aws.client("sagemaker")
    code, said = refusal(client.create_model_package, **request_of(group))
    assert (code, text in said) == ("ValidationException", True), said


def test_limits_of_an_update(embedded_aws: EmbeddedAws, group: str) -> None:
    """Fifty properties and fifteen specifications altogether, and not one more."""
    client = embedded_aws.client("sagemaker")
    arn = package(embedded_aws, group, CustomerMetadataProperties={f"p{n}": "v" for n in range(49)})
    client.update_model_package(ModelPackageArn=arn, CustomerMetadataProperties={"p49": "v"})
    code, text = refusal(
        client.update_model_package, ModelPackageArn=arn, CustomerMetadataProperties={"p50": "v"}
    )
    assert (code, "at most 50 customer metadata properties" in text) == ("ValidationException", True)
    more = [{"Name": f"s{n}", "Containers": [{"Image": "i"}]} for n in range(16)]
    client.update_model_package(ModelPackageArn=arn, AdditionalInferenceSpecificationsToAdd=more[:14])
    client.update_model_package(ModelPackageArn=arn, AdditionalInferenceSpecificationsToAdd=more[14:15])
    code, text = refusal(
        client.update_model_package, ModelPackageArn=arn, AdditionalInferenceSpecificationsToAdd=more[15:]
    )
    assert (code, "at most 15 additional inference" in text) == ("ValidationException", True)
    described = client.describe_model_package(ModelPackageName=arn)
    assert len(described["CustomerMetadataProperties"]) == 50
    assert len(described["AdditionalInferenceSpecifications"]) == 15


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
