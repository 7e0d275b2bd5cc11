"""Who predicts, and when: requests wait in one queue of limited length and are predicted together if they may be.

Functions that say they are QUICK are called in the event loop, with all that arrived in one turn of it; a change of
threads would take longer than they do. All others are called by threads. A full queue refuses: it never grows.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Condition, Thread

from serving.connection import Exchange
from serving.errors import Answer, RequestError, answer_for
from serving.handlers import Handlers, Outcome, Request
from serving.metrics import Metrics
from serving.settings import Settings

SMALL = 16 * 1024  # bytes of a body up to which QUICK functions may hold up the event loop
GONE = 499  # the status of a request whose caller left before its turn: nobody is sent it
Told = Callable[[Sequence["Job"], Sequence[Outcome], float | None], None]


@dataclass(slots=True)
class Job:
    """A request for a model, and the exchange that waits for its answer (which may have gone meanwhile)."""

    handlers: Handlers
    request: Request
    exchange: Exchange
    gone: bool = False


class Batcher:
    """Takes jobs from the event loop and hands outcomes back in it: `tell(jobs, outcomes, seconds of the model)`.

    `seconds` is None when the model was not asked, since the callers had gone.
    """

    def __init__(self, settings: Settings, metrics: Metrics, tell: Told) -> None:
        self._batching = settings.batching
        self._metrics = metrics
        self._tell = tell
        self._quick: deque[Job] = deque()
        self._waiting: deque[Job] = deque()
        self._changed = Condition()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threads = settings.threads

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start the threads; `loop` is where outcomes are told."""
        self._loop = loop
        for number in range(self._threads):
            Thread(target=self._work, name=f"predict-{number}", daemon=True).start()

    def put(self, job: Job) -> None:
        """Take a job; raise RequestError 429 when as many wait as may."""
        if len(self._quick) + len(self._waiting) >= self._batching.queue:
            raise RequestError(429, f"{self._batching.queue} requests wait already. Try again in a second.")
        if job.handlers.quick and len(job.request.body) <= SMALL:
            self._put_quick(job)
        else:
            with self._changed:
                self._waiting.append(job)
                self._changed.notify()
        self._metrics.waiting(len(self._quick) + len(self._waiting))

    def _put_quick(self, job: Job) -> None:
        self._quick.append(job)
        assert self._loop is not None  # noqa: S101 - started before it serves
        waits = self._batching.wait and self._largest(job) > 1
        if len(self._quick) > 1:  # somebody has asked for the turn
            if waits and len(self._quick) == self._batching.largest:
                self._loop.call_soon(self._turn)  # it is full: there is nothing to wait for
        elif waits:
            self._loop.call_later(self._batching.wait, self._turn)
        else:
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """Predict what has arrived; what comes meanwhile gets a turn of its own."""
        jobs = list(self._quick)
        self._quick.clear()
        while jobs:
            batch = _first(jobs, self._largest(jobs[0]))
            del jobs[: len(batch)]
            self._done(batch, *self._predict(batch))
        self._metrics.waiting(len(self._waiting))

    def _work(self) -> None:
        """One thread: batch after batch, as long as the process lives."""
        assert self._loop is not None  # noqa: S101
        with contextlib.suppress(RuntimeError):  # the loop has ended, and the process with it
            while True:
                batch = self._next()
                outcomes, seconds = self._predict(batch)
                self._loop.call_soon_threadsafe(self._done, batch, outcomes, seconds)

    def _next(self) -> list[Job]:
        batch: list[Job] = []
        with self._changed:
            while not batch:  # another thread may have taken what this one waited for
                self._changed.wait_for(lambda: self._waiting)
                largest = self._largest(self._waiting[0])
                if largest > 1 and self._batching.wait:
                    self._changed.wait_for(self._enough, self._batching.wait)
                batch = _first(self._waiting, largest)
                for _ in batch:
                    self._waiting.popleft()
                batch = self._wanted(batch)
            if self._waiting:
                self._changed.notify()
        return batch

    def _wanted(self, batch: list[Job]) -> list[Job]:
        """Those whose callers still wait; nobody wants the others' answers."""
        gone = [job for job in batch if job.gone]
        if not gone:
            return batch
        assert self._loop is not None  # noqa: S101
        self._loop.call_soon_threadsafe(self._given_up, gone)
        return [job for job in batch if not job.gone]

    def _given_up(self, gone: Sequence[Job]) -> None:
        self._metrics.waiting(len(self._quick) + len(self._waiting))
        self._tell(gone, [(Answer(GONE, b""), None)] * len(gone), None)

    def _enough(self) -> bool:
        return len(self._waiting) >= self._batching.largest

    def _largest(self, job: Job) -> int:
        wanted = self._batching.wanted
        return self._batching.largest if (job.handlers.quick if wanted is None else wanted) else 1

    def _predict(self, batch: Sequence[Job]) -> tuple[list[Outcome], float]:
        started = time.perf_counter()
        try:
            outcomes = batch[0].handlers.respond_all([job.request for job in batch])
        except BaseException as error:  # noqa: BLE001 - user code at a place nobody thought of: all are answered
            outcomes = [(answer_for(error), error) for _ in batch]
        return outcomes, time.perf_counter() - started

    def _done(self, batch: Sequence[Job], outcomes: Sequence[Outcome], seconds: float) -> None:
        self._metrics.batch(len(batch), seconds)
        self._metrics.waiting(len(self._quick) + len(self._waiting))
        self._tell(batch, outcomes, seconds)


def _first(jobs: Sequence[Job], largest: int) -> list[Job]:
    """The first of the jobs that go to one model, `largest` at most."""
    batch: list[Job] = []
    for job in jobs:
        if len(batch) == largest or job.handlers is not jobs[0].handlers:
            break
        batch.append(job)
    return batch
