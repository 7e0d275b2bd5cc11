"""What happens to a job, as a pure function: `handle(job, event)` gives the job afterwards and what to do about it.

    Starting → (Pending: no free place) → Downloading → Training → Uploading → Completed | Failed
    a stop while it runs: → Stopping → (uploading) → Stopped;  time over: → Uploading → Stopped, MaxRuntimeExceeded
    waited too long: → Stopped;  a fault of ours and a retry left: → Restarting → Downloading

Training and processing jobs share it; a processing job does not show its secondary status. The runner carries out the
instructions and answers each with an event; an event that comes too late changes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

STOP_GRACE_SECONDS = 120.0
INTERNAL_ERROR = "InternalServerError: We encountered an internal error. Please try again."
REASON_LIMIT = 1024


class Status(StrEnum):
    """TrainingJobStatus and ProcessingJobStatus."""

    IN_PROGRESS = "InProgress"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPING = "Stopping"
    STOPPED = "Stopped"


class Secondary(StrEnum):
    """SecondaryStatus, as far as jobs get here."""

    PENDING = "Pending"
    STARTING = "Starting"
    DOWNLOADING = "Downloading"
    TRAINING = "Training"
    UPLOADING = "Uploading"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    MAX_RUNTIME = "MaxRuntimeExceeded"
    MAX_WAIT = "MaxWaitTimeExceeded"
    RESTARTING = "Restarting"
    COMPLETED = "Completed"
    FAILED = "Failed"


_WAITING = (Secondary.STARTING, Secondary.PENDING, Secondary.RESTARTING)
TERMINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.STOPPED})

_MESSAGES = {  # AWS's, where AWS has one
    Secondary.PENDING: "Waiting for a free place on this machine",
    Secondary.STARTING: "Starting the training job",
    Secondary.DOWNLOADING: "Downloading input data",
    Secondary.TRAINING: "Training image download completed. Training in progress.",
    Secondary.UPLOADING: "Uploading generated training model",
    Secondary.STOPPING: "Stopping the training job",
    Secondary.STOPPED: "Training job stopped",
    Secondary.MAX_RUNTIME: "Training job runtime exceeded MaxRuntimeInSeconds provided",
    Secondary.MAX_WAIT: "Training job wait time exceeded MaxWaitTimeInSeconds provided",
    Secondary.RESTARTING: "Restarting the training job",
    Secondary.COMPLETED: "Training job completed",
    Secondary.FAILED: "Training job failed",
}


@dataclass(frozen=True)
class Transition:
    """One secondary status with the time it lasted; `ended` is None while it lasts. Epoch seconds."""

    status: Secondary
    started: float
    message: str
    ended: float | None = None


@dataclass(frozen=True)
class Job:
    """What the lifecycle knows of a job. Times are epoch seconds."""

    status: Status
    transitions: tuple[Transition, ...]
    created: float
    modified: float
    started: float | None = None
    ended: float | None = None
    failure: str | None = None
    out_of_time: bool = False
    out_of_wait: bool = False
    attempts: int = 0  # how often it has been restarted

    @property
    def secondary(self) -> Secondary:
        """The current secondary status."""
        return self.transitions[-1].status

    @property
    def over(self) -> bool:
        """Whether nothing happens to it any more."""
        return self.status in TERMINAL

    @property
    def waiting(self) -> bool:
        """Whether it waits for a place."""
        return not self.over and self.secondary in _WAITING

    @property
    def billable_seconds(self) -> int | None:
        """From start to end in whole seconds, at least one; None before there are both."""
        if self.started is None or self.ended is None:
            return None
        return max(1, round(self.ended - self.started))


# --- events ---


@dataclass(frozen=True)
class Queued:
    """Every place is taken: the job waits; `message` says for what, if it is not for a place."""

    at: float
    message: str | None = None


@dataclass(frozen=True)
class Admitted:
    """There is a place for the job."""

    at: float


@dataclass(frozen=True)
class Prepared:
    """Its /opt/ml is ready and its inputs are downloaded."""

    at: float


@dataclass(frozen=True)
class Ended:
    """Its process is gone; `failure` is why it counts as failed, None when it exited with 0."""

    at: float
    failure: str | None


@dataclass(frozen=True)
class Uploaded:
    """Its artefacts are in S3."""

    at: float


@dataclass(frozen=True)
class Broken:
    """A step of ours failed: download, start or upload. `again`: it is to be tried once more."""

    at: float
    reason: str
    again: bool = False


@dataclass(frozen=True)
class StopRequested:
    """Somebody called Stop…Job."""

    at: float


@dataclass(frozen=True)
class TimeOver:
    """MaxRuntimeInSeconds has passed since it started or, with `wait`, MaxWaitTimeInSeconds since it was created."""

    at: float
    wait: bool = False


@dataclass(frozen=True)
class WaitOver:
    """It has waited for a place as long as it may; `secondary` is how that is called."""

    at: float
    secondary: Secondary


Event = Queued | Admitted | Prepared | Ended | Uploaded | Broken | StopRequested | TimeOver | WaitOver


class Instruction(StrEnum):
    """What the runner has to do next."""

    PREPARE = "prepare"  # make /opt/ml, download; answer Prepared or Broken
    RUN = "run"  # start the process; answer Ended or Broken
    TERMINATE = "terminate"  # SIGTERM now, SIGKILL after STOP_GRACE_SECONDS
    UPLOAD = "upload"  # store the artefacts; answer Uploaded or Broken
    FINISH = "finish"  # tell whoever waits, give the place back, clean up


Outcome = tuple[Job, list[Instruction]]


def create(at: float) -> Job:
    """A job as it is born."""
    return Job(Status.IN_PROGRESS, (_entered(Secondary.STARTING, at),), created=at, modified=at)


def handle(job: Job, event: Event) -> Outcome:
    """The job after `event`, and what to do."""
    if job.over:
        return job, []
    return _HANDLERS[type(event)](job, event)


def failed_by_restart(job: Job, at: float, again: bool = False) -> Job:
    """What a job is that was under way when the server died; `again`: it may be tried once more."""
    if again and job.status is Status.IN_PROGRESS:
        return _enter(replace(job, attempts=job.attempts + 1, failure=None), Secondary.RESTARTING, at)
    return handle(job, Broken(at, INTERNAL_ERROR))[0]


def _queued(job: Job, event: Queued) -> Outcome:
    if job.secondary in (Secondary.STARTING, Secondary.RESTARTING):
        job = _enter(job, Secondary.PENDING, event.at)
    if event.message is not None and job.transitions[-1].message == _MESSAGES[Secondary.PENDING]:
        last = replace(job.transitions[-1], message=event.message)
        job = replace(job, transitions=(*job.transitions[:-1], last))
    return job, []


def _wait_over(job: Job, event: WaitOver) -> Outcome:
    return _finish(job, event.at, Status.STOPPED, event.secondary) if job.waiting else (job, [])


def _admitted(job: Job, event: Admitted) -> Outcome:
    if job.secondary not in _WAITING:
        return job, []
    started = event.at if job.started is None else job.started
    return replace(_enter(job, Secondary.DOWNLOADING, event.at), started=started), [Instruction.PREPARE]


def _prepared(job: Job, event: Prepared) -> Outcome:
    if job.secondary is not Secondary.DOWNLOADING:  # stopped meanwhile
        return _finish(job, event.at, Status.STOPPED, Secondary.STOPPED)
    return _enter(job, Secondary.TRAINING, event.at), [Instruction.RUN]


def _broken(job: Job, event: Broken) -> Outcome:
    if event.again and job.status is Status.IN_PROGRESS and not job.out_of_time:
        restarting = failed_by_restart(job, event.at, again=True)
        return _enter(restarting, Secondary.DOWNLOADING, event.at), [Instruction.PREPARE]
    return _finish(replace(job, failure=event.reason), event.at, Status.FAILED, Secondary.FAILED)


def _process_ended(job: Job, event: Ended) -> Outcome:
    if job.status is Status.STOPPING:
        return replace(job, modified=event.at), [Instruction.UPLOAD]
    failure = None if job.out_of_time else event.failure
    uploading = _enter(replace(job, failure=failure), Secondary.UPLOADING, event.at)
    return uploading, [Instruction.UPLOAD]


def _uploaded(job: Job, event: Uploaded) -> Outcome:
    at = event.at
    if job.status is Status.STOPPING:
        return _finish(job, at, Status.STOPPED, Secondary.STOPPED)
    if job.out_of_time:
        return _finish(
            job, at, Status.STOPPED, Secondary.MAX_WAIT if job.out_of_wait else Secondary.MAX_RUNTIME
        )
    if job.failure is not None:
        return _finish(job, at, Status.FAILED, Secondary.FAILED)
    return _finish(job, at, Status.COMPLETED, Secondary.COMPLETED)


def _stop(job: Job, event: StopRequested) -> Outcome:
    at = event.at
    if job.status is Status.STOPPING:
        return job, []
    if job.secondary in _WAITING:
        return _finish(job, at, Status.STOPPED, Secondary.STOPPED)
    running = job.secondary is Secondary.TRAINING
    stopping = replace(_enter(job, Secondary.STOPPING, at), status=Status.STOPPING)
    return stopping, [Instruction.TERMINATE] if running else []


def _time_over(job: Job, event: TimeOver) -> Outcome:
    if job.secondary is not Secondary.TRAINING or job.out_of_time:
        return job, []
    over = replace(job, out_of_time=True, out_of_wait=event.wait, modified=event.at)
    return over, [Instruction.TERMINATE]


def _finish(job: Job, at: float, status: Status, secondary: Secondary) -> Outcome:
    entered = _enter(job, secondary, at)
    last = replace(entered.transitions[-1], ended=at)
    failure = job.failure[:REASON_LIMIT] if job.failure and status is Status.FAILED else None
    over = replace(
        entered, status=status, ended=at, failure=failure, transitions=(*entered.transitions[:-1], last)
    )
    return over, [Instruction.FINISH]


def _enter(job: Job, secondary: Secondary, at: float) -> Job:
    last = replace(job.transitions[-1], ended=at)
    return replace(job, modified=at, transitions=(*job.transitions[:-1], last, _entered(secondary, at)))


def _entered(secondary: Secondary, at: float) -> Transition:
    return Transition(secondary, at, _MESSAGES[secondary])


_HANDLERS: dict[type, Callable[[Job, Any], Outcome]] = {
    Queued: _queued,
    Admitted: _admitted,
    Prepared: _prepared,
    Ended: _process_ended,
    Uploaded: _uploaded,
    Broken: _broken,
    StopRequested: _stop,
    TimeOver: _time_over,
    WaitOver: _wait_over,
}
