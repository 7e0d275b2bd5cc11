"""What the runner knows of a job, whatever kind it is, and what a kind of job has to say about itself."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from penstock.localaws.execution import watch
from penstock.localaws.execution.process import Process
from penstock.localaws.sagemaker.jobs import lifecycle
from penstock.localaws.sagemaker.jobs.lifecycle import Job, Secondary, Status, Transition
from penstock.localaws.sagemaker.plane import Plane

Document = dict[str, Any]
_TAIL_CHARACTERS = 700
_KILLED = {
    watch.MEMORY: "ClientError: Please use an instance type with more memory, "
    "or reduce the size of job data processed on an instance.",
    watch.DISK: "ClientError: Insufficient disk space: [Errno 28] No space left on device. "
    "Please use a larger VolumeSizeInGB, or reduce what the job writes.",
}


@dataclass(frozen=True)
class Record:
    """A job as the store keeps it: the request, where it stands, and what it left (`extras`)."""

    kind: str
    name: str
    arn: str
    request: Document
    job: Job
    extras: Document

    def document(self) -> Document:
        """As the store keeps it; `created`, `modified` and `status` on top are for lists."""
        summary = {"created": self.job.created, "modified": self.job.modified, "status": self.job.status}
        return {**summary, **dataclasses.asdict(self)}

    @staticmethod
    def read(document: Document) -> "Record":
        """From what `document` wrote."""
        state = dict(document["job"])
        state["status"] = Status(state["status"])
        state["transitions"] = tuple(
            Transition(**{**one, "status": Secondary(one["status"])}) for one in state["transitions"]
        )
        named = {field: document[field] for field in ("kind", "name", "arn", "request", "extras")}
        return Record(job=Job(**state), **named)


class Running(Protocol):
    """What a job has running: one process, several, or a model server with somebody who asks it."""

    def wait(self) -> str | None:
        """Block until all of it has ended; why the job failed, or None when it did not."""
        ...

    def terminate(self, grace: float) -> None:
        """Ask it to end and return at once; what still runs after `grace` seconds is killed. May be called twice."""
        ...


class Work(Protocol):
    """One running job's own steps, in this order; made anew for each job. Each may raise `faults.JobFault`."""

    def prepare(self) -> None:
        """Make its directories and download what it needs."""
        ...

    def start(self, threads: int) -> Running:
        """Start it, with so many threads for number crunching."""
        ...

    def upload(self, failed: bool) -> None:
        """Store what it leaves."""
        ...

    def extras(self) -> Document:
        """What Describe shows of the end, to be kept: times in epoch seconds."""
        ...


@dataclass(frozen=True)
class Patience:
    """How long a job may wait, in seconds since it was created, and how it ends then.

    `whole`: the time it runs counts too.
    """

    seconds: float
    ending: Secondary = Secondary.STOPPED
    whole: bool = False


@dataclass(frozen=True)
class Kind:
    """A kind of job: how to make its work, to show it, and what its events are called.

    Of a request, `max_runtime` is how long it may run in seconds, `patience` how long it may wait, `retries` how often
    a fault of ours may be tried again. `discard` removes what a job left in S3 whose upload was interrupted.
    """

    name: str
    begin: Callable[[Plane, Record, Path], Work]
    describe: Callable[[Record], Document]
    event: str
    max_runtime: Callable[[Document], float]
    patience: Callable[[Document], Patience | None] = lambda _request: None
    retries: Callable[[Document], int] = lambda _request: 0
    discard: Callable[[Plane, Record], None] = lambda _plane, _record: None


def exit_failure(code: int, written: str, process: Process) -> str:
    """FailureReason of a process that ended with `code`: what it wrote itself, else the end of its standard error.

    One that was killed for its memory or its disk has AWS's reason (for memory) or ours instead.
    """
    if process.killed_for is not None:
        return _KILLED[process.killed_for]
    said = written.strip() or "\n".join(process.last_errors)[-_TAIL_CHARACTERS:]
    named = said.startswith(("AlgorithmError:", "ClientError:"))  # the built-in algorithms name it themselves
    text = f"{'' if named else 'AlgorithmError: '}{said[: lifecycle.REASON_LIMIT - 40]}"
    return f"{text}, exit code: {code}"


def read_text(path: Path, limit: int) -> str:
    """The first `limit` characters of a file the job may have written, "" when it has not; never through a link."""
    if path.is_symlink() or not path.is_file():
        return ""
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(limit)
