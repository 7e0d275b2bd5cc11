"""What every kind of job that `runner` runs has in common: create, describe, list, stop, wait.

A kind of job makes its operations with `operations(...)` and names itself in `KINDS` of its module (see `plane`).
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker import listing, names, tags
from penstock.localaws.sagemaker.experiments import components
from penstock.localaws.sagemaker.jobs import lifecycle
from penstock.localaws.sagemaker.jobs.runner import Runner
from penstock.localaws.sagemaker.jobs.work import Kind, Record
from penstock.localaws.sagemaker.plane import Operation, Plane

Params = dict[str, Any]


@dataclass(frozen=True)
class Service:
    """One kind of job at the API.

    `noun` is its word in operations (`TrainingJob`); `check` refuses what AWS would refuse at once, besides what the
    service model says; `summary` are the members a list shows besides name, ARN, times and status;
    `forget` drops what is kept of a deleted job besides its record and tags.
    """

    kind: Kind
    noun: str
    check: Callable[[Plane, Params], None]
    summary: tuple[str, ...]
    forget: Callable[[Plane, str], None] | None = None

    def operations(self) -> dict[str, Operation]:
        """Create, Describe, List and Stop by their names."""
        noun = self.noun
        return {
            f"Create{noun}": self.create,
            f"Describe{noun}": lambda plane, params: self.describe(plane, params[f"{noun}Name"]),
            f"List{noun}s": self.list,
            f"Stop{noun}": lambda plane, params: self.stop(plane, params[f"{noun}Name"]),
        }

    def wait(self, plane: Plane, name: str, stop: threading.Event | None) -> Params:
        """Block until the job has ended or `stop` is set; its Describe answer."""
        plane.part(Runner).wait(self.kind, name, stop)
        return self.describe(plane, name)

    def recover(self, plane: Plane) -> None:
        """Fail what a crash interrupted."""
        plane.part(Runner).recover(self.kind)

    def create(self, plane: Plane, params: Params) -> Params:
        """Store the job and let it run when there is a place; raises ServiceError."""
        self.check(plane, params)
        components.check(plane, params)
        name = params[f"{self.noun}Name"]
        arn = names.arn(plane.place, f"{self.kind.name}-job", name)
        record = Record(self.kind.name, name, arn, params, lifecycle.create(plane.clock.now()), {})
        with plane.store.transaction():
            if not plane.store.create(self.kind.name, name, record.document()):
                raise self._taken(arn)
            tags.put(plane, arn, params.get("Tags"))
            components.note(plane, self.kind.name, name, arn, params)
        plane.part(Runner).submit(self.kind, record)
        return {f"{self.noun}Arn": arn}

    def _taken(self, arn: str) -> ServiceError:
        return ServiceError(
            "ResourceInUse",
            f"{self.kind.name.capitalize()} job names must be unique within an AWS account and region, "
            f"and a {self.kind.name} job with this name already exists ({arn})",
        )

    def describe(self, plane: Plane, name: str) -> Params:
        """What Describe answers; raises ServiceError when there is no such job."""
        return self.kind.describe(self.found(plane, name))

    def found(self, plane: Plane, name: str) -> Record:
        """The stored job; raises ServiceError when there is none."""
        document = plane.store.get(self.kind.name, name)
        if document is None:
            raise names.not_found()
        return Record.read(document)

    def list(self, plane: Plane, params: Params) -> Params:
        """One page of summaries."""
        noun = self.noun
        end = f"{noun.removesuffix('Job')}EndTime"
        shown = (f"{noun}Name", f"{noun}Arn", "CreationTime", end, "LastModifiedTime", f"{noun}Status")

        def summary(document: Params) -> Params:
            # Lists have it of every kind of job, DescribeTransformJob does not.
            modified = {"LastModifiedTime": names.moment(document["modified"])}
            described = modified | self.kind.describe(Record.read(document))
            return {key: described[key] for key in (*shown, *self.summary) if key in described}

        documents = [document for _, document in plane.store.all(self.kind.name)]
        return listing.page(params, documents, summary, f"{noun}Summaries")

    def stop(self, plane: Plane, name: str) -> Params:
        """Ask the job to end; raises ServiceError when it is over."""
        self.found(plane, name)
        if not plane.part(Runner).stop(self.kind, name):
            status = self.found(plane, name).job.status
            raise ServiceError(
                "ValidationException",
                f"The request was rejected because the {self.kind.name} job is in status {status}.",
            )
        return {}

    def delete(self, plane: Plane, name: str) -> Params:
        """Forget a job that is over; raises ServiceError for one that is not."""
        record = self.found(plane, name)
        if not record.job.over:
            raise ServiceError(
                "ResourceInUse",
                f"The {self.kind.name} job {name} is in status {record.job.status}: stop it first.",
            )
        with plane.store.transaction():
            plane.store.delete(self.kind.name, name)
            tags.drop(plane, record.arn)
            if self.forget is not None:
                self.forget(plane, name)
        return {}
