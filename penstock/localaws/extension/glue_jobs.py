"""Glue job runs really run: concurrency limits, timeouts, stopping, failures and restarts as on AWS.

Touches in `ministack.services.glue`: `_start_job_run` (which calls a Spark job SUCCEEDED without running it, ignores a
run's own timeout and knows no MaxConcurrentRuns), `_create_job` and `_update_job` (which forget ExecutionProperty),
`_batch_stop_job_run` (which leaves the script running) and `_restore_state` (which leaves runs of a dead server
RUNNING for ever). Checked on MiniStack 1.5.33. The script is run by the `Runner` given to `install`.
"""

import contextvars
import logging
import math
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from ministack.core.responses import error_response_json, json_response
from ministack.services import glue

from penstock.localaws.extension import pin

log = logging.getLogger("penstock.localaws")
Response = tuple[int, dict[str, Any], bytes]
Record = dict[str, Any]
Handler = Callable[[Record], Response]
ACTIVE = ("STARTING", "RUNNING", "STOPPING", "WAITING")
_RESTARTED = "The embedded AWS stopped while this run was going on."


class Runner(Protocol):
    """What runs the script of one job run: sets JobRunState, ErrorMessage and ends when the run is being stopped."""

    def execute(self, run: Record, job: Record, args: dict[str, str], resolved: str) -> None:
        """Run the script at `resolved` with `--key value` arguments; blocks until it has ended."""
        ...

    def stop_run(self, run_id: str) -> None:
        """End a run's process, if it has one."""
        ...


class Runs:
    """The runs going on, so that others can wait for their end without looking again and again."""

    def __init__(self) -> None:
        self._ended: dict[str, threading.Event] = {}
        self._stopped: set[str] = set()

    def begin(self, run_id: str) -> None:
        """Note a run."""
        self._ended[run_id] = threading.Event()

    def stop(self, run_id: str) -> bool:
        """Note that the run is to end as STOPPED; False when it has ended already."""
        if run_id not in self._ended:
            return False
        self._stopped.add(run_id)
        return True

    def was_stopped(self, run_id: str) -> bool:
        """Whether somebody asked for the run's end."""
        return run_id in self._stopped

    def end(self, run_id: str) -> None:
        """Wake whoever waits for the run."""
        self._stopped.discard(run_id)
        self._ended.pop(run_id).set()

    def wait(self, run: Record, stop: threading.Event) -> None:
        """Block until the run has ended or `stop` is set."""
        ended = self._ended.get(run["Id"])
        while ended is not None and not ended.wait(0.1):
            if stop.is_set():
                return


RUNS = Runs()


def install(runner: Runner) -> None:
    """Start, stop and restore job runs our way."""
    pin.require(__name__)
    glue._create_job = _keeping_execution_property(glue._create_job, "Name", None)
    glue._update_job = _keeping_execution_property(glue._update_job, "JobName", "JobUpdate")
    glue._restore_state = _failing_lost_runs(glue._restore_state)
    glue._batch_stop_job_run = _really_stopping(glue._batch_stop_job_run, runner)
    glue._start_job_run = lambda data: _start_job_run(data, runner)


def _keeping_execution_property(original: Handler, name_field: str, within: str | None) -> Handler:
    def handler(data: Record) -> Response:
        answer = original(data)
        given = (data.get(within) or {}) if within else data
        if answer[0] < 400 and "ExecutionProperty" in given:
            glue._jobs[data[name_field]]["ExecutionProperty"] = given["ExecutionProperty"]
        return answer

    return handler


def _failing_lost_runs(original: Callable[[Record], None]) -> Callable[[Record], None]:
    def restore(data: Record) -> None:
        original(data)
        for runs in glue._job_runs.all_values():
            for run in runs:
                if run["JobRunState"] in ACTIVE:
                    _finish(run, "FAILED", _RESTARTED)

    return restore


def _really_stopping(original: Handler, runner: Runner) -> Handler:
    def handler(data: Record) -> Response:
        answer = original(data)
        for run_id in data.get("JobRunIds", []):
            if RUNS.stop(run_id):
                runner.stop_run(run_id)
        return answer

    return handler


