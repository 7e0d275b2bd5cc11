"""Models and endpoint configurations through boto3: what is taken and shown again, what is refused, and why."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import EmbeddedAws
from tests.local.hosting import IMAGE, ROLE, Hosting

TOPIC = "arn:aws:sns:us-east-1:000000000000:done"
CAPTURE = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 20,
    "DestinationS3Uri": "s3://hosting-tests/captured",
    "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
}
ASYNCHRONOUS = {
    "OutputConfig": {"S3OutputPath": "s3://hosting-tests/out", "NotificationConfig": {"SuccessTopic": TOPIC}},
    "ClientConfig": {"MaxConcurrentInvocationsPerInstance": 2},
}
SERVERLESS = {"MemorySizeInMB": 2048, "MaxConcurrency": 5}


@pytest.fixture
def hosting(embedded_aws: EmbeddedAws, request: pytest.FixtureRequest) -> Iterator[Hosting]:
    made = Hosting(embedded_aws, request.node.name.replace("_", "-").replace("test-", "")[:40].rstrip("-["))
    yield made
    made.clean()


def refused(call: Any, **members: Any) -> str:
    """The text of a ValidationException."""
    with pytest.raises(ClientError) as caught:
        call(**members)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    message: str = caught.value.response["Error"]["Message"]
    return message


def create(hosting: Hosting, short: str, *variants: dict[str, Any], **members: Any) -> dict[str, Any]:
    """A configuration of those variants, as it is described."""
    name = hosting.name(short)
    hosting.sagemaker.create_endpoint_config(
        EndpointConfigName=name, ProductionVariants=list(variants), **members
    )
    described: dict[str, Any] = hosting.sagemaker.describe_endpoint_config(EndpointConfigName=name)
    return described


def container(hosting: Hosting, short: str, **members: Any) -> dict[str, Any]:
    """A model of that container, as it is described."""
    name = hosting.name(short)
    hosting.sagemaker.create_model(
        ModelName=name, PrimaryContainer={"Image": IMAGE, **members}, ExecutionRoleArn=ROLE
    )
    described: dict[str, Any] = hosting.sagemaker.describe_model(ModelName=name)
    return described


def test_a_configuration_shows_all_it_was_given_and_nothing_else(hosting: Hosting) -> None:
    model = hosting.model("m")
    live = hosting.variant(
        model,
        RoutingConfig={"RoutingStrategy": "LEAST_OUTSTANDING_REQUESTS"},
        VolumeSizeInGB=10,
        ModelDataDownloadTimeoutInSeconds=60,
        ContainerStartupHealthCheckTimeoutInSeconds=60,
    )
    plain = create(hosting, "plain", hosting.variant(model))
    for member in (
        "DataCaptureConfig",
        "AsyncInferenceConfig",
        "ShadowProductionVariants",
        "VpcConfig",
        "KmsKeyId",
    ):
        assert member not in plain
    assert plain["ProductionVariants"][0]["InitialVariantWeight"] == 1.0

    full = create(hosting, "full", live, DataCaptureConfig=CAPTURE, KmsKeyId="k-1")
    assert full["DataCaptureConfig"] == CAPTURE
    assert full["KmsKeyId"] == "k-1"
    assert full["ProductionVariants"] == [{**live, "InitialVariantWeight": 1.0}]

    queue = create(hosting, "queue", live, AsyncInferenceConfig=ASYNCHRONOUS)
    assert queue["AsyncInferenceConfig"] == ASYNCHRONOUS

    serverless = {"VariantName": "live", "ModelName": model, "ServerlessConfig": SERVERLESS}
    assert create(hosting, "less", serverless)["ProductionVariants"] == [
        {**serverless, "InitialVariantWeight": 1.0}
    ]
    shadow = hosting.variant(model, VariantName="shadow", InitialVariantWeight=0.5)
    shown = create(hosting, "shadow", hosting.variant(model), ShadowProductionVariants=[shadow])
    assert shown["ShadowProductionVariants"] == [shadow]


def test_ten_variants_are_taken_and_no_more(hosting: Hosting) -> None:
    model = hosting.model("m")
    variants = [hosting.variant(model, VariantName=f"v{number}") for number in range(11)]
    assert len(create(hosting, "ten", *variants[:10])["ProductionVariants"]) == 10
    call = hosting.sagemaker.create_endpoint_config
    what = refused(call, EndpointConfigName=hosting.name("eleven"), ProductionVariants=variants)
    assert "Member must have length less than or equal to 10" in what
    same = [hosting.variant(model), hosting.variant(model)]
    assert "unique" in refused(call, EndpointConfigName=hosting.name("same"), ProductionVariants=same)


def test_what_does_not_go_together_is_refused(hosting: Hosting) -> None:
    """Each pair of a configuration's parts that AWS documents as excluding one another."""
    model = hosting.model("m")
    live = hosting.variant(model)
    less = {"VariantName": "live", "ModelName": model, "ServerlessConfig": SERVERLESS}
    shadows = [hosting.variant(model, VariantName="shadow")]
    container(hosting, "many", Mode="MultiModel", ModelDataUrl="s3://hosting-tests/models/")
    many = hosting.variant(hosting.name("many"))
    together = "One or more endpoint features are not supported using this configuration"
    own = "has local storage"
    nitro = hosting.variant(model, InstanceType="ml.m5d.large")
    for variants, members, says in (
        ([less], {"DataCaptureConfig": CAPTURE}, together),
        ([less], {"AsyncInferenceConfig": ASYNCHRONOUS}, together),
        ([less, {**less, "VariantName": "b"}], {}, together),
        ([less], {"ShadowProductionVariants": shadows}, together),
        ([{**less, "ModelName": hosting.name("many")}], {}, together),
        ([many], {"AsyncInferenceConfig": ASYNCHRONOUS}, together),
        ([live], {"AsyncInferenceConfig": ASYNCHRONOUS, "ShadowProductionVariants": shadows}, together),
        ([live], {"ShadowProductionVariants": [*shadows, {**shadows[0], "VariantName": "b"}]}, together),
        ([live], {"ShadowProductionVariants": [live]}, "unique"),
        ([{**less, "InstanceType": "ml.m5.large"}], {}, "cannot be specified with ServerlessConfig"),
        (
            [{**less, "ServerlessConfig": {**SERVERLESS, "MemorySizeInMB": 1025}}],
            {},
            "must be one of 1024, 2048",
        ),
        (
            [{**less, "ServerlessConfig": {**SERVERLESS, "MemorySizeInMB": 7168}}],
            {},
            "less than or equal to 6144",
        ),
        (
            [{**less, "ServerlessConfig": {**SERVERLESS, "MaxConcurrency": 201}}],
            {},
            "less than or equal to 200",
        ),
        (
            [{**less, "ServerlessConfig": {**SERVERLESS, "ProvisionedConcurrency": 6}}],
            {},
            "its MaxConcurrency",
        ),
        ([{"VariantName": "live", "ModelName": model}], {}, "InstanceType is required"),
        ([{**nitro, "VolumeSizeInGB": 10}], {}, own),
        ([nitro], {"KmsKeyId": "k-1"}, own),
        (
            [live],
            {"AsyncInferenceConfig": ASYNCHRONOUS, "DataCaptureConfig": CAPTURE},
            "EnableCapture together with",
        ),
        ([live], {"AsyncInferenceConfig": {"OutputConfig": {}}}, "needs an S3OutputPath"),
        (
            [{**live, "ManagedInstanceScaling": {"Status": "ENABLED"}}],
            {},
            "only supported for inference component",
        ),
    ):
        what = refused(
            hosting.sagemaker.create_endpoint_config,
            EndpointConfigName=hosting.name("no"),
            ProductionVariants=variants,
            **members,
        )
        assert says in what, (says, what)


