"""SageMaker's wire: what a request that no SDK would send is answered, and the quotas of the account."""

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import EmbeddedAws
from tests.local.hosting import Hosting
from tests.local.job_requests import new_bucket, new_name, shell_training, training_over

TAKEN = (
    "Training job names must be unique within an AWS account and region, "
    "and a training job with this name already exists (%s)"
)
JSON = "application/x-amz-json-1.1"


def post(aws: EmbeddedAws, body: bytes, **headers: str) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Send `body` with header names' `_` as `-`; the status, headers and document of the answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    scope = "Credential=test/20260101/us-east-1/sagemaker/aws4_request"
    signed = {"Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=x", **named}
    request = urllib.request.Request(f"{aws.endpoint_url}/", body, signed, method="POST")
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, dict(answer.headers), json.load(answer)
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, dict(refused.headers), json.load(refused)


@pytest.mark.parametrize(
    ("headers", "body", "code", "text"),
    [
        ({"X_Amz_Target": "SageMaker.Nothing"}, b"{}", "UnknownOperationException", "no operation 'Nothing'"),
        ({"X_Amz_Target": "SageMaker."}, b"{}", "UnknownOperationException", "no operation ''"),
        ({}, b"{}", "UnknownOperationException", "no X-Amz-Target header"),
        (
            {"X_Amz_Target": "SageMaker.ListModels", "Content_Type": "text/plain"},
            b"{}",
            "UnknownOperationException",
            "The Content-Type is text/plain, not application/x-amz-json-1.1",
        ),
        ({"X_Amz_Target": "SageMaker.ListModels"}, b"{", "SerializationException", "is not JSON"),
        ({"X_Amz_Target": "SageMaker.ListModels"}, b"[" * 100_000, "SerializationException", "is not JSON"),
        ({"X_Amz_Target": "SageMaker.ListModels"}, b"\xff\xfe\xfd", "SerializationException", "is not JSON"),
        ({"X_Amz_Target": "SageMaker.ListModels"}, b"[]", "SerializationException", "must be a JSON object"),
        (
            {"X_Amz_Target": "SageMaker.ListModels"},
            b'{"MaxResults": "x"}',
            "SerializationException",
            "STRING_VALUE can not be converted to Integer",
        ),
        (
            {"X_Amz_Target": "SageMaker.DescribeModel"},
            b"{}",
            "ValidationException",
            "Value null at 'modelName' failed to satisfy constraint: Member must not be null",
        ),
        (
            {"X_Amz_Target": "SageMaker.CreateDomain"},
            b"{}",
            "UnsupportedOperation",
            "is not part of the embedded",
        ),
    ],
)
def test_a_request_no_sdk_sends(
    embedded_aws: EmbeddedAws, headers: dict[str, str], body: bytes, code: str, text: str
) -> None:
    status, answered, document = post(embedded_aws, body, **{"Content_Type": JSON, **headers})
    assert (status, document["__type"]) == (400, code)
    assert text in document["message"]
    lowered = {name.lower(): value for name, value in answered.items()}
    assert lowered["content-type"] == JSON
    assert len(lowered["x-amzn-requestid"]) == 36


def test_an_absent_body_is_an_empty_request(embedded_aws: EmbeddedAws) -> None:
    assert post(embedded_aws, b"", X_Amz_Target="SageMaker.ListModels", Content_Type=JSON)[0] == 200


def test_the_sdk_sees_code_status_and_request(embedded_aws: EmbeddedAws) -> None:
    client = embedded_aws.client("sagemaker")
    with pytest.raises(ClientError) as caught:
        client.describe_model(ModelName="nobody")
    response: Any = caught.value.response
    assert response["Error"] == {
        "Code": "ValidationException",
        "Message": 'Could not find model "arn:aws:sagemaker:us-east-1:000000000000:model/nobody".',
    }
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert len(response["ResponseMetadata"]["RequestId"]) == 36


def test_an_operation_that_is_not_here_is_answered_with_those_that_are(embedded_aws: EmbeddedAws) -> None:
    with pytest.raises(ClientError, match="CreateDomain is not part of the embedded AWS") as caught:
        embedded_aws.client("sagemaker").create_domain(
            DomainName="d",
            AuthMode="IAM",
            DefaultUserSettings={"ExecutionRole": "arn:aws:iam::000000000000:role/anything"},
        )
    assert "TrainingJob (Create, Delete, Describe, List, Stop" in caught.value.response["Error"]["Message"]


