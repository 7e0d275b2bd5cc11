"""Every member of every List operation's input is honoured: over HTTP, with things made minutes apart."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import botocore.loaders
import pytest
from botocore.exceptions import ClientError

from penstock.localaws import control
from penstock.localaws.sagemaker import api, listing
from tests.local.conftest import EmbeddedAws, free_port, until
from tests.local.hosting import Hosting
from tests.local.job_requests import (
    OVER,
    SKLEARN,
    new_bucket,
    processing,
    put,
    shell_training,
    source_archive,
)

MODEL = botocore.loaders.Loader().load_service_model("sagemaker", "service-2")
FIRST, SECOND, THIRD = "alpha-1", "beta-2", "alpha-3"  # in the order of their creation, ten minutes apart
SHARED = ("RoleArn", "OutputDataConfig", "ResourceConfig", "StoppingCondition")  # of jobs and definitions
PLAN = "arn:aws:sagemaker:us-east-1:000000000000:training-plan/mine"


@dataclass(frozen=True)
class Listed:
    """One List operation: its answer's member, what names an item of it, its statuses and its default order."""

    operation: str
    answer: str
    name: str
    statuses: tuple[str, str, str] | None = None
    order: tuple[str, str, str] = (THIRD, SECOND, FIRST)


OLDEST_FIRST = (FIRST, SECOND, THIRD)
EVERY = [
    Listed(
        "ListTrainingJobs",
        "TrainingJobSummaries",
        "TrainingJobName",
        ("Completed", "Failed", "Stopped"),
    ),
    Listed(
        "ListProcessingJobs",
        "ProcessingJobSummaries",
        "ProcessingJobName",
        ("Completed", "Failed", "Stopped"),
        OLDEST_FIRST,
    ),
    Listed("ListEndpoints", "Endpoints", "EndpointName", ("InService", "Failed", "InService")),
    Listed("ListEndpointConfigs", "EndpointConfigs", "EndpointConfigName"),
    Listed("ListModels", "Models", "ModelName"),
    Listed(
        "ListModelPackageGroups",
        "ModelPackageGroupSummaryList",
        "ModelPackageGroupName",
        order=OLDEST_FIRST,
    ),
    Listed("ListModelPackages", "ModelPackageSummaryList", "ModelPackageName"),
    Listed(
        "ListTransformJobs",
        "TransformJobSummaries",
        "TransformJobName",
        ("Completed", "Failed", "Stopped"),
    ),
    Listed(
        "ListHyperParameterTuningJobs",
        "HyperParameterTuningJobSummaries",
        "HyperParameterTuningJobName",
        ("Completed", "Failed", "Stopped"),
        (FIRST, THIRD, SECOND),
    ),
]
HAVE = {name for module in api._load_modules().values() for name in getattr(module, "OPERATIONS", {})}
LISTS = [of for of in EVERY if of.operation in HAVE]
ELSEWHERE = {  # not of things that have names and times, or tested with what makes them
    "ListTags",
    "ListExperiments",
    "ListTrials",
    "ListTrialComponents",
    "ListTrainingJobsForHyperParameterTuningJob",
}


@dataclass
class Furnished:
    """An embedded AWS with three of everything, and moments between their creations."""

    aws: EmbeddedAws
    after_first: datetime
    after_second: datetime

    def ask(self, of: Listed, **params: Any) -> dict[str, Any]:
        operation = "".join(f"_{c.lower()}" if c.isupper() else c for c in of.operation).lstrip("_")
        answer: dict[str, Any] = getattr(self.aws.client("sagemaker"), operation)(**params)
        return answer

    def names(self, of: Listed, **params: Any) -> list[str]:
        """The names in the answer's order, of things made here by these names only."""
        return [one[of.name].removeprefix("x-") for one in self.ask(of, **params)[of.answer]]


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Furnished]:
    root = tmp_path_factory.mktemp("lists")
    aws = EmbeddedAws(root, control.up(root, port=free_port(), testing=True).port)
    bucket = new_bucket(aws)
    make(aws, bucket, FIRST, "true")
    after_first = wait_between(aws)
    make(aws, bucket, SECOND, "false", BROKEN="1")
    after_second = wait_between(aws)
    make(aws, bucket, THIRD, "sleep 100")
    yield Furnished(aws, after_first, after_second)
    aws.close()


