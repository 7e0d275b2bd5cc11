"""What one request may hold, to the last item and character: names, counts, lengths and numbers."""

from collections.abc import Callable
from typing import Any

import pytest

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker.validation import Model

MODEL = Model()
ROLE = "arn:aws:iam::000000000000:role/penstock-local-jobs"
S3 = {"S3DataType": "S3Prefix", "S3Uri": "s3://b/x"}
VARIANT = {
    "VariantName": "a",
    "ModelName": "m",
    "InstanceType": "ml.m5.large",
    "InitialInstanceCount": 1,
}
Params = dict[str, Any]


def training(**changes: Any) -> Params:
    return {
        "TrainingJobName": "a",
        "RoleArn": ROLE,
        "AlgorithmSpecification": {"TrainingInputMode": "File", "TrainingImage": "i"},
        "OutputDataConfig": {"S3OutputPath": "s3://b/o"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    } | changes


def algorithm(**changes: Any) -> Params:
    return training(AlgorithmSpecification={"TrainingInputMode": "File", "TrainingImage": "i"} | changes)


def processing(**changes: Any) -> Params:
    return {
        "ProcessingJobName": "a",
        "RoleArn": ROLE,
        "AppSpecification": {"ImageUri": "i"},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
        },
    } | changes


def transform(**changes: Any) -> Params:
    return {
        "TransformJobName": "a",
        "ModelName": "m",
        "TransformInput": {"DataSource": {"S3DataSource": S3}},
        "TransformOutput": {"S3OutputPath": "s3://b/o"},
        "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
    } | changes


def tuning(name: str = "a", **limits: Any) -> Params:
    config = {"Strategy": "Bayesian", "ResourceLimits": {"MaxParallelTrainingJobs": 1, **limits}}
    return {"HyperParameterTuningJobName": name, "HyperParameterTuningJobConfig": config}


def model(**changes: Any) -> Params:
    return {"ModelName": "a", "ExecutionRoleArn": ROLE, "PrimaryContainer": {"Image": "i"}} | changes


def config(*variants: Params, **changes: Any) -> Params:
    return {"EndpointConfigName": "a", "ProductionVariants": list(variants) or [VARIANT]} | changes


def serverless(**changes: int) -> Params:
    wanted = {"MemorySizeInMB": 2048, "MaxConcurrency": 1} | changes
    return config({"VariantName": "a", "ModelName": "m", "ServerlessConfig": wanted})


def capture(**changes: Any) -> Params:
    options = [{"CaptureMode": "Input"}]
    wanted = {"InitialSamplingPercentage": 1, "DestinationS3Uri": "s3://b/c", "CaptureOptions": options}
    return config(DataCaptureConfig=wanted | changes)


def asynchronous(count: int) -> Params:
    client = {"MaxConcurrentInvocationsPerInstance": count}
    return config(AsyncInferenceConfig={"ClientConfig": client, "OutputConfig": {"S3OutputPath": "s3://b/o"}})


def deployment(**policy: Any) -> Params:
    routing = {"Type": "CANARY", "WaitIntervalInSeconds": policy.pop("wait", 60)}
    blue_green = {"TrafficRoutingConfiguration": routing, **policy}
    return {
        "EndpointName": "a",
        "EndpointConfigName": "c",
        "DeploymentConfig": {"BlueGreenUpdatePolicy": blue_green},
    }


def alarms(count: int) -> Params:
    made = deployment()
    made["DeploymentConfig"]["AutoRollbackConfiguration"] = {"Alarms": [{"AlarmName": "a"}] * count}
    return made


def keyed(count: int, value: str = "v") -> dict[str, str]:
    return {f"k{number}": value for number in range(count)}


def patience(seconds: int) -> Params:
    return config({**VARIANT, "ContainerStartupHealthCheckTimeoutInSeconds": seconds})


