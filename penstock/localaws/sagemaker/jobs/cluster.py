"""The processes of one job, one an instance: they end together."""

from collections.abc import Callable, Sequence

from penstock.localaws.execution.execution import Execution
from penstock.localaws.execution.process import Process, ProcessSpec

# (exit code, process) → why the job failed, None when this instance did not fail.
Verdict = Callable[[int, Process], str | None]


class Cluster:
    """Running instances. A cluster is over when all have ended; the first that fails takes the others along."""

    def __init__(
        self, execution: Execution, specs: Sequence[ProcessSpec], verdict: Verdict, grace: float
    ) -> None:
        self._verdict = verdict
        self._grace = grace
        self._processes = [execution.start(spec) for spec in specs]

    def wait(self) -> str | None:
        """Block until every instance has ended; why the job failed, or None."""
        failure: str | None = None
        for process in self._processes:
            said = self._verdict(process.wait() or 0, process)
            if said is not None and failure is None:
                failure = said
                self.terminate(self._grace)
        return failure

    def terminate(self, grace: float) -> None:
        """SIGTERM to every instance, SIGKILL after `grace` seconds."""
        for process in self._processes:
            process.terminate(grace)