def wait_between(aws: EmbeddedAws) -> datetime:
    middle = aws.advance(300)
    aws.advance(300)
    return datetime.fromtimestamp(middle, UTC)


def make(aws: EmbeddedAws, bucket: str, name: str, script: str, **environment: str) -> None:
    """One of everything, settled when we are done."""
    client, hosting = aws.client("sagemaker"), Hosting(aws, "x")
    client.create_training_job(**shell_training(bucket, name, script))
    client.create_processing_job(**processing(aws, bucket, name, script))
    client.create_endpoint_config(
        EndpointConfigName=name, ProductionVariants=[hosting.variant(hosting.model(name, **environment))]
    )
    client.create_endpoint(EndpointName=name, EndpointConfigName=name)
    client.create_model_package_group(ModelPackageGroupName=name)
    client.create_model_package(
        ModelPackageName=name, InferenceSpecification={"Containers": [{"Image": "i"}]}
    )
    client.create_model_package(ModelPackageGroupName=name, ModelApprovalStatus="Approved")
    if "CreateTransformJob" in HAVE:
        transform(aws, bucket, name)
    if "CreateHyperParameterTuningJob" in HAVE:
        tune(aws, bucket, name)
    if name == THIRD:
        client.stop_training_job(TrainingJobName=name)
        client.stop_processing_job(ProcessingJobName=name)
    until(lambda: client.describe_training_job(TrainingJobName=name)["TrainingJobStatus"] in OVER)
    until(lambda: client.describe_processing_job(ProcessingJobName=name)["ProcessingJobStatus"] in OVER)
    until(lambda: client.describe_endpoint(EndpointName=name)["EndpointStatus"] in ("InService", "Failed"))


Check = Callable[[Furnished, Listed], None]
CHECKS: dict[str, Check] = {}


def checks(member: str) -> Callable[[Check], Check]:
    """The decorated function shows that a list honours `member`."""

    def note(check: Check) -> Check:
        CHECKS[member] = check
        return check

    return note


def transform(aws: EmbeddedAws, bucket: str, name: str) -> None:
    """A batch transform by the model made before; the last one waits until it is stopped."""
    client = aws.client("sagemaker")
    put(aws, bucket, f"{name}/in.csv", "wait /nonexistent/file" if name == THIRD else "hello")
    source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{bucket}/{name}/"}}
    client.create_transform_job(
        TransformJobName=name,
        ModelName=f"x-{name}",
        TransformInput={"DataSource": source, "ContentType": "text/csv"},
        TransformOutput={"S3OutputPath": f"s3://{bucket}/out/"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    if name == THIRD:
        client.stop_transform_job(TransformJobName=name)
    until(lambda: client.describe_transform_job(TransformJobName=name)["TransformJobStatus"] in OVER)


def tune(aws: EmbeddedAws, bucket: str, name: str) -> None:
    """A tuning of one training job; the second never finds its metric, the last is stopped."""
    client = aws.client("sagemaker")
    script = "import time; time.sleep(100)" if name == THIRD else "print('loss = 1;')"
    put(aws, bucket, f"{name}/source.tar.gz", source_archive(train=script))
    regex = "never = ([0-9]+);" if name == SECOND else "loss = ([0-9]+);"
    client.create_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name,
        HyperParameterTuningJobConfig={
            "Strategy": "Random",
            "HyperParameterTuningJobObjective": {"Type": "Minimize", "MetricName": "loss"},
            "ResourceLimits": {"MaxParallelTrainingJobs": 1, "MaxNumberOfTrainingJobs": 1},
            "ParameterRanges": {
                "ContinuousParameterRanges": [{"Name": "rate", "MinValue": "0", "MaxValue": "1"}]
            },
        },
        TrainingJobDefinition={
            **{key: shell_training(bucket, name, "")[key] for key in SHARED},
            "StaticHyperParameters": {
                "sagemaker_program": "train.py",
                "sagemaker_submit_directory": f"s3://{bucket}/{name}/source.tar.gz",
            },
            "AlgorithmSpecification": {
                "TrainingImage": SKLEARN,
                "TrainingInputMode": "File",
                "MetricDefinitions": [{"Name": "loss", "Regex": regex}],
            },
        },
    )
    if name == THIRD:
        client.stop_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)
    described = lambda: client.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName=name)  # noqa: E731
    until(lambda: described()["HyperParameterTuningJobStatus"] in OVER, 60)
    for one in client.list_training_jobs(NameContains=f"{name}-0")["TrainingJobSummaries"]:
        client.delete_training_job(TrainingJobName=one["TrainingJobName"])  # the lists are of what we made