def test_serverless_limits_themselves_are_taken(hosting: Hosting) -> None:
    model = hosting.model("m")
    for number, (memory, most) in enumerate(((1024, 1), (6144, 200))):
        config = {"MemorySizeInMB": memory, "MaxConcurrency": most, "ProvisionedConcurrency": most}
        variant = {"VariantName": "live", "ModelName": model, "ServerlessConfig": config}
        assert create(hosting, f"c{number}", variant)["ProductionVariants"][0]["ServerlessConfig"] == config


def test_a_model_shows_its_container_as_it_was_given(hosting: Hosting) -> None:
    many = {"Mode": "MultiModel", "MultiModelConfig": {"ModelCacheSetting": "Disabled"}}
    shown = container(hosting, "many", ModelDataUrl="s3://hosting-tests/models/", **many)
    assert shown["PrimaryContainer"] == {"Image": IMAGE, "ModelDataUrl": "s3://hosting-tests/models/", **many}
    source = {"S3Uri": "s3://hosting-tests/files/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    loose = container(hosting, "loose", ModelDataSource={"S3DataSource": source})
    assert loose["PrimaryContainer"]["ModelDataSource"] == {"S3DataSource": source}
    for member in ("VpcConfig", "Containers", "InferenceExecutionConfig"):
        assert member not in loose


def test_containers_that_make_no_sense_are_refused(hosting: Hosting) -> None:
    prefix = {"S3Uri": "s3://b/files/", "S3DataType": "S3Prefix", "CompressionType": "None"}
    for members, says in (
        ({"Mode": "MultiModel"}, "needs a ModelDataUrl that is a prefix"),
        (
            {"Mode": "MultiModel", "ModelDataUrl": "s3://b/model.tar.gz"},
            "needs a ModelDataUrl that is a prefix",
        ),
        ({"ModelDataUrl": "s3://b/models/"}, "must be s3://bucket/key.tar.gz"),
        ({"MultiModelConfig": {"ModelCacheSetting": "Enabled"}}, "whose Mode is MultiModel"),
        ({"ModelDataSource": {"S3DataSource": prefix}, "ModelDataUrl": "s3://b/m.tar.gz"}, "together with"),
        ({"ModelDataSource": {"S3DataSource": {**prefix, "S3Uri": "s3://b/files"}}}, "ends with /"),
        ({"ModelDataSource": {"S3DataSource": {**prefix, "S3DataType": "S3Object"}}}, "must name an object"),
        ({"ModelPackageName": "some"}, "not both"),
    ):
        sent = {"Image": IMAGE, **members}
        what = refused(
            hosting.sagemaker.create_model,
            ModelName=hosting.name("no"),
            PrimaryContainer=sent,
            ExecutionRoleArn=ROLE,
        )
        assert says in what, (says, what)


def test_a_model_package_must_be_approved_and_says_what_runs(hosting: Hosting) -> None:
    sagemaker, group = hosting.sagemaker, hosting.name("group")
    sagemaker.create_model_package_group(ModelPackageGroupName=group)
    packaged = {
        "Image": IMAGE,
        "ModelDataUrl": hosting.upload(),
        "Environment": {"ANSWER": "packaged", "A": "1"},
    }
    package = sagemaker.create_model_package(
        ModelPackageGroupName=group,
        InferenceSpecification={
            "Containers": [packaged],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    )["ModelPackageArn"]
    create = {
        "ModelName": hosting.name("m"),
        "Containers": [{"ModelPackageName": package}],
        "ExecutionRoleArn": ROLE,
    }
    assert "approval status is PendingManualApproval" in refused(sagemaker.create_model, **create)
    sagemaker.update_model_package(ModelPackageArn=package, ModelApprovalStatus="Approved")
    sagemaker.create_model(**create)
    shown = sagemaker.describe_model(ModelName=hosting.name("m"))
    assert shown["Containers"] == [{"ModelPackageName": package, "Mode": "SingleModel"}]
    name = hosting.endpoint(hosting.config("c", hosting.variant(hosting.name("m"))))
    assert b"packaged" in hosting.ask(name)
    assert "does not exist" in refused(
        sagemaker.create_model, **{**create, "ModelName": "x", "Containers": [{"ModelPackageName": "none"}]}
    )


def test_models_and_configurations_are_listed_by_filter(hosting: Hosting) -> None:
    for short in ("a", "b", "c"):
        hosting.config(short)
    for call, member, name in (
        (hosting.sagemaker.list_models, "Models", "ModelName"),
        (hosting.sagemaker.list_endpoint_configs, "EndpointConfigs", "EndpointConfigName"),
    ):
        found = call(NameContains=hosting.prefix, SortBy="Name", SortOrder="Ascending", MaxResults=2)
        rest = call(
            NameContains=hosting.prefix, SortBy="Name", SortOrder="Ascending", NextToken=found["NextToken"]
        )
        names = [one[name] for one in found[member] + rest[member]]
        assert names == [hosting.name(short) for short in ("a", "b", "c")]
        newest = call(NameContains=hosting.prefix, MaxResults=1)[member][0]
        assert newest[name] == hosting.name("c")
        later = call(NameContains=hosting.prefix, CreationTimeAfter=newest["CreationTime"])[member]
        assert hosting.name("a") not in [one[name] for one in later]
