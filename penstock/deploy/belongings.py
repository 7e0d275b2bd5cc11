"""What a stage owns beyond its stack and its functions: how each kind is listed by name, and how one of it is removed.

Everything of ours is called penstock-<stage>-…; what is called otherwise is never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from penstock.deploy import access
from penstock.deploy.target import Target

GONE = {
    "NoSuchBucket", "ResourceNotFoundException", "ResourceNotFound", "ExecutionDoesNotExist", "NoSuchEntity",
    "ValidationException", "StateMachineDoesNotExist", "NotFoundException", "404",
}  # fmt: skip
"""Codes that say a thing is not there (any more)."""
BUSY = {"ResourceInUseException", "ResourceInUse", "ConflictException", "BucketNotEmpty", "OperationAborted"}
"""Codes that say a thing is on its way out, or has to wait for another."""
# Groups that AWS shares between all jobs of an account: ours are the streams, and the group only once it is empty.
_SHARED_GROUPS = (
    "/aws/sagemaker/TrainingJobs",
    "/aws/sagemaker/ProcessingJobs",
    "/aws/sagemaker/TransformJobs",
)
_GLUE_GROUPS = ("/aws-glue/jobs/output", "/aws-glue/jobs/error", "/aws-glue/jobs/logs-v2")


@dataclass(frozen=True)
class Part:
    """One kind of thing a stage owns: how to list it by name, and how to remove one of it."""

    kind: str
    find: Callable[[Target], Iterator[str]]
    remove: Callable[[Target, str], None]


def _named(
    target: Target, service: str, operation: str, items: str, name: str, prefix: str, **query: Any
) -> Iterator[str]:
    """Names that start with `prefix`, from one paginated listing."""
    for page in target.client(service).get_paginator(operation).paginate(**query):
        for item in page.get(items, []):
            if str(item[name]).startswith(prefix):
                yield str(item[name])


def _running(target: Target) -> Iterator[str]:
    try:
        pages = target.client("stepfunctions").get_paginator("list_executions").paginate(
            stateMachineArn=target.machine_arn, statusFilter="RUNNING"
        )  # fmt: skip
        yield from (item["executionArn"] for page in pages for item in page["executions"])
    except ClientError as error:
        if error.response["Error"]["Code"] not in GONE:
            raise


def _stop(target: Target, arn: str) -> None:
    target.client("stepfunctions").stop_execution(executionArn=arn, cause="The stage is being destroyed.")


def _jobs(operation: str, items: str, name: str) -> Callable[[Target], Iterator[str]]:
    def find(target: Target) -> Iterator[str]:
        return _named(
            target, "sagemaker", operation, items, name, f"{target.prefix}-", StatusEquals="InProgress"
        )

    return find


def _packages(target: Target) -> Iterator[str]:
    listing = target.client("sagemaker").get_paginator("list_model_packages")
    for group in _package_groups(target):
        for page in listing.paginate(ModelPackageGroupName=group):
            yield from (item["ModelPackageArn"] for item in page["ModelPackageSummaryList"])


def _buckets(target: Target) -> Iterator[str]:
    found = target.client("s3").list_buckets().get("Buckets", [])
    return (bucket["Name"] for bucket in found if bucket["Name"] == target.bucket)


def _remove_bucket(target: Target, name: str) -> None:
    s3 = target.client("s3")
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=name):
        found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
        keys = [{"Key": item["Key"], "VersionId": item["VersionId"]} for item in found]
        if keys:
            s3.delete_objects(Bucket=name, Delete={"Objects": keys, "Quiet": True})
    s3.delete_bucket(Bucket=name)


def _log_groups(target: Target) -> Iterator[str]:
    own = (f"/aws/lambda/{target.prefix}", f"/aws/apigateway/{target.prefix}",
           f"/aws/sagemaker/Endpoints/{target.prefix}", f"/aws/vendedlogs/states/{target.prefix}")  # fmt: skip
    for prefix in own:
        query = {"logGroupNamePrefix": prefix}
        for name in _named(
            target, "logs", "describe_log_groups", "logGroups", "logGroupName", prefix, **query
        ):
            if name.removeprefix(prefix)[:1] in ("", "-"):  # not those of a stage whose name begins like ours
                yield name


def _streams(target: Target) -> Iterator[str]:
    """Streams of this stage's jobs, as group:stream."""
    runs = _glue_runs(target)
    groups = {name: [f"{target.prefix}-"] for name in _SHARED_GROUPS} | dict.fromkeys(_GLUE_GROUPS, runs)
    listing = target.client("logs").get_paginator("describe_log_streams")
    for group, prefixes in groups.items():
        for prefix in prefixes:
            try:
                for page in listing.paginate(logGroupName=group, logStreamNamePrefix=prefix):
                    yield from (f"{group}:{item['logStreamName']}" for item in page["logStreams"])
            except ClientError as error:
                if error.response["Error"]["Code"] not in GONE:
                    raise


