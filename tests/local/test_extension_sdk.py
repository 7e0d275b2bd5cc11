"""What SageMaker's SDKs ask of IAM and S3; checked on MiniStack 1.5.33, which does otherwise."""

import json
import uuid
from importlib.metadata import version

import pytest
from botocore.exceptions import ClientError

from penstock.localaws.extension import pin
from tests.local.conftest import EmbeddedAws

TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
FULL = "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"
# What SDK v3 wants a role for training to be allowed (sagemaker.core.helper.iam_policies).
WANTED = [
    "ecr:GetAuthorizationToken",
    "cloudwatch:PutMetricData",
    "ec2:CreateNetworkInterface",
    "ec2:CreateNetworkInterfacePermission",
    "ec2:DeleteNetworkInterface",
    "ec2:DeleteNetworkInterfacePermission",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeVpcs",
    "ec2:DescribeDhcpOptions",
    "ec2:DescribeSubnets",
    "ec2:DescribeSecurityGroups",
]


def test_the_hooks_are_checked_on_what_is_installed() -> None:
    assert version("ministack") == pin.CHECKED_ON == "1.5.33"


@pytest.fixture
def bucket(embedded_aws: EmbeddedAws) -> str:
    name = f"kms-{uuid.uuid4().hex[:10]}"
    embedded_aws.client("s3").create_bucket(Bucket=name)
    return name


def test_an_upload_with_kms_and_no_key_gets_the_accounts_own(embedded_aws: EmbeddedAws, bucket: str) -> None:
    """The key's ARN is told when writing and when reading; a key that is named stays."""
    s3 = embedded_aws.client("s3")
    put = s3.put_object(Bucket=bucket, Key="a", Body=b"x", ServerSideEncryption="aws:kms")
    assert put["ServerSideEncryption"] == "aws:kms"
    assert put["SSEKMSKeyId"].startswith("arn:aws:kms:us-east-1:000000000000:key/")
    copied = s3.copy_object(Bucket=bucket, Key="b", CopySource=f"{bucket}/a", ServerSideEncryption="aws:kms")
    assert copied["SSEKMSKeyId"] == put["SSEKMSKeyId"]
    assert s3.head_object(Bucket=bucket, Key="b")["SSEKMSKeyId"] == put["SSEKMSKeyId"]
    named = s3.put_object(
        Bucket=bucket, Key="c", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId="mine"
    )
    assert named["SSEKMSKeyId"] == "mine"


def test_an_upload_in_parts_with_kms_and_no_key(embedded_aws: EmbeddedAws, bucket: str) -> None:
    s3 = embedded_aws.client("s3")
    begun = s3.create_multipart_upload(Bucket=bucket, Key="a", ServerSideEncryption="aws:kms")
    assert begun["SSEKMSKeyId"].startswith("arn:aws:kms:")
    part = s3.upload_part(Bucket=bucket, Key="a", UploadId=begun["UploadId"], PartNumber=1, Body=b"x")
    s3.complete_multipart_upload(
        Bucket=bucket,
        Key="a",
        UploadId=begun["UploadId"],
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"x"


@pytest.mark.parametrize("path", ["/", "/service-role/"])
def test_a_role_with_the_managed_policy_may_do_what_training_needs(
    embedded_aws: EmbeddedAws, path: str
) -> None:
    """And no more than the policy says."""
    iam, name = embedded_aws.client("iam"), f"AmazonSageMaker-ExecutionRole-{uuid.uuid4().hex[:8]}"
    iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.attach_role_policy(RoleName=name, PolicyArn=FULL)
    arn = iam.get_role(RoleName=name)["Role"]["Arn"]
    assert arn == f"arn:aws:iam::000000000000:role{path}{name}"

    def decisions(*actions: str) -> set[str]:
        answer = iam.simulate_principal_policy(PolicySourceArn=arn, ActionNames=actions)
        return {result["EvalDecision"] for result in answer["EvaluationResults"]}

    assert decisions(*WANTED) == {"allowed"}
    assert decisions("sagemaker:CreateTrainingJob", "s3:GetBucketLocation") == {"allowed"}
    assert decisions("iam:CreateRole", "ec2:RunInstances") == {"implicitDeny"}


def test_the_managed_policy_can_be_read(embedded_aws: EmbeddedAws) -> None:
    iam = embedded_aws.client("iam")
    policy = iam.get_policy(PolicyArn=FULL)["Policy"]
    assert (policy["PolicyName"], policy["Path"]) == ("AmazonSageMakerFullAccess", "/")
    read = iam.get_policy_version(PolicyArn=FULL, VersionId=policy["DefaultVersionId"])
    assert read["PolicyVersion"]["Document"]["Version"] == "2012-10-17"


def test_of_a_role_that_does_not_exist_nothing_is_simulated(embedded_aws: EmbeddedAws) -> None:
    with pytest.raises(ClientError) as refused:
        embedded_aws.client("iam").simulate_principal_policy(
            PolicySourceArn="arn:aws:iam::000000000000:role/nobody", ActionNames=WANTED
        )
    assert refused.value.response["Error"]["Code"] == "NoSuchEntity"
    assert refused.value.response["Error"]["Message"] == "The role with name nobody cannot be found."
