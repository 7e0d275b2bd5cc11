"""Build a model again: the same code, dataset version, hyperparameters, image and machine, in a job of its own."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.exceptions import ClientError

from penstock.client import stored
from penstock.client.runs import Runs
from penstock.errors import PenstockError

_RUN = re.compile(r"^[a-z][a-z0-9-]{1,23}-\d{4,}-[0-9a-z]+$")
_PACKAGE = re.compile(r"^arn:[^:]+:sagemaker:[^:]+:\d+:model-package/[^/]+/\d+$")
_KEPT = (
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "ResourceConfig",
    "StoppingCondition",
    "Environment",
)
"""What the new job is given as the old one had it, besides the hyperparameters."""
_OVER = ("Completed", "Failed", "Stopped")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True)
class Origin:
    """Where a model comes from: its run and its training job as SageMaker describes it."""

    run: str
    job: dict[str, Any]

    @property
    def artifact(self) -> str:
        """The model's address."""
        return str(self.job["ModelArtifacts"]["S3ModelArtifacts"])

    @property
    def code(self) -> str:
        """The address of the job code it was trained with."""
        return str(json.loads(self.job["HyperParameters"]["sagemaker_submit_directory"]))

    @property
    def data(self) -> list[str]:
        """The addresses of everything it was trained on."""
        return [channel["DataSource"]["S3DataSource"]["S3Uri"] for channel in self.job["InputDataConfig"]]


class Reproduction:
    """Finds where models come from on one stage, and builds them again there."""

    def __init__(self, runs: Runs, stage: str) -> None:
        self._runs, self._stage = runs, stage
        self._sagemaker = boto3.client("sagemaker")
        self._pause = 0.3 if runs.deployed.embedded else 15.0

    def origin(self, named: str, project: str | None) -> Origin:
        """The origin of a run, of a model version (its ARN, or its number with a project) or of an answer's model.

        Raises PenstockError when the name leads to no run that trained a model.
        """
        if named.isdecimal():
            return self._of_package(self._numbered(int(named), project))
        if _PACKAGE.match(named):
            return self._of_package(named)
        return self._of_run(named if _RUN.match(named) else self._answered(named))

    def _numbered(self, number: int, project: str | None) -> str:
        if project is None:
            raise PenstockError(f"version {number}", "of which project?", "Name it with --project.")
        found = self._runs.api.get(f"/projects/{project}/models")["models"]
        for one in found:
            if one["version"] == number:
                return str(one["arn"])
        known = ", ".join(str(one["version"]) for one in found) or "none"
        raise PenstockError(f"version {number} of {project}", "there is none", f"There are: {known}.")

    def _of_package(self, arn: str) -> Origin:
        try:
            found = self._sagemaker.describe_model_package(ModelPackageName=arn)
        except ClientError as error:
            if error.response["Error"]["Code"] not in {"ValidationException", "ResourceNotFound"}:
                raise
            raise PenstockError(
                arn, "there is no such model version", "GET /projects/{p}/models lists them."
            ) from error
        kept = found.get("CustomerMetadataProperties", {})
        if "training_job" not in kept:
            raise PenstockError(arn, "it does not say which training job made it", "Name its run instead.")
        return Origin(kept["run"], self._job(kept["training_job"]))

    def _of_run(self, run: str) -> Origin:
        record = self._runs.look(run).record
        job = (record.get("summary") or {}).get("training_job")
        if job is None:
            raise PenstockError(
                f"run {run}", "it has not come to a model", f"`penstock watch {run}` says how far it came."
            )
        return Origin(run, self._job(job))

    def _job(self, name: str) -> dict[str, Any]:
        return dict(self._sagemaker.describe_training_job(TrainingJobName=name))

    def _answered(self, inference_id: str) -> str:
        """The run whose model gave an answer: the API logs a line an answer, with both."""
        group = f"/aws/lambda/penstock-{self._stage}"
        pages = boto3.client("logs").get_paginator("filter_log_events")
        for page in pages.paginate(logGroupName=group, filterPattern=f'"{inference_id}"'):
            for event in page["events"]:
                line = _line(event["message"])
                if line.get("inference_id") == inference_id and line.get("model"):
                    return str(line["model"])
        raise PenstockError(
            inference_id,
            "it is no run and no model version, and the API's log knows no answer of that id",
            "An answer's header X-Penstock-Model names its run; logs are kept for 30 days.",
        )

    def check(self, origin: Origin) -> None:
        """Raise PenstockError when something the model was made of is gone."""
        s3 = boto3.client("s3")
        for uri in (origin.code, *origin.data):
            bucket, prefix = stored.place(uri)
            if not s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("KeyCount"):
                advice = (
                    "keep_versions in the spec, or a person, let it go: this model cannot be built again."
                )
                raise PenstockError(uri, "it is gone", advice)

    def build(self, origin: Origin, say: Callable[[str], None]) -> dict[str, Any]:
        """Run the training job again under a name of its own and wait for its end; the new job as described.

        Raises PenstockError with its reason when it fails.
        """
        name = f"penstock-{self._stage}-{origin.run[:38]}-r{_stamp()}"
        given = {k: v for k, v in origin.job["HyperParameters"].items() if not k.startswith("_")}
        output = f"s3://{self._runs.deployed.bucket}/runs/{origin.run}/reproduced/"
        request = {key: origin.job[key] for key in _KEPT if origin.job.get(key)}
        self._sagemaker.create_training_job(
            TrainingJobName=name,
            HyperParameters=given,
            OutputDataConfig={"S3OutputPath": output},
            Tags=[{"Key": "penstock:reproduces", "Value": origin.run}],
            **request,
        )
        say(f"Training job {name}")
        while (found := self._job(name))["TrainingJobStatus"] not in _OVER:
            time.sleep(self._pause)  # SageMaker offers nothing to wait on
        if found["TrainingJobStatus"] != "Completed":
            reason = str(found.get("FailureReason") or found["TrainingJobStatus"])
            raise PenstockError(
                f"training job {name}", reason, "Its log says more: /aws/sagemaker/TrainingJobs."
            )
        return found


def _line(message: str) -> dict[str, Any]:
    try:
        found = json.loads(message)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _stamp() -> str:
    """The second, in six letters and digits: a job's name is taken for ever."""
    seconds, letters = int(time.time()), ""
    while seconds:
        seconds, digit = divmod(seconds, 36)
        letters = _DIGITS[digit] + letters
    return letters