def test_names_are_unique_and_creates_are_not_repeated(embedded_aws: EmbeddedAws) -> None:
    """The very same request again is refused, as on AWS: only a ClientToken makes a create repeatable."""
    client, name, bucket = embedded_aws.client("sagemaker"), new_name(), new_bucket(embedded_aws)
    hosting = Hosting(embedded_aws, name)
    hosting.endpoint(hosting.config("c"))
    job = shell_training(bucket, name, "true")
    client.create_training_job(**job)
    client.create_model_package_group(ModelPackageGroupName=name)
    config = {"EndpointConfigName": f"{name}-c", "ProductionVariants": [hosting.variant(f"{name}-c")]}
    container = {"Image": "i"}
    arn = f"arn:aws:sagemaker:us-east-1:000000000000:%s/{name}"
    for call, request, code, text in (
        (
            client.create_training_job,
            job,
            "ResourceInUse",
            TAKEN % (arn % "training-job"),
        ),
        (
            client.create_model,
            {
                "ModelName": f"{name}-c",
                "PrimaryContainer": container,
                "ExecutionRoleArn": "arn:aws:iam::000000000000:role/anything",
            },
            "ValidationException",
            f'Cannot create already existing model "{arn % "model"}-c".',
        ),
        (
            client.create_endpoint_config,
            config,
            "ValidationException",
            f'Cannot create already existing endpoint configuration "{arn % "endpoint-config"}-c".',
        ),
        (
            client.create_endpoint,
            {"EndpointName": f"{name}-e", "EndpointConfigName": f"{name}-c"},
            "ValidationException",
            f'Cannot create already existing endpoint "{arn % "endpoint"}-e".',
        ),
        (
            client.create_model_package_group,
            {"ModelPackageGroupName": name},
            "ValidationException",
            f"Model Package Group already exists: {arn % 'model-package-group'}",
        ),
    ):
        with pytest.raises(ClientError) as caught:
            call(**request)
        assert caught.value.response["Error"] == {"Code": code, "Message": text}


def test_quotas_are_held_to_the_last_one(
    own_aws: Callable[[], EmbeddedAws], monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {
        "ml.m5.large for training job usage": 1,
        "ml.m5.large for endpoint usage": 2,
        "Number of endpoints": 2,
        "Number of model package groups": 1,
    }
    monkeypatch.setenv("PENSTOCK_SAGEMAKER_LIMITS", json.dumps(limits))
    aws = own_aws()
    client, bucket, hosting = aws.client("sagemaker"), new_bucket(aws), Hosting(aws, "q")
    client.create_training_job(**shell_training(bucket, "one", "sleep 100"))
    exceeded(
        client.create_training_job,
        shell_training(bucket, "two", "true"),
        "ml.m5.large for training job usage",
        1,
    )
    client.stop_training_job(TrainingJobName="one")
    training_over(aws, "one")
    client.create_training_job(**shell_training(bucket, "two", "true"))  # one that is over does not count

    config = hosting.config("c")
    two = hosting.config("d", hosting.variant("q-c", InitialInstanceCount=2))
    client.create_endpoint(EndpointName="first", EndpointConfigName=config)
    exceeded(
        client.create_endpoint,
        {"EndpointName": "second", "EndpointConfigName": two},
        "ml.m5.large for endpoint usage",
        1,
        2,
    )
    client.create_endpoint(EndpointName="second", EndpointConfigName=config)
    client.create_model_package_group(ModelPackageGroupName="g")
    exceeded(
        client.create_model_package_group,
        {"ModelPackageGroupName": "h"},
        "Number of model package groups",
        1,
    )


def exceeded(call: Any, request: dict[str, Any], name: str, used: int, delta: int = 1) -> None:
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    assert error["Code"] == "ResourceLimitExceeded"
    assert f"The account-level service limit '{name}' is " in error["Message"]
    unit = "Groups" if "groups" in name else "Instances"
    assert f"current utilization of {used} {unit} and a request delta of {delta} {unit}." in error["Message"]
