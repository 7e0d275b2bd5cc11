"""One instance of a variant: a model server process that is kept running, and the connections to it.

A thread an instance: it starts the process, asks /ping until that says 200 and every few seconds from then on, waits
for its end, and starts it again after a pause that doubles, unless it was told to stop. One that no longer answers
/ping is killed and started again. An instance that was never healthy is not.
"""

import contextlib
import http.client
import logging
import socket
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from penstock.localaws.execution.process import Process
from penstock.localaws.sagemaker.hosting.http_client import Pool

log = logging.getLogger("penstock.localaws.sagemaker")

StartProcess = Callable[[str, int], Process]  # (instance id, port) → its process
STOP_SECONDS = 30.0  # AWS leaves a container 30 s between SIGTERM and SIGKILL
DRAIN_SECONDS = 60.0  # no invocation takes longer
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0
_HEALTHY_SECONDS = 60.0  # alive that long: the next pause is the first again
_BETWEEN_PINGS = 0.05


@dataclass(frozen=True)
class Health:
    """How an instance in service is looked after: /ping each `every` s, given `seconds`; replaced after `misses`."""

    every: float = 5.0
    seconds: float = 2.0  # AWS's: the container must answer 200 within 2 s
    misses: int = 3


class Instance:
    """A model server. `pool` takes requests when `ready`; `busy` counts those under way (event loop only).

    `opt_ml` is the directory it sees as /opt/ml, if known.
    `on_healthy` is told, in the instance's thread, how many seconds each start took until /ping said 200.
    """

    def __init__(
        self,
        start: StartProcess,
        patience: float,
        health: Health = Health(),
        on_healthy: Callable[[float], None] | None = None,
        opt_ml: Path | None = None,
    ) -> None:
        self.id = f"i-{uuid.uuid4().hex[:17]}"
        self.pool: Pool | None = None
        self.ready = False
        self.busy = 0
        self.opt_ml = opt_ml
        self._start_process = start
        self._patience = patience
        self._health = health
        self._on_healthy = on_healthy or unheard
        self._process: Process | None = None
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._decided = threading.Event()
        self._failure: str | None = None
        self._thread = threading.Thread(target=self._live, name=f"instance-{self.id}", daemon=True)
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """The process whose descendants are the model server; None while none runs."""
        process = self._process
        return process.pid if process is not None and process.alive else None

    @property
    def failed(self) -> bool:
        """Whether it never became healthy and never will."""
        return self._failure is not None

    def wait_healthy(self) -> str | None:
        """Block until it answers /ping for the first time (None), or will not (why not)."""
        self._decided.wait()
        return self._failure

    def drain_and_stop(self) -> None:
        """Let what is under way end, then stop. Nothing new may be routed to it any more."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while self.busy > 0 and time.monotonic() < deadline and not self._stopping.wait(0.01):
            pass
        self.stop(STOP_SECONDS)

    def stop(self, grace: float) -> None:
        """End the process, by force after `grace` seconds; returns when it has gone."""
        self.ask_to_stop(grace)
        self._thread.join(grace + 10)

    def ask_to_stop(self, grace: float) -> None:
        """As `stop`, without waiting."""
        self.ready = False
        with self._lock:
            self._stopping.set()
            if self._process is not None:
                self._process.terminate(grace)

    def _live(self) -> None:
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            born = time.monotonic()
            try:
                self._once()
            except Exception as error:
                log.exception("instance %s", self.id)
                self._decide(f"{type(error).__name__}: {error}")
            if self._failure is not None:
                break
            if time.monotonic() - born > _HEALTHY_SECONDS:
                pause = _FIRST_PAUSE
            if not self._stopping.is_set():
                log.warning("instance %s ended; it is started again in %.1f s", self.id, pause)
            self._stopping.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        self._decide("it was stopped")

    def _once(self) -> None:
        """One process from start to end."""
        port, born = _free_port(), time.monotonic()
        with self._lock:
            if self._stopping.is_set():
                return
            process = self._process = self._start_process(self.id, port)
        problem = self._until_healthy(process, port)
        if problem is not None:
            process.terminate(STOP_SECONDS)
            process.wait()
            self._decide(problem)
            return
        self.pool = Pool(port)
        with self._lock:
            self.ready = not self._stopping.is_set()
        self._decided.set()
        self._on_healthy(time.monotonic() - born)
        self._watch(process, port)
        self.ready = False

    def _watch(self, process: Process, port: int) -> None:
        """Return when the process has ended: by itself, as it was told to, or killed for not answering /ping."""
        missed = 0
        while process.wait(self._health.every) is None and process.alive:
            missed = 0 if _ping(port, self._health.seconds) else missed + 1
            if missed >= self._health.misses and not self._stopping.is_set():
                log.warning("instance %s did not answer /ping %d times: it is replaced", self.id, missed)
                self.ready = False
                process.kill()
                process.wait()

    def _until_healthy(self, process: Process, port: int) -> str | None:
        """None once /ping says 200; else why it will not."""
        deadline = time.monotonic() + self._patience
        while not self._stopping.wait(_BETWEEN_PINGS):
            if not process.alive or process.wait(0) is not None:
                said = process.last_errors[-1] if process.last_errors else "it said nothing"
                return f"The container exited with code {process.exit_code}: {said}"
            if _ping(port, self._health.seconds):
                return None
            if time.monotonic() > deadline:
                return f"It did not answer within {self._patience:.0f} seconds."
        return "it was stopped"

    def _decide(self, failure: str) -> None:
        """Only the first word counts: an instance that was healthy once is restarted, not failed."""
        if not self._decided.is_set():
            self._failure = failure
            self._decided.set()


def unheard(_seconds: float) -> None:
    """For those who do not ask how long a start took."""


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ping(port: int, seconds: float) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
        connection.request("GET", "/ping")
        answer = connection.getresponse()
        answer.read()
        return answer.status == 200
    return False