# operation, what it is of, the limit, the request with so many of it
MOST: list[tuple[str, str, int, Callable[[int], Params]]] = [
    ("CreateTrainingJob", "name", 63, lambda n: training(TrainingJobName="a" * n)),
    ("CreateTrainingJob", "hyperparameters", 100, lambda n: training(HyperParameters=keyed(n))),
    ("CreateTrainingJob", "hyperparameter name", 256, lambda n: training(HyperParameters={"k" * n: "v"})),
    ("CreateTrainingJob", "hyperparameter value", 2500, lambda n: training(HyperParameters={"k": "v" * n})),
    (
        "CreateTrainingJob",
        "channels",
        20,
        lambda n: training(
            InputDataConfig=[{"ChannelName": f"c{i}", "DataSource": {"S3DataSource": S3}} for i in range(n)]
        ),
    ),
    (
        "CreateTrainingJob",
        "channel name",
        64,
        lambda n: training(InputDataConfig=[{"ChannelName": "c" * n, "DataSource": {"S3DataSource": S3}}]),
    ),
    (
        "CreateTrainingJob",
        "metric definitions",
        40,
        lambda n: algorithm(MetricDefinitions=[{"Name": "m", "Regex": "x"}] * n),
    ),
    (
        "CreateTrainingJob",
        "metric regular expression",
        500,
        lambda n: algorithm(MetricDefinitions=[{"Name": "m", "Regex": "x" * n}]),
    ),
    ("CreateTrainingJob", "container arguments", 100, lambda n: algorithm(ContainerArguments=["x"] * n)),
    ("CreateTrainingJob", "environment", 100, lambda n: training(Environment=keyed(n))),
    (
        "CreateTrainingJob",
        "tags",
        50,
        lambda n: training(Tags=[{"Key": f"k{i}", "Value": ""} for i in range(n)]),
    ),
    ("CreateProcessingJob", "name", 63, lambda n: processing(ProcessingJobName="a" * n)),
    (
        "CreateProcessingJob",
        "inputs",
        10,
        lambda n: processing(ProcessingInputs=[{"InputName": f"i{i}"} for i in range(n)]),
    ),
    (
        "CreateProcessingJob",
        "outputs",
        10,
        lambda n: processing(ProcessingOutputConfig={"Outputs": [{"OutputName": f"o{i}"} for i in range(n)]}),
    ),
    ("CreateProcessingJob", "environment", 100, lambda n: processing(Environment=keyed(n))),
    ("CreateTransformJob", "name", 63, lambda n: transform(TransformJobName="a" * n)),
    ("CreateTransformJob", "environment", 16, lambda n: transform(Environment=keyed(n))),
    (
        "CreateTransformJob",
        "model timeout",
        3600,
        lambda n: transform(ModelClientConfig={"InvocationsTimeoutInSeconds": n}),
    ),
    (
        "CreateTransformJob",
        "model retries",
        3,
        lambda n: transform(ModelClientConfig={"InvocationsMaxRetries": n}),
    ),
    ("CreateHyperParameterTuningJob", "name", 32, lambda n: tuning("a" * n)),
    (
        "CreateHyperParameterTuningJob",
        "longest runtime",
        15_768_000,
        lambda n: tuning(MaxRuntimeInSeconds=n),
    ),
    ("CreateModel", "name", 63, lambda n: model(ModelName="a" * n)),
    (
        "CreateModel",
        "environment",
        100,
        lambda n: model(PrimaryContainer={"Image": "i", "Environment": keyed(n)}),
    ),
    ("CreateModel", "containers", 15, lambda n: model(Containers=[{"Image": "i"}] * n)),
    ("CreateEndpointConfig", "name", 63, lambda n: config(EndpointConfigName="a" * n)),
    (
        "CreateEndpointConfig",
        "variants",
        10,
        lambda n: config(*[{**VARIANT, "VariantName": f"v{i}"} for i in range(n)]),
    ),
    ("CreateEndpointConfig", "variant name", 63, lambda n: config({**VARIANT, "VariantName": "a" * n})),
    ("CreateEndpointConfig", "patience", 3600, patience),
    ("CreateEndpointConfig", "serverless concurrency", 200, lambda n: serverless(MaxConcurrency=n)),
    ("CreateEndpointConfig", "serverless memory", 6144, lambda n: serverless(MemorySizeInMB=n)),
    ("CreateEndpointConfig", "asynchronous invocations", 1000, asynchronous),
    ("CreateEndpointConfig", "share captured", 100, lambda n: capture(InitialSamplingPercentage=n)),
    ("CreateEndpoint", "name", 63, lambda n: {"EndpointName": "a" * n, "EndpointConfigName": "c"}),
    ("CreateEndpoint", "alarms", 10, alarms),
    ("CreateEndpoint", "interval", 3600, lambda n: deployment(wait=n)),
    ("CreateEndpoint", "termination wait", 3600, lambda n: deployment(TerminationWaitInSeconds=n)),
    ("CreateEndpoint", "execution timeout", 28_800, lambda n: deployment(MaximumExecutionTimeoutInSeconds=n)),
    ("CreateModelPackageGroup", "name", 63, lambda n: {"ModelPackageGroupName": "a" * n}),
    ("CreateModelPackage", "properties", 50, lambda n: {"CustomerMetadataProperties": keyed(n)}),
    ("CreateModelPackage", "client token", 36, lambda n: {"ClientToken": "t" * n}),
    ("ListTrainingJobs", "page", 100, lambda n: {"MaxResults": n}),
    ("ListModels", "name filter", 63, lambda n: {"NameContains": "a" * n}),
    (
        "DeleteTags",
        "keys",
        50,
        lambda n: {"ResourceArn": f"arn:aws:sagemaker:r:{'0' * 12}:x", "TagKeys": ["k"] * n},
    ),
]
LEAST: list[tuple[str, str, int, Callable[[int], Params]]] = [
    ("CreateTrainingJob", "name", 1, lambda n: training(TrainingJobName="a" * n)),
    ("CreateTrainingJob", "runtime", 1, lambda n: training(StoppingCondition={"MaxRuntimeInSeconds": n})),
    (
        "CreateTrainingJob",
        "channels",
        1,
        lambda n: training(InputDataConfig=[{"ChannelName": "c", "DataSource": {"S3DataSource": S3}}] * n),
    ),
    ("CreateEndpointConfig", "variants", 1, lambda n: {**config(), "ProductionVariants": [VARIANT] * n}),
    ("CreateEndpointConfig", "instances", 1, lambda n: config({**VARIANT, "InitialInstanceCount": n})),
    ("CreateEndpointConfig", "weight", 0, lambda n: config({**VARIANT, "InitialVariantWeight": n})),
    ("CreateEndpointConfig", "patience", 60, patience),
    ("CreateEndpointConfig", "serverless memory", 1024, lambda n: serverless(MemorySizeInMB=n)),
    ("CreateEndpointConfig", "asynchronous invocations", 1, asynchronous),
    ("CreateEndpoint", "alarms", 1, alarms),
    ("CreateEndpoint", "execution timeout", 600, lambda n: deployment(MaximumExecutionTimeoutInSeconds=n)),
    ("ListTrainingJobs", "page", 1, lambda n: {"MaxResults": n}),
    ("CreateHyperParameterTuningJob", "longest runtime", 120, lambda n: tuning(MaxRuntimeInSeconds=n)),
]


