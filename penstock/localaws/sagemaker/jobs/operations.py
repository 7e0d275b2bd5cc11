"""The operations on training and processing jobs. What a job does is in `training`, `processing` and `runner`."""

import dataclasses
from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker.jobs import admission, processing, requests, training
from penstock.localaws.sagemaker.jobs.runner import Runner
from penstock.localaws.sagemaker.jobs.service import Service
from penstock.localaws.sagemaker.jobs.work import Record
from penstock.localaws.sagemaker.plane import Operation, Plane

Params = dict[str, Any]
_UPDATABLE = ("ProfilerConfig", "ProfilerRuleConfigurations", "RemoteDebugConfig")


def _check_training(plane: Plane, params: Params) -> None:
    requests.check_training(params)
    admission.check_training(plane, params)


def _check_processing(_plane: Plane, params: Params) -> None:
    requests.check_processing(params)
    admission.check_image(params["AppSpecification"]["ImageUri"], params["RoleArn"])


TRAINING = Service(
    training.KIND,
    "TrainingJob",
    _check_training,
    ("SecondaryStatus", "WarmPoolStatus"),
    training.forget,
)
PROCESSING = Service(
    processing.KIND,
    "ProcessingJob",
    _check_processing,
    ("FailureReason", "ExitMessage"),
)


def update_training_job(plane: Plane, params: Params) -> Params:
    """Change what AWS lets one change: the profiler while the job runs, how long its instances are kept."""
    name = params["TrainingJobName"]
    job = TRAINING.found(plane, name).job
    if job.over and any(key in params for key in _UPDATABLE):
        raise ServiceError(
            "ValidationException",
            f"Training job {name} is in status {job.status}: its profiler and debugger can be updated only while it "
            "is InProgress.",
        )
    given = {key: params[key] for key in _UPDATABLE if key in params}

    def change(record: Record) -> Record:
        resources = {**record.request["ResourceConfig"], **params.get("ResourceConfig", {})}
        profiler = {**record.request.get("ProfilerConfig", {}), **given.get("ProfilerConfig", {})}
        changed = {**record.request, **given, "ResourceConfig": resources}
        return dataclasses.replace(
            record, request=changed | ({"ProfilerConfig": profiler} if profiler else {})
        )

    record = plane.part(Runner).amend(training.KIND, name, change)
    return {"TrainingJobArn": (record or TRAINING.found(plane, name)).arn}


def on_start(plane: Plane) -> None:
    """Take up what a crash interrupted, and make ready what the first job needs: clients and the jail's probe."""
    for client in ("s3", "logs"):
        plane.client(client)
    assert plane.execution.mode  # noqa: S101  probes now rather than in front of the first job
    for service in (TRAINING, PROCESSING):
        service.recover(plane)


def on_stop(plane: Plane) -> None:
    """Leave jobs as they are; the plane ends their processes next."""
    plane.part(Runner).close()


def on_reset(plane: Plane) -> None:
    """Wait for the threads of jobs whose processes have just been killed."""
    plane.part(Runner).join()


WAITS = {"training": TRAINING.wait, "processing": PROCESSING.wait}

OPERATIONS: dict[str, Operation] = {
    **TRAINING.operations(),
    **PROCESSING.operations(),
    "UpdateTrainingJob": update_training_job,
    "DeleteTrainingJob": lambda plane, params: TRAINING.delete(plane, params["TrainingJobName"]),
    "DeleteProcessingJob": lambda plane, params: PROCESSING.delete(plane, params["ProcessingJobName"]),
}
