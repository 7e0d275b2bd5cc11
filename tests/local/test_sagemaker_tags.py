"""Tags of every kind of resource."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from penstock.localaws import control
from tests.local.conftest import EmbeddedAws, free_port, until
from tests.local.hosting import Hosting
from tests.local.job_requests import new_bucket, new_name, processing, shell_training, training_over

BORN = [{"Key": "born", "Value": "with it"}]


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    root = tmp_path_factory.mktemp("tags")
    aws = EmbeddedAws(root, control.up(root, port=free_port(), testing=True).port)
    yield aws
    aws.close()


@pytest.fixture(scope="module")
def arns(aws: EmbeddedAws) -> dict[str, str]:
    """One of every kind, without tags."""
    client, hosting, bucket = aws.client("sagemaker"), Hosting(aws, "t"), new_bucket(aws)
    config = hosting.config("c")
    return {
        "training": client.create_training_job(**shell_training(bucket, "a", "true"))["TrainingJobArn"],
        "processing": client.create_processing_job(**processing(aws, bucket, "a", "true"))[
            "ProcessingJobArn"
        ],
        "model": client.describe_model(ModelName="t-c")["ModelArn"],
        "config": client.describe_endpoint_config(EndpointConfigName=config)["EndpointConfigArn"],
        "endpoint": client.create_endpoint(EndpointName="e", EndpointConfigName=config)["EndpointArn"],
        "group": client.create_model_package_group(ModelPackageGroupName="g")["ModelPackageGroupArn"],
        "package": client.create_model_package(ModelPackageGroupName="g")["ModelPackageArn"],
    }


KINDS = ["training", "processing", "model", "config", "endpoint", "group", "package"]


def listed(aws: EmbeddedAws, arn: str) -> dict[str, str]:
    tags = aws.client("sagemaker").list_tags(ResourceArn=arn)["Tags"]
    return {tag["Key"]: tag["Value"] for tag in tags}


def refusal(call: Any, **params: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


@pytest.mark.parametrize("kind", KINDS)
def test_added_replaced_and_deleted(aws: EmbeddedAws, arns: dict[str, str], kind: str) -> None:
    client, arn = aws.client("sagemaker"), arns[kind]
    assert listed(aws, arn) == {}
    client.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}])
    answer = client.add_tags(ResourceArn=arn, Tags=[{"Key": "a", "Value": "2"}])
    assert answer["Tags"] == client.list_tags(ResourceArn=arn)["Tags"]
    assert listed(aws, arn) == {"a": "2", "b": ""}
    client.delete_tags(ResourceArn=arn, TagKeys=["a", "never there"])
    assert listed(aws, arn) == {"b": ""}


@pytest.mark.parametrize("kind", KINDS)
def test_what_does_not_exist_has_no_tags(aws: EmbeddedAws, arns: dict[str, str], kind: str) -> None:
    client, nobody = aws.client("sagemaker"), arns[kind] + "-9"
    expected = ("ValidationException", f'"{nobody}".')
    for call, params in (
        (client.add_tags, {"Tags": BORN}),
        (client.list_tags, {}),
        (client.delete_tags, {"TagKeys": ["born"]}),
    ):
        code, text = refusal(call, ResourceArn=nobody, **params)
        assert (code, text.endswith(expected[1]), text.startswith("Could not find ")) == (
            expected[0],
            True,
            True,
        )


def test_fifty_and_not_one_more(aws: EmbeddedAws) -> None:
    client = aws.client("sagemaker")
    tags = [{"Key": f"k{n}", "Value": "v"} for n in range(50)]
    name = new_name("group")
    arn = client.create_model_package_group(ModelPackageGroupName=name, Tags=tags)["ModelPackageGroupArn"]
    client.add_tags(ResourceArn=arn, Tags=[{"Key": "k7", "Value": "another"}])
    code, text = refusal(client.add_tags, ResourceArn=arn, Tags=BORN)
    assert (code, "at most 50 tags" in text) == ("ValidationException", True)
    assert len(listed(aws, arn)) == 50
    code, text = refusal(client.add_tags, ResourceArn=arn, Tags=[*tags, *BORN])
    assert "length less than or equal to 50" in text
    assert len(client.list_tags(ResourceArn=arn, MaxResults=50)["Tags"]) == 50
    code, text = refusal(client.list_tags, ResourceArn=arn, NextToken="x")
    assert (code, text) == ("ValidationException", "Invalid NextToken.")
    client.delete_tags(ResourceArn=arn, TagKeys=[tag["Key"] for tag in tags])
    code, text = refusal(client.delete_tags, ResourceArn=arn, TagKeys=[f"k{n}" for n in range(51)])
    assert "length less than or equal to 50" in text


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ({"Key": "aws:mine", "Value": "x"}, "aws: prefixed tag key names are not allowed for external use"),
        ({"Key": "AWS:mine", "Value": "x"}, "aws: prefixed tag key names are not allowed for external use"),
        ({"Key": "k" * 129, "Value": "x"}, "'tags.1.member.key' failed to satisfy constraint"),
        ({"Key": "k", "Value": "x" * 257}, "'tags.1.member.value' failed to satisfy constraint"),
        ({"Key": "k?", "Value": "x"}, "regular expression pattern"),
    ],
)
def test_tags_aws_does_not_take_make_nothing(aws: EmbeddedAws, tag: dict[str, str], text: str) -> None:
    client, name = aws.client("sagemaker"), new_name("group")
    code, said = refusal(client.create_model_package_group, ModelPackageGroupName=name, Tags=[tag])
    assert (code, text in said) == ("ValidationException", True), said
    assert "does not exist" in refusal(client.describe_model_package_group, ModelPackageGroupName=name)[1]


def test_longest_key_and_value(aws: EmbeddedAws) -> None:
    tags = [{"Key": "k" * 128, "Value": "v" * 256}]
    arn = aws.client("sagemaker").create_model_package_group(
        ModelPackageGroupName=new_name("group"), Tags=tags
    )["ModelPackageGroupArn"]
    assert aws.client("sagemaker").list_tags(ResourceArn=arn)["Tags"] == tags


def test_a_key_twice(aws: EmbeddedAws, arns: dict[str, str]) -> None:
    client = aws.client("sagemaker")
    code, text = refusal(client.add_tags, ResourceArn=arns["group"], Tags=BORN * 2)
    assert (code, "Duplicate tag keys" in text) == ("ValidationException", True)


def test_tags_go_with_what_they_are_on(aws: EmbeddedAws) -> None:
    client, bucket, name = aws.client("sagemaker"), new_bucket(aws), new_name()
    hosting = Hosting(aws, name)
    client.create_training_job(**shell_training(bucket, name, "true", Tags=BORN))
    training_over(aws, name)
    config = hosting.config("c")
    client.create_endpoint(EndpointName=name, EndpointConfigName=config, Tags=BORN)
    until(lambda: client.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService")
    arns = [
        client.describe_training_job(TrainingJobName=name)["TrainingJobArn"],
        client.describe_endpoint(EndpointName=name)["EndpointArn"],
    ]
    assert [listed(aws, arn) for arn in arns] == [{"born": "with it"}] * 2
    client.delete_training_job(TrainingJobName=name)
    client.delete_endpoint(EndpointName=name)
    until(lambda: hosting.gone(name))
    for arn in arns:
        assert "Could not find" in refusal(client.list_tags, ResourceArn=arn)[1]
    client.create_training_job(**shell_training(bucket, name, "true"))  # and do not come back with another
    assert listed(aws, arns[0]) == {}