def members() -> list[tuple[Listed, str]]:
    shapes = MODEL["shapes"]
    return [
        (of, member)
        for of in LISTS
        for member in shapes[MODEL["operations"][of.operation]["input"]["shape"]]["members"]
    ]


def test_every_list_the_plane_has_is_looked_at() -> None:
    lists = {name for name in HAVE if name.startswith("List")}
    assert lists - ELSEWHERE == {of.operation for of in LISTS}


@pytest.mark.parametrize(("of", "member"), members(), ids=lambda value: getattr(value, "operation", value))
def test_a_member_is_honoured(furnished: Furnished, of: Listed, member: str) -> None:
    CHECKS[member](furnished, of)


@checks("NameContains")
def name_contains(furnished: Furnished, of: Listed) -> None:
    assert set(furnished.names(of, NameContains="ALPHA")) == {FIRST, THIRD}
    assert furnished.names(of, NameContains="nobody") == []


@checks("CreationTimeAfter")
def creation_time_after(furnished: Furnished, of: Listed) -> None:
    assert furnished.names(of, CreationTimeAfter=furnished.after_second) == [THIRD]


@checks("CreationTimeBefore")
def creation_time_before(furnished: Furnished, of: Listed) -> None:
    assert furnished.names(of, CreationTimeBefore=furnished.after_first) == [FIRST]


@checks("LastModifiedTimeAfter")
def last_modified_time_after(furnished: Furnished, of: Listed) -> None:
    assert furnished.names(of, LastModifiedTimeAfter=furnished.after_second) == [THIRD]


@checks("LastModifiedTimeBefore")
def last_modified_time_before(furnished: Furnished, of: Listed) -> None:
    assert furnished.names(of, LastModifiedTimeBefore=furnished.after_first) == [FIRST]


@checks("StatusEquals")
def status_equals(furnished: Furnished, of: Listed) -> None:
    assert of.statuses
    for status in set(of.statuses):
        named = {n for n, has in zip(OLDEST_FIRST, of.statuses, strict=True) if has == status}
        assert set(furnished.names(of, StatusEquals=status)) == named
    assert furnished.names(of, StatusEquals="Stopping" if "Jobs" in of.operation else "Creating") == []


@checks("SortBy")
def sort_by(furnished: Furnished, of: Listed) -> None:
    assert tuple(furnished.names(of)) == of.order
    assert furnished.names(of, SortBy="Name", SortOrder="Ascending") == sorted(OLDEST_FIRST)
    assert furnished.names(of, SortBy="CreationTime", SortOrder="Ascending") == list(OLDEST_FIRST)
    if of.statuses:
        by_status = sorted(zip(of.statuses, (0, 1, 2), OLDEST_FIRST, strict=True))
        assert furnished.names(of, SortBy="Status", SortOrder="Ascending") == [n for _, _, n in by_status]


@checks("SortOrder")
def sort_order(furnished: Furnished, of: Listed) -> None:
    up = furnished.names(of, SortBy="CreationTime", SortOrder="Ascending")
    assert furnished.names(of, SortBy="CreationTime", SortOrder="Descending") == up[::-1]