def _glue_runs(target: Target) -> list[str]:
    return [run for job in ("prepare", "erase") for run in _runs_of(target, f"{target.prefix}-{job}")]


def _runs_of(target: Target, job: str) -> list[str]:
    try:
        pages = target.client("glue").get_paginator("get_job_runs").paginate(JobName=job)
        return [run["Id"] for page in pages for run in page["JobRuns"]]
    except ClientError as error:
        if error.response["Error"]["Code"] in {"EntityNotFoundException", *GONE}:
            return []
        raise


def _remove_stream(target: Target, name: str) -> None:
    """Delete a stream, and the group with its last one: a group that others use has streams of theirs."""
    logs = target.client("logs")
    group, _, stream = name.partition(":")
    logs.delete_log_stream(logGroupName=group, logStreamName=stream)
    if not logs.describe_log_streams(logGroupName=group, limit=1)["logStreams"]:
        logs.delete_log_group(logGroupName=group)


def _tables(target: Target) -> Iterator[str]:
    pages = target.client("dynamodb").get_paginator("list_tables").paginate()
    return (name for page in pages for name in page["TableNames"] if name == f"{target.prefix}-ledger")


def _call(service: str, operation: str, argument: str) -> Callable[[Target, str], None]:
    def remove(target: Target, name: str) -> None:
        getattr(target.client(service), operation)(**{argument: name})

    return remove


def _of_prefix(service: str, operation: str, items: str, name: str) -> Callable[[Target], Iterator[str]]:
    def find(target: Target) -> Iterator[str]:
        return _named(target, service, operation, items, name, f"{target.prefix}-")

    return find


def _schedules(target: Target) -> Iterator[str]:
    """Those of projects: the stack's own, the sweep's, goes with the stack."""
    prefix = f"{target.prefix}-project-"
    return _named(target, "scheduler", "list_schedules", "Schedules", "Name", prefix, NamePrefix=prefix)


_package_groups = _of_prefix(
    "sagemaker", "list_model_package_groups", "ModelPackageGroupSummaryList", "ModelPackageGroupName"
)
# What runs is stopped first, then what serves, then what they were made from; the stack's roles come last of all.
BEFORE = (
    Part("schedule", _schedules, _call("scheduler", "delete_schedule", "Name")),
    Part("execution", _running, _stop),
    Part(
        "tuning job",  # before its training jobs, which it would start anew
        _jobs(
            "list_hyper_parameter_tuning_jobs",
            "HyperParameterTuningJobSummaries",
            "HyperParameterTuningJobName",
        ),
        _call("sagemaker", "stop_hyper_parameter_tuning_job", "HyperParameterTuningJobName"),
    ),
    Part(
        "training job",
        _jobs("list_training_jobs", "TrainingJobSummaries", "TrainingJobName"),
        _call("sagemaker", "stop_training_job", "TrainingJobName"),
    ),
    Part(
        "processing job",
        _jobs("list_processing_jobs", "ProcessingJobSummaries", "ProcessingJobName"),
        _call("sagemaker", "stop_processing_job", "ProcessingJobName"),
    ),
    Part(
        "transform job",
        _jobs("list_transform_jobs", "TransformJobSummaries", "TransformJobName"),
        _call("sagemaker", "stop_transform_job", "TransformJobName"),
    ),
    Part(
        "endpoint",
        _of_prefix("sagemaker", "list_endpoints", "Endpoints", "EndpointName"),
        _call("sagemaker", "delete_endpoint", "EndpointName"),
    ),
    Part(
        "endpoint config",
        _of_prefix("sagemaker", "list_endpoint_configs", "EndpointConfigs", "EndpointConfigName"),
        _call("sagemaker", "delete_endpoint_config", "EndpointConfigName"),
    ),
    Part(
        "model",
        _of_prefix("sagemaker", "list_models", "Models", "ModelName"),
        _call("sagemaker", "delete_model", "ModelName"),
    ),
    Part("model package", _packages, _call("sagemaker", "delete_model_package", "ModelPackageName")),
    Part(
        "model package group",
        _package_groups,
        _call("sagemaker", "delete_model_package_group", "ModelPackageGroupName"),
    ),
    Part("log stream", _streams, _remove_stream),
)
AFTER = (
    Part("usage plan", access.named, access.remove),
    Part("bucket", _buckets, _remove_bucket),
    Part("table", _tables, _call("dynamodb", "delete_table", "TableName")),
    Part("log group", _log_groups, _call("logs", "delete_log_group", "logGroupName")),
)