def _start_job_run(data: Record, runner: Runner) -> Response:
    """StartJobRun: refuse what AWS refuses, else run in a thread that keeps the caller's account and region."""
    name = data.get("JobName")
    job = glue._jobs.get(name)
    if job is None:
        refused: Response = error_response_json(
            "EntityNotFoundException", f"Job with name: {name} not found.", 400
        )
        return refused
    runs = glue._job_runs.setdefault(name, [])
    limit = int((job.get("ExecutionProperty") or {}).get("MaxConcurrentRuns") or 1)
    if sum(run["JobRunState"] in ACTIVE for run in runs) >= limit:
        busy: Response = error_response_json(
            "ConcurrentRunsExceededException", f"Concurrent runs exceeded for {name}", 400
        )
        return busy
    run = _new_run(job, data)
    runs.append(run)
    arguments = {
        **glue._script_args(job, name, run["Id"], run["Arguments"]),
        **(job["NonOverridableArguments"] or {}),
    }
    RUNS.begin(run["Id"])
    work = contextvars.copy_context().run
    threading.Thread(
        target=work, args=(_run, run, job, arguments, runner), name=f"glue-{run['Id'][:12]}", daemon=True
    ).start()
    answer: Response = json_response({"JobRunId": run["Id"]})
    return answer


def _new_run(job: Record, data: Record) -> Record:
    """A run's record with the fields GetJobRun answers."""
    now = time.time()
    shell = job.get("Command", {}).get("Name") == "pythonshell"
    capacity = data.get("MaxCapacity") or job.get("MaxCapacity") or (0.0625 if shell else None)
    run = {
        "Id": data.get("JobRunId") or f"jr_{secrets.token_hex(32)}",
        "JobName": job["Name"],
        "JobMode": "SCRIPT",
        "StartedOn": now,
        "LastModifiedOn": now,
        "JobRunState": "STARTING",
        "Arguments": dict(data.get("Arguments") or {}),
        "PredecessorRuns": [],
        "AllocatedCapacity": math.floor(capacity or job.get("NumberOfWorkers") or 2),
        "ExecutionTime": 0,
        "Timeout": int(data.get("Timeout") or job.get("Timeout") or 2880),
        "GlueVersion": job.get("GlueVersion", "3.0"),
        "Attempt": 0,
        "LogGroupName": "/aws-glue/jobs",
    }
    if capacity is not None:
        run["MaxCapacity"] = capacity
    else:
        run["WorkerType"] = data.get("WorkerType") or job.get("WorkerType", "G.1X")
        run["NumberOfWorkers"] = data.get("NumberOfWorkers") or job.get("NumberOfWorkers", 2)
    return run


def _run(run: Record, job: Record, arguments: dict[str, str], runner: Runner) -> None:
    """One run from start to end; whatever happens, its record says so."""
    try:
        problem, resolved = _prepare(job)
        if problem:
            _finish(run, "FAILED", problem)
            return
        run.update(JobRunState="RUNNING", LastModifiedOn=time.time())
        runner.execute(run, job, {key: str(value) for key, value in arguments.items()}, resolved)
        _finish(run, run["JobRunState"] if run["JobRunState"] not in ACTIVE else "SUCCEEDED", "")
    except Exception as error:
        log.exception("Glue run %s of job %s failed to run", run["Id"], job["Name"])
        _finish(run, "FAILED", f"The run could not be carried out: {error}")
    finally:
        RUNS.end(run["Id"])


def _prepare(job: Record) -> tuple[str, str]:
    """Why the job cannot run (or nothing), and the local path of its script."""
    command = job.get("Command", {})
    resolved = glue._resolve_script(command.get("ScriptLocation", ""))
    if not resolved:
        return (
            f"LAUNCH ERROR | The script {command.get('ScriptLocation')} does not exist or cannot be read.",
            "",
        )
    return "", str(resolved)


def _finish(run: Record, state: str, message: str) -> None:
    """Write a run's end; a run that was stopped ends as such, however its script took it."""
    now = time.time()
    run["JobRunState"] = "STOPPED" if RUNS.was_stopped(run["Id"]) else state
    if message and not run.get("ErrorMessage"):
        run["ErrorMessage"] = message
    run.update(CompletedOn=now, LastModifiedOn=now, ExecutionTime=int(now - run["StartedOn"]))


def find(job_name: str, run_id: str) -> Record | None:
    """A run's record."""
    runs: list[Record] = glue._job_runs.get(job_name, [])
    return next((run for run in runs if run["Id"] == run_id), None)