@checks("MaxResults")
def max_results(furnished: Furnished, of: Listed) -> None:
    assert furnished.names(of, MaxResults=2) == list(of.order[:2])
    assert furnished.names(of, MaxResults=100) == list(of.order)
    refused(furnished, of, "'maxResults' failed to satisfy constraint", MaxResults=101)


@checks("NextToken")
def next_token(furnished: Furnished, of: Listed) -> None:
    first = furnished.ask(of, MaxResults=1, NameContains="alpha")  # filters apply before paging
    second = furnished.ask(of, MaxResults=1, NameContains="alpha", NextToken=first["NextToken"])
    assert "NextToken" not in second
    seen = [one[of.name].removeprefix("x-") for one in first[of.answer] + second[of.answer]]
    assert seen == [name for name in of.order if name.startswith("alpha")]
    refused(furnished, of, "Invalid NextToken", NextToken="x")
    refused(
        furnished,
        of,
        "Invalid NextToken",
        NextToken=first["NextToken"],
        SortBy="Name",
        SortOrder="Descending",
    )


@checks("WarmPoolStatusEquals")
def warm_pool_status_equals(furnished: Furnished, of: Listed) -> None:
    assert furnished.names(of, WarmPoolStatusEquals="Available") == []


@checks("TrainingPlanArnEquals")
def training_plan_arn_equals(furnished: Furnished, of: Listed) -> None:
    assert furnished.names(of, TrainingPlanArnEquals=PLAN) == []


@checks("CrossAccountFilterOption")
def cross_account_filter_option(furnished: Furnished, of: Listed) -> None:
    assert len(furnished.names(of, CrossAccountFilterOption="SameAccount")) == 3
    assert furnished.names(of, CrossAccountFilterOption="CrossAccount") == []


@checks("ModelApprovalStatus")
def model_approval_status(furnished: Furnished, of: Listed) -> None:
    answer = furnished.ask(of, ModelPackageType="Both", ModelApprovalStatus="Approved")
    assert [one["ModelPackageGroupName"] for one in answer[of.answer]] == list(of.order)


@checks("ModelPackageGroupName")
def model_package_group_name(furnished: Furnished, of: Listed) -> None:
    arn = f"arn:aws:sagemaker:us-east-1:000000000000:model-package-group/{SECOND}"
    for name in (SECOND, arn):
        answer = furnished.ask(of, ModelPackageGroupName=name)
        assert [one["ModelPackageGroupName"] for one in answer[of.answer]] == [SECOND]


@checks("ModelPackageType")
def model_package_type(furnished: Furnished, of: Listed) -> None:
    assert furnished.names(of, ModelPackageType="Unversioned") == list(of.order)
    versioned = furnished.ask(of, ModelPackageType="Versioned")[of.answer]
    assert [one["ModelPackageVersion"] for one in versioned] == [1, 1, 1]
    assert len(furnished.ask(of, ModelPackageType="Both")[of.answer]) == 6


def refused(furnished: Furnished, of: Listed, text: str, **params: Any) -> None:
    with pytest.raises(ClientError) as caught:
        furnished.ask(of, **params)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert text in caught.value.response["Error"]["Message"]


def test_a_warm_pool_or_plan_is_found_by_its_filter() -> None:
    records = [
        {
            "name": name,
            "created": 1.0,
            "modified": 1.0,
            "status": "Completed",
            "request": {"ResourceConfig": {"TrainingPlanArn": PLAN} if name == "a" else {}},
            "extras": {"WarmPoolStatus": {"Status": "Available"}} if name == "b" else {},
        }
        for name in ("a", "b")
    ]

    def found(**params: str) -> list[str]:
        answer = listing.page(params, records, lambda record: record, "TrainingJobSummaries")
        return [one["name"] for one in answer["TrainingJobSummaries"]]

    assert found(TrainingPlanArnEquals=PLAN) == ["a"]
    assert found(WarmPoolStatusEquals="Available") == ["b"]
