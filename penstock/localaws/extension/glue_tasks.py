"""Step Functions' `arn:aws:states:::glue:startJobRun[.sync]`.

Touches `ministack.services.stepfunctions._SERVICE_DISPATCH`, which has no Glue. Checked on MiniStack 1.5.33. The
result of `.sync` is the job run itself, flat, with timestamps in epoch milliseconds; a run that does not succeed is
States.TaskFailed with it, as JSON, in Cause (ErrorMessage says why). A stopped execution stops its run.
"""

import json
import threading
from typing import Any

from ministack.services import glue, stepfunctions

from penstock.localaws.extension import glue_jobs, pin, task_results, task_scope

Document = dict[str, Any]
RESOURCE = "arn:aws:states:::glue:startJobRun"
_NAMED_ERRORS = (
    "ConcurrentRunsExceededException",
    "EntityNotFoundException",
    "IdempotentParameterMismatchException",
    "InternalServiceException",
    "InvalidInputException",
    "OperationTimeoutException",
    "ResourceNumberLimitExceededException",
)


def install() -> None:
    """Add Glue to the table."""
    pin.require(__name__)
    stepfunctions._SERVICE_DISPATCH[RESOURCE] = run


def run(resource: str, parameters: Document) -> Document:
    """Start a job run and, with `.sync`, return it once it has ended."""
    if resource not in (RESOURCE, f"{RESOURCE}.sync"):
        raise _failed("States.Runtime", f"The resource {resource} is not one Step Functions has for Glue.")
    with task_scope.stop_signal() as stop:
        answer = _start(parameters)
        job = parameters["JobName"]
        if resource == RESOURCE:
            return {**answer, "JobName": job}
        return _finished(job, answer["JobRunId"], stop)


def _start(parameters: Document) -> Document:
    try:
        task_results.check_fields("glue", "StartJobRun", parameters)
    except task_results.UnsupportedField as error:
        raise _failed("States.Runtime", str(error)) from error
    status, _, body = glue._start_job_run(parameters)
    answer: Document = json.loads(body)
    if status >= 400:
        code = str(answer.get("__type", "")).rpartition("#")[2]
        name = code if code in _NAMED_ERRORS else "AWSGlueException"
        cause = f"{answer.get('message', '')} (Service: AWSGlue; Status Code: {status}; Error Code: {code})"
        raise _failed(f"Glue.{name}", cause)
    return answer


def _finished(job: str, run_id: str, stop: threading.Event) -> Document:
    found = glue_jobs.find(job, run_id)
    if found is None:
        raise _failed("Glue.EntityNotFoundException", f"Job run {run_id} of {job} is gone.")
    glue_jobs.RUNS.wait(found, stop)
    if found["JobRunState"] in glue_jobs.ACTIVE:
        glue._batch_stop_job_run({"JobName": job, "JobRunIds": [run_id]})
        task_scope.check()
        raise _failed("States.Timeout", f"The task ended before run {run_id} of {job} did.")
    result: Document = task_results.in_epoch_milliseconds("glue", "JobRun", found)
    if found["JobRunState"] != "SUCCEEDED":
        raise _failed("States.TaskFailed", json.dumps(result))
    return result


def _failed(error: str, cause: str) -> Exception:
    failure: Exception = stepfunctions._ExecutionError(error, cause)
    return failure
