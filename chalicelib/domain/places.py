"""Every name and S3 address of a run, from the stage's names and the run's own."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Protocol


class Place(Protocol):
    """Where a stage keeps things (chalicelib.settings.Settings is one)."""

    @property
    def stage(self) -> str:
        """Which copy of the product."""

    @property
    def bucket(self) -> str:
        """The stage's bucket."""

    @property
    def glue_job(self) -> str:
        """The job that prepares."""

    @property
    def glue_database(self) -> str:
        """The catalog."""

    @property
    def jobs_role_arn(self) -> str:
        """The role jobs run as."""

    @property
    def code_prefix(self) -> str:
        """Where the job code lies."""

    @property
    def images(self) -> Mapping[str, str]:
        """Container images by family."""

    @property
    def instance_type(self) -> str:
        """For training and evaluation."""


class Names:
    """Every name and S3 address of one run and attempt."""

    def __init__(self, place: Place, project: str, run: str, attempt: int, version: int) -> None:
        self.place, self.project, self.run, self.attempt, self.version = place, project, run, attempt, version
        self.root = f"s3://{place.bucket}"
        self.train_job = f"penstock-{place.stage}-{run}-{attempt}-train"
        self.evaluate_job = f"penstock-{place.stage}-{run}-{attempt}-eval"
        # A tuning job's name has 32 characters, and a run's alone may have more; its tags tell the run.
        digest = hashlib.sha256(f"{run} {attempt}".encode()).hexdigest()
        self.tune_job = f"penstock-{place.stage}-{digest}"[:32]
        self.dataset = f"{self.root}/lake/{project}/prepared/version={version:06d}/"
        self.models = f"{self.root}/models/{project}/"
        self.artifact = self.artifact_of(self.train_job)
        self.evaluation = f"{self.root}/runs/{run}/evaluate/"

    def candidate_job(self, number: int) -> str:
        """The training job of one of several candidates."""
        return f"penstock-{self.place.stage}-{self.run}-{self.attempt}-t{number}"

    def artifact_of(self, job: str) -> str:
        """Where SageMaker puts a training job's model."""
        return f"{self.models}{job}/output/model.tar.gz"

    def of_run(self, name: str) -> str:
        """The address of one of the run's own documents."""
        return f"{self.root}/runs/{self.run}/{name}"

    def code(self, name: str) -> str:
        """The address of one of the job code's files."""
        return f"{self.root}/{self.place.code_prefix}/{name}"

    @property
    def tags(self) -> list[dict[str, str]]:
        """What cost reports and the clean-up go by."""
        return [
            {"Key": "penstock:project", "Value": self.project},
            {"Key": "penstock:run", "Value": self.run},
        ]
