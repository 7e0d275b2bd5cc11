"""A Step Functions task knows when its execution is stopped or its time is up, so that it can end what it started.

Touches in `ministack.services.stepfunctions`: `_execute_task` (to know which execution a task belongs to),
`_stop_execution` and `_invoke_resource_with_timeout` (to tell the task), `_error_matches` (so that no Retry or Catch
takes hold of a stopped execution) and `_fail_execution` (which would turn ABORTED into FAILED). MiniStack lets a task
run on after both, as it has no integration that waits for long. Checked on MiniStack 1.5.33.
"""

import contextlib
import contextvars
import threading
from collections.abc import Callable, Iterator
from typing import Any

from ministack.services import stepfunctions

from penstock.localaws.extension import pin

Record = dict[str, Any]
_ABORTED = "Penstock.ExecutionAborted"

_execution: contextvars.ContextVar[Record | None] = contextvars.ContextVar("execution", default=None)
_attempt: contextvars.ContextVar[threading.Event | None] = contextvars.ContextVar("attempt", default=None)
_waiting: dict[str, set[threading.Event]] = {}
_lock = threading.Lock()


def install() -> None:
    """Follow tasks, stops and timeouts."""
    pin.require(__name__)
    stepfunctions._execute_task = _knowing_the_execution(stepfunctions._execute_task)
    stepfunctions._stop_execution = _waking(stepfunctions._stop_execution)
    stepfunctions._invoke_resource_with_timeout = _ending_at_timeout(
        stepfunctions._invoke_resource_with_timeout
    )
    matches, fail = stepfunctions._error_matches, stepfunctions._fail_execution
    stepfunctions._error_matches = lambda equals, error: error != _ABORTED and matches(equals, error)

    def fail_execution(execution: Record, error: str, cause: str) -> None:
        if execution["status"] == "RUNNING":
            fail(execution, error, cause)

    stepfunctions._fail_execution = fail_execution


@contextlib.contextmanager
def stop_signal() -> Iterator[threading.Event]:
    """Within: an event that is set when the current task has to end. Raises for an execution that is stopped."""
    execution = _execution.get()
    stop = _attempt.get() or threading.Event()
    name = str((execution or {}).get("executionArn", ""))
    with _lock:
        _waiting.setdefault(name, set()).add(stop)
    try:
        check()
        yield stop
    finally:
        with _lock:
            _waiting[name].discard(stop)
            if not _waiting[name]:
                del _waiting[name]


def check() -> None:
    """Raise when the current task's execution no longer runs."""
    execution = _execution.get()
    if execution is not None and execution.get("status") != "RUNNING":
        raise stepfunctions._ExecutionError(_ABORTED, "The execution was stopped.")


def _knowing_the_execution(original: Callable[..., Any]) -> Callable[..., Any]:
    def execute_task(state: Record, raw_input: Any, execution: Record, context: Record) -> Any:
        token = _execution.set(execution)
        try:
            return original(state, raw_input, execution, context)
        finally:
            _execution.reset(token)

    return execute_task


def _waking(original: Callable[[Record], Any]) -> Callable[[Record], Any]:
    def stop_execution(data: Record) -> Any:
        answer = original(data)
        if answer[0] < 400:
            with _lock:
                stopped = list(_waiting.get(data.get("executionArn", ""), ()))
            for event in stopped:
                event.set()
        return answer

    return stop_execution


def _ending_at_timeout(original: Callable[..., Any]) -> Callable[..., Any]:
    def invoke(resource: str, input_data: Any, timeout: float) -> Any:
        over = threading.Event()
        token = _attempt.set(over)
        try:
            return original(resource, input_data, timeout)
        finally:
            over.set()
            _attempt.reset(token)

    return invoke
