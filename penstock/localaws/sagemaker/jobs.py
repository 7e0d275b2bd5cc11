"""The operations on training and processing jobs. What a job does is in `training`, `processing` and `runner`."""

import threading
from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker import (
    job_requests,
    lifecycle,
    listing,
    names,
    processing,
    tags,
    training,
)
from penstock.localaws.sagemaker.plane import Operation, Plane
from penstock.localaws.sagemaker.runner import Runner
from penstock.localaws.sagemaker.work import Kind, Record

Params = dict[str, Any]
_KINDS = {kind.name: kind for kind in (training.KIND, processing.KIND)}


def wait_job(plane: Plane, kind: str, name: str, stop: threading.Event | None) -> Params:
    """Block until the job has ended or `stop` is set; its Describe answer."""
    known = _KINDS.get(kind)
    if known is None:
        raise ServiceError("UnsupportedOperation", f"The embedded AWS has no {kind} jobs.")
    plane.part(Runner).wait(known, name, stop)
    return known.describe(_found(plane, known, name))


def on_start(plane: Plane) -> None:
    """Fail what a crash interrupted, and make ready what the first job needs: clients and the jail's probe."""
    for kind in _KINDS.values():
        plane.part(Runner).recover(kind)
    for service in ("s3", "logs"):
        plane.client(service)
    assert plane.execution.mode  # noqa: S101  probes now rather than in front of the first job


def on_stop(plane: Plane) -> None:
    """Leave jobs as they are; the plane ends their processes next."""
    plane.part(Runner).close()


def _found(plane: Plane, kind: Kind, name: str) -> Record:
    document = plane.store.get(kind.name, name)
    if document is None:
        raise names.not_found()
    return Record.read(document)


def _create(plane: Plane, kind: Kind, noun: str, params: Params) -> Params:
    name = params[f"{noun}Name"]
    arn = names.arn(plane.place, f"{kind.name}-job", name)
    record = Record(kind.name, name, arn, params, lifecycle.create(plane.clock.now()), {})
    with plane.store.transaction():
        if not plane.store.create(kind.name, name, record.document()):
            word = kind.name.capitalize()
            raise ServiceError(
                "ResourceInUse",
                f"{word} job names must be unique within an AWS account and region, "
                f"and a {kind.name} job with this name already exists ({arn})",
            )
        tags.put(plane, arn, params.get("Tags"))
    plane.part(Runner).submit(kind, record)
    return {f"{noun}Arn": arn}


def _stop(plane: Plane, kind: Kind, name: str) -> Params:
    record = _found(plane, kind, name)
    if not plane.part(Runner).stop(kind, name):
        record = _found(plane, kind, name)
        raise ServiceError(
            "ValidationException",
            f"The request was rejected because the {kind.name} job is in status {record.job.status}.",
        )
    return {}


def _delete(plane: Plane, kind: Kind, name: str) -> Params:
    record = _found(plane, kind, name)
    if not record.job.over:
        raise ServiceError(
            "ResourceInUse", f"The {kind.name} job {name} is in status {record.job.status}: stop it first."
        )
    with plane.store.transaction():
        plane.store.delete(kind.name, name)
        tags.drop(plane, record.arn)
    return {}


def _list(plane: Plane, kind: Kind, noun: str, params: Params) -> Params:
    end = f"{noun.removesuffix('Job')}EndTime"

    def summary(document: Params) -> Params:
        described = kind.describe(Record.read(document))
        wanted = (f"{noun}Name", f"{noun}Arn", "CreationTime", end, "LastModifiedTime", f"{noun}Status")
        extra = ("SecondaryStatus",) if kind is training.KIND else ("FailureReason", "ExitMessage")
        return {key: described[key] for key in (*wanted, *extra) if key in described}

    documents = [document for _, document in plane.store.all(kind.name)]
    return listing.page(params, documents, summary, f"{noun}Summaries")


def _create_training(plane: Plane, params: Params) -> Params:
    job_requests.check_training(params)
    return _create(plane, training.KIND, "TrainingJob", params)


def _create_processing(plane: Plane, params: Params) -> Params:
    job_requests.check_processing(params)
    return _create(plane, processing.KIND, "ProcessingJob", params)


def _operations(kind: Kind, noun: str) -> dict[str, Operation]:
    return {
        f"Describe{noun}": lambda plane, p: kind.describe(_found(plane, kind, p[f"{noun}Name"])),
        f"List{noun}s": lambda plane, p: _list(plane, kind, noun, p),
        f"Stop{noun}": lambda plane, p: _stop(plane, kind, p[f"{noun}Name"]),
        f"Delete{noun}": lambda plane, p: _delete(plane, kind, p[f"{noun}Name"]),
    }


OPERATIONS: dict[str, Operation] = {
    "CreateTrainingJob": _create_training,
    "CreateProcessingJob": _create_processing,
    **_operations(training.KIND, "TrainingJob"),
    **_operations(processing.KIND, "ProcessingJob"),
}
