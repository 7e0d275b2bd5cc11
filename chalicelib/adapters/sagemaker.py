"""SageMaker's registry and endpoints. What is there already is not created again: every call may be a retry."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.adapters.aws import FAILED, calling, code_of, message_of, translated
from chalicelib.domain.endpoint import Actual, Served
from chalicelib.domain.model_version import ModelVersion
from chalicelib.errors import AwsTrouble

Tags = Sequence[Mapping[str, str]]
_RECENT = 20


class SageMakerRegistry:
    """The Registry port."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def ensure_group(self, group: str, project: str) -> None:
        """Create the group unless it is there."""
        tags = [{"Key": "penstock:project", "Value": project}]
        _once(
            lambda: self._client.create_model_package_group(
                ModelPackageGroupName=group,
                ModelPackageGroupDescription=f"Models of project {project}",
                Tags=tags,
            ),
            f"model package group {group}",
        )

    def find(self, group: str, run: str) -> ModelVersion | None:
        """The newest version whose description begins with the run's name."""
        for summary in self._summaries(group, _RECENT):
            if str(summary.get("ModelPackageDescription", "")).startswith(f"run {run}:"):
                return self.describe(summary["ModelPackageArn"])
        return None

    def register(self, group: str, request: Mapping[str, Any]) -> ModelVersion:
        """Create a version; AWS answers the same one for the same ClientToken."""
        with calling(f"model package group {group}"):
            created = self._client.create_model_package(ModelPackageGroupName=group, **request)
        return self.describe(created["ModelPackageArn"])

    def discard(self, version: ModelVersion) -> None:
        """Delete a version."""
        with calling(version.arn):
            self._client.delete_model_package(ModelPackageName=version.arn)

    def describe(self, arn: str) -> ModelVersion:
        """A version as it is now."""
        with calling(arn):
            found = self._client.describe_model_package(ModelPackageName=arn)
        return ModelVersion(
            arn=found["ModelPackageArn"],
            version=int(found.get("ModelPackageVersion", 1)),
            run=str(found.get("CustomerMetadataProperties", {}).get("run", "")),
            artifact_uri=found["InferenceSpecification"]["Containers"][0]["ModelDataUrl"],
            approval=found["ModelApprovalStatus"],
        )

    def versions(self, group: str) -> list[dict[str, Any]]:
        """The newest versions, for people."""
        return [
            {
                "arn": one["ModelPackageArn"],
                "version": one.get("ModelPackageVersion"),
                "status": one.get("ModelPackageStatus"),
                "approval": one.get("ModelApprovalStatus"),
                "description": one.get("ModelPackageDescription"),
                "created": one["CreationTime"].isoformat(),
            }
            for one in self._summaries(group, 100)
        ]

    def _summaries(self, group: str, count: int) -> list[dict[str, Any]]:
        try:
            page = self._client.list_model_packages(
                ModelPackageGroupName=group, SortBy="CreationTime", SortOrder="Descending", MaxResults=count
            )
        except FAILED as error:
            if _missing(error):
                return []
            raise translated(error, f"model package group {group}") from error
        return list(page["ModelPackageSummaryList"])


