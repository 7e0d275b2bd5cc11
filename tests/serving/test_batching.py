"""When a batch goes, what is told of it, and of those whose callers have left."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from serving.batching import GONE, Batcher, Job
from serving.connection import Exchange
from serving.errors import Answer
from serving.handlers import Handlers, Outcome, Request
from serving.metrics import Board, Metrics
from serving.settings import Settings

LONG = "600000000"  # ten minutes, in microseconds: a batch that waits for it never goes in a test
PATIENCE = 20.0


class Model(Handlers):
    """Answers every request when it is let go."""

    def __init__(self, quick: bool) -> None:
        self.quick = quick
        self.go = threading.Event()
        self.begun = threading.Event()
        self.fails = False

    def respond_all(self, requests: Sequence[Request]) -> list[Outcome]:
        self.begun.set()
        self.go.wait(PATIENCE)
        if self.fails:
            raise SystemExit("deep down")
        return [(Answer(200, b""), None) for _ in requests]


class Stage:
    """A batcher in the running loop, and what it has told: (status, seconds of the model) of each job."""

    def __init__(self, **environment: str) -> None:
        self.told: list[tuple[int, float | None]] = []
        self.metrics = Metrics(Board(1), 0)
        self.settings = Settings.read({"SERVING_NUM_BATCH_THREADS": "1", **environment})
        self.batcher = Batcher(self.settings, self.metrics, self._tell)
        self.batcher.start(asyncio.get_running_loop())

    def _tell(self, jobs: Sequence[Job], outcomes: Sequence[Outcome], seconds: float | None) -> None:
        self.told += [(answer.status, seconds) for answer, _ in outcomes]

    def put(self, model: Model, *, gone: bool = False) -> None:
        connection: Any = None
        self.batcher.put(Job(model, Request(b"", "", ""), Exchange(connection), gone))

    async def until(self, jobs: int) -> None:
        """Wait until so many jobs are told of."""
        async with asyncio.timeout(PATIENCE):
            while len(self.told) < jobs:
                await asyncio.sleep(0.001)

    @property
    def waiting(self) -> str:
        (line,) = [line for line in self.metrics.text().splitlines() if line.startswith("serving_waiting_")]
        return line.split()[1]


def run(work: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(work())  # type: ignore[arg-type]


def ready(*, quick: bool) -> Model:
    model = Model(quick)
    model.go.set()
    return model


@pytest.mark.parametrize("size", [1, 3])
def test_a_full_batch_of_quick_functions_does_not_wait(size: int) -> None:
    async def work() -> None:
        stage = Stage(SERVING_MAX_BATCH_SIZE=str(size), SERVING_BATCH_TIMEOUT_MICROS=LONG)
        model = ready(quick=True)
        for _ in range(size):
            stage.put(model)
        await stage.until(size)

    run(work)


def test_what_waits_is_counted_down_when_threads_have_answered() -> None:
    async def work() -> None:
        stage, model = Stage(), ready(quick=False)
        stage.put(model)
        stage.put(model)
        await stage.until(2)
        assert stage.waiting == "0"

    run(work)


def test_a_job_whose_caller_has_left_is_told_as_499_and_not_predicted() -> None:
    async def work() -> None:
        stage, slow = Stage(), Model(quick=False)
        stage.put(slow)
        await asyncio.to_thread(slow.begun.wait, PATIENCE)
        stage.put(slow, gone=True)
        assert stage.waiting == "1"
        slow.go.set()
        await stage.until(2)
        assert [status for status, _ in stage.told] == [200, GONE]
        assert stage.told[1][1] is None
        assert stage.waiting == "0"

    run(work)


@pytest.mark.parametrize("quick", [True, False])
def test_a_model_that_fails_where_nobody_expects_it_is_500_and_the_next_is_predicted(quick: bool) -> None:
    async def work() -> None:
        stage, model = Stage(), ready(quick=quick)
        model.fails = True
        stage.put(model)
        await stage.until(1)
        model.fails = False
        stage.put(model)
        await stage.until(2)
        assert [status for status, _ in stage.told] == [500, 200]

    run(work)
