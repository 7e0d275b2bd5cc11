"""A multi-model endpoint on a running embedded AWS: models come from S3 when they are asked for."""

from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import EmbeddedAws
from tests.local.hosting import BUCKET, IMAGE, ROLE, Hosting, archive

CODE = """
    def model_fn(model_dir):
        return {name!r}

    def transform_fn(model, data, content_type, accept, context):
        target = context.get_request_header(0, "x-amzn-sagemaker-target-model")
        return model + " " + data + " " + str(target), "text/plain"
"""


@pytest.fixture
def hosting(embedded_aws: EmbeddedAws, request: pytest.FixtureRequest) -> Iterator[Hosting]:
    made = Hosting(embedded_aws, "many-" + request.node.callspec.params["cache"].lower())
    yield made
    made.clean()


def put(hosting: Hosting, name: str) -> None:
    key = f"{hosting.prefix}/models/{name}"
    hosting.aws.client("s3").put_object(
        Bucket=BUCKET, Key=key, Body=archive(CODE.replace("{name!r}", repr(name)))
    )


def refused(hosting: Hosting, name: str, **members: str) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        hosting.ask(name, **members)
    return caught.value.response["Error"]["Code"], caught.value.response["Error"]["Message"]


@pytest.mark.parametrize("cache", ["Enabled", "Disabled"])
def test_each_request_names_its_model(hosting: Hosting, cache: str) -> None:
    hosting.upload()
    for model in ("a.tar.gz", "team/b.tar.gz"):
        put(hosting, model)
    prefix = f"s3://{BUCKET}/{hosting.prefix}/models/"
    many = {"Image": IMAGE, "Mode": "MultiModel", "ModelDataUrl": prefix}
    many |= {"MultiModelConfig": {"ModelCacheSetting": cache}}
    hosting.sagemaker.create_model(ModelName=hosting.name("m"), PrimaryContainer=many, ExecutionRoleArn=ROLE)
    name = hosting.endpoint(hosting.config("c", hosting.variant(hosting.name("m"))))

    for model in ("a.tar.gz", "team/b.tar.gz", "a.tar.gz"):
        assert hosting.ask(name, "1", TargetModel=model).decode() == f"{model} 1 {model}"
    put(hosting, "late.tar.gz")
    assert hosting.ask(name, TargetModel="late.tar.gz").startswith(b"late")

    key = f"{hosting.prefix}/models/none.tar.gz"
    code, what = refused(hosting, name, TargetModel="none.tar.gz")
    assert code == "ValidationError"
    assert what.startswith(f"Failed to download model data(bucket: {BUCKET}, key: {key}). Please ensure that")
    assert refused(hosting, name)[1].endswith("is missing a target model header.")
    assert refused(hosting, name, TargetModel="../other.tar.gz")[0] == "ValidationError"
    assert refused(hosting, name, TargetModel="/etc/passwd")[0] == "ValidationError"