class SageMakerEndpoints:
    """The Endpoints port."""

    def __init__(self, client: Any, role_arn: str, capture_uri: str) -> None:
        self._client, self._role, self._capture_uri = client, role_arn, capture_uri

    def describe(self, name: str) -> Actual | None:
        """The endpoint as it is, or None."""
        try:
            found = self._client.describe_endpoint(EndpointName=name)
        except FAILED as error:
            if _missing(error):
                return None
            raise translated(error, f"endpoint {name}") from error
        weights = {
            one["VariantName"]: float(one.get("CurrentWeight", 0))
            for one in found.get("ProductionVariants", [])
        }
        # A failed first creation has no configuration in service.
        config = found.get("EndpointConfigName", "")
        return Actual(name, found["EndpointStatus"], config, found.get("FailureReason"), weights)

    def prepare(self, config: str, served: Sequence[Served], tags: Tags, *, capture: int) -> None:
        """Create the models that have a container, and the configuration of all, unless they are there."""
        for one in served:
            if one.container is not None:
                self._create_model(one, tags)
        request: dict[str, Any] = {
            "EndpointConfigName": config,
            "ProductionVariants": [_variant(one) for one in served if not one.shadow],
            "Tags": list(tags),
        }
        shadows = [_variant(one) for one in served if one.shadow]
        if shadows:
            request["ShadowProductionVariants"] = shadows
        if capture:
            request["DataCaptureConfig"] = _capture(capture, self._capture_uri)
        _once(
            lambda: self._client.create_endpoint_config(**request),
            f"endpoint configuration {config}",
        )

    def _create_model(self, one: Served, tags: Tags) -> None:
        _once(
            lambda: self._client.create_model(
                ModelName=one.model,
                PrimaryContainer=dict(one.container or {}),
                ExecutionRoleArn=self._role,
                Tags=list(tags),
            ),
            f"model {one.model}",
        )

    def create(self, name: str, config: str, tags: Tags) -> None:
        """Create an endpoint, unless it is there."""
        project_tags = [tag for tag in tags if tag["Key"] == "penstock:project"]  # it outlives the run
        _once(
            lambda: self._client.create_endpoint(
                EndpointName=name, EndpointConfigName=config, Tags=project_tags
            ),
            f"endpoint {name}",
        )

    def update(self, name: str, config: str) -> None:
        """Move an endpoint to another configuration; SageMaker keeps the old one until the new one is healthy."""
        try:
            self._client.update_endpoint(EndpointName=name, EndpointConfigName=config)
        except FAILED as error:
            if "in-progress" in message_of(error).lower():  # 'Cannot update in-progress endpoint "arn:..."'
                raise AwsTrouble(
                    f"endpoint {name}", "another update is going", "Wait for its end."
                ) from error
            raise translated(error, f"endpoint {name}") from error

    def weigh(self, name: str, weights: Mapping[str, float]) -> None:
        """Change the weights of variants that are there; no instance is started or stopped."""
        wanted = [{"VariantName": one, "DesiredWeight": weight} for one, weight in weights.items()]
        with calling(f"endpoint {name}"):
            self._client.update_endpoint_weights_and_capacities(
                EndpointName=name, DesiredWeightsAndCapacities=wanted
            )

    def delete(self, name: str) -> None:
        """Delete an endpoint, if it is there."""
        try:
            self._client.delete_endpoint(EndpointName=name)
        except FAILED as error:
            if not _missing(error):
                raise translated(error, f"endpoint {name}") from error


def _variant(one: Served) -> dict[str, Any]:
    return {
        "VariantName": one.variant,
        "ModelName": one.model,
        "InstanceType": one.instance,
        "InitialInstanceCount": 1,
        "InitialVariantWeight": one.weight,
    }


def _capture(percent: int, uri: str) -> dict[str, Any]:
    return {
        "EnableCapture": True,
        "InitialSamplingPercentage": percent,
        "DestinationS3Uri": uri,
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {
            "CsvContentTypes": ["text/csv"],
            "JsonContentTypes": ["application/json"],
        },
    }


def _missing(error: ClientError | BotoCoreError) -> bool:
    words = message_of(error).lower()
    absent = "could not find" in words or "does not exist" in words or "not found" in words
    return code_of(error) in {"ResourceNotFound", "ValidationException"} and (
        absent or code_of(error) == "ResourceNotFound"
    )


def _once(create: Callable[[], Any], where: str) -> None:
    """Create, or be content that it exists."""
    try:
        create()
    except FAILED as error:
        words = message_of(error).lower()
        if code_of(error) != "ResourceInUse" and "already exist" not in words:
            raise translated(error, where) from error
