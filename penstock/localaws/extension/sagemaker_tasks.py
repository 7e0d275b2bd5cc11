"""Step Functions' `arn:aws:states:::sagemaker:<action>[.sync]` and `aws-sdk:sagemaker:<action>`.

Touches `ministack.services.stepfunctions._SERVICE_DISPATCH`, `_AWS_SDK_SERVICE_MAP` and `_AWS_SDK_ERROR_PREFIX`, its
tables of integrations, none of which knows SageMaker. Checked on MiniStack 1.5.33. What AWS does, and so do we:

- only the actions with an optimised integration exist, and `.sync` only for jobs;
- the result of `.sync` is the Describe answer with timestamps in epoch milliseconds;
- a job that does not complete is States.TaskFailed with that answer, as JSON, in Cause;
- an API error is SageMaker.<Code>Exception when the API's model names it, else SageMaker.AmazonSageMakerException;
- a stopped execution, or a task whose time is up, stops its job.
"""

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ministack.services import stepfunctions

from penstock.localaws.errors import ServiceError
from penstock.localaws.extension import pin, task_results, task_scope

log = logging.getLogger("penstock.localaws")
Document = dict[str, Any]
PREFIX = "arn:aws:states:::sagemaker:"
_REQUEST_RESPONSE = ("createModel", "createEndpointConfig", "createEndpoint", "updateEndpoint")
_NAMED_ERRORS = ("ResourceInUse", "ResourceLimitExceeded", "ResourceNotFound", "Conflict")


class Plane(Protocol):
    """What this hook needs of the SageMaker plane."""

    def call(self, operation: str, params: Document) -> Document:
        """One API call; raises ServiceError."""
        ...

    def wait_job(self, kind: str, name: str, stop: threading.Event | None) -> Document:
        """Block until the job has ended or `stop` is set; returns its Describe answer."""
        ...


@dataclass(frozen=True)
class Job:
    """One kind of job: its noun in API names and its kind in the plane."""

    noun: str
    kind: str


_JOBS = {
    f"create{noun}": Job(noun, kind)
    for noun, kind in (
        ("TrainingJob", "training"),
        ("ProcessingJob", "processing"),
        ("TransformJob", "transform"),
        ("HyperParameterTuningJob", "tuning"),
        ("LabelingJob", "labeling"),
    )
}


def install(plane: Plane) -> None:
    """Add SageMaker to the tables."""
    pin.require(__name__)
    handler: Callable[[str, Document], Document] = lambda resource, given: run(plane, resource, given)  # noqa: E731
    stepfunctions._SERVICE_DISPATCH[PREFIX] = handler
    stepfunctions._AWS_SDK_SERVICE_MAP["sagemaker"] = {"target_prefix": "SageMaker", "protocol": "json"}
    stepfunctions._AWS_SDK_ERROR_PREFIX["sagemaker"] = "SageMaker"


def run(plane: Plane, resource: str, parameters: Document) -> Document:
    """Carry out one task and return its result."""
    action, _, pattern = resource.removeprefix(PREFIX).partition(".")
    job = _JOBS.get(action)
    if (
        (job is None and action not in _REQUEST_RESPONSE)
        or pattern not in ("", "sync")
        or (pattern and not job)
    ):
        raise _failed(
            "States.Runtime", f"The resource {resource} is not one Step Functions has for SageMaker."
        )
    operation = action[0].upper() + action[1:]
    with task_scope.stop_signal() as stop:
        answer = _call(plane, operation, parameters)
        if not (job and pattern):
            return answer
        return _finished(plane, job, parameters[f"{job.noun}Name"], stop)


def _call(plane: Plane, operation: str, parameters: Document) -> Document:
    try:
        task_results.check_fields("sagemaker", operation, parameters)
        return plane.call(operation, parameters)
    except task_results.UnsupportedField as error:
        raise _failed("States.Runtime", str(error)) from error
    except ServiceError as error:
        raise _failed(_error_name(error.code), _cause(error)) from error


def _finished(plane: Plane, job: Job, name: str, stop: threading.Event) -> Document:
    """Wait for a job; what to do when it ended well, badly or not at all."""
    described = plane.wait_job(job.kind, name, stop)
    shape = task_results.output_shape("sagemaker", f"Describe{job.noun}")
    described = dict(task_results.in_epoch_milliseconds("sagemaker", shape, described))
    status = described[f"{job.noun}Status"]
    if stop.is_set() and status not in ("Completed", "Failed", "Stopped"):
        _stop(plane, job, name)
        task_scope.check()
        raise _failed("States.Timeout", f"The task ended before {job.noun} {name} did.")
    if status != "Completed":
        raise _failed("States.TaskFailed", json.dumps(described))
    return described


def _stop(plane: Plane, job: Job, name: str) -> None:
    """Best effort, as on AWS: the execution is over either way."""
    try:
        plane.call(f"Stop{job.noun}", {f"{job.noun}Name": name})
    except ServiceError as error:
        log.warning("%s %s could not be stopped with its execution: %s", job.noun, name, error)


def _error_name(code: str) -> str:
    bare = code.removesuffix("Exception")
    return f"SageMaker.{bare}Exception" if bare in _NAMED_ERRORS else "SageMaker.AmazonSageMakerException"


def _cause(error: ServiceError) -> str:
    return (
        f"{error.message} (Service: AmazonSageMaker; Status Code: {error.status}; Error Code: {error.code})"
    )


def _failed(error: str, cause: str) -> Exception:
    failure: Exception = stepfunctions._ExecutionError(error, cause)
    return failure
