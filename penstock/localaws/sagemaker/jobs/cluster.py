"""The processes of one job, one an instance, with what serves them while they run: they end together."""

import queue
from collections.abc import Callable, Sequence
from typing import Protocol

from penstock.localaws.execution.execution import Execution
from penstock.localaws.execution.process import Process, ProcessSpec

# (exit code, process) → why the job failed, None when this instance did not fail.
Verdict = Callable[[int, Process], str | None]


class Helper(Protocol):
    """Something that works for the processes while they run: feeds their pipes, stores their checkpoints."""

    def start(self, failed: Callable[[str], None]) -> None:
        """Begin; `failed(why)` ends the job."""
        ...

    def stop(self) -> None:
        """End, and return when it has."""
        ...


class Cluster:
    """Running instances. A cluster is over when all have ended; the first that fails takes the others along."""

    def __init__(
        self,
        execution: Execution,
        specs: Sequence[ProcessSpec],
        verdict: Verdict,
        grace: float,
        helpers: Sequence[Helper] = (),
    ) -> None:
        self._verdict = verdict
        self._grace = grace
        self._helpers = helpers
        self._failure: str | None = None
        self._ended: queue.SimpleQueue[Process] = queue.SimpleQueue()
        self._processes: list[Process] = []
        try:
            for spec in specs:
                self._processes.append(execution.start(spec))
        except BaseException:
            for process in self._processes:
                process.kill()
            raise
        for helper in helpers:
            helper.start(self._fail)
        for process in self._processes:
            process.when_ended(self._ended.put)

    def wait(self) -> str | None:
        """Block until every instance has ended; why the job failed, or None."""
        try:
            for _ in self._processes:
                process = self._ended.get()
                said = self._verdict(process.exit_code or 0, process)
                if said is not None:
                    self._fail(said)
        finally:
            for helper in self._helpers:
                helper.stop()
        return self._failure

    def _fail(self, why: str) -> None:
        """The first reason counts; the others are asked to end."""
        if self._failure is None:
            self._failure = why
            self.terminate(self._grace)

    def terminate(self, grace: float) -> None:
        """SIGTERM to every instance, SIGKILL after `grace` seconds."""
        for process in self._processes:
            process.terminate(grace)