def refused(operation: str, params: Params) -> str:
    with pytest.raises(ServiceError) as caught:
        MODEL.check(operation, params)
    assert caught.value.code == "ValidationException"
    return caught.value.message


@pytest.mark.parametrize(("operation", "what", "most", "request_of"), MOST)
def test_as_many_as_the_limit_and_not_one_more(
    operation: str, what: str, most: int, request_of: Callable[[int], Params]
) -> None:
    assert MODEL.check(operation, request_of(most)), what
    assert f"less than or equal to {most}" in refused(operation, request_of(most + 1))


@pytest.mark.parametrize(("operation", "what", "least", "request_of"), LEAST)
def test_as_few_as_the_limit_and_not_one_less(
    operation: str, what: str, least: int, request_of: Callable[[int], Params]
) -> None:
    assert MODEL.check(operation, request_of(least)), what
    assert "failed to satisfy constraint" in refused(operation, request_of(least - 1))


@pytest.mark.parametrize("name", ["a_b", "-a", "a-", "a.b", "ä", "a b", "a/b", ""])
@pytest.mark.parametrize(
    ("operation", "member", "request_of"),
    [
        ("CreateTrainingJob", "TrainingJobName", training),
        ("CreateProcessingJob", "ProcessingJobName", processing),
        ("CreateTransformJob", "TransformJobName", transform),
        ("CreateModel", "ModelName", model),
        ("CreateEndpointConfig", "EndpointConfigName", config),
    ],
)
def test_names_are_letters_digits_and_hyphens_between(
    operation: str, member: str, request_of: Callable[..., Params], name: str
) -> None:
    lowered = member[0].lower() + member[1:]
    assert f"at '{lowered}' failed to satisfy constraint" in refused(operation, request_of(**{member: name}))
