"""The routes of the container contract: what is answered at once, what the model answers, a log line for each.

An `Exchange` (connection.py) comes in by `take` and leaves by its `answer`; in between it may be a job of the batcher.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from serving import log
from serving.batching import Batcher, Job
from serving.connection import Exchange
from serving.errors import Answer, RequestError, answer_for, json_answer
from serving.handlers import Handlers, Outcome, Request
from serving.metrics import Metrics
from serving.settings import Settings

_METHODS = {"/ping": "GET", "/invocations": "POST", "/execution-parameters": "GET", "/metrics": "GET"}
BATCH_PAYLOAD_MB = 6  # what batch transform may put into one request, SageMaker's own default
_LOADING = "The model is still loading. Wait for GET /ping to say 200."


class ManyModels(Protocol):
    """What answers below /models."""

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """List, describe, load or unload models."""
        ...

    def handlers_for(self, path: str) -> Handlers | None:
        """The model that an invocation's path names; None when the path is not one of an invocation."""
        ...


class App:
    """Answers exchanges. `handlers` is None until the model is loaded: /ping says 503 so long.

    With `models` it serves those instead, and is healthy from the start.
    """

    def __init__(self, settings: Settings, metrics: Metrics, models: ManyModels | None = None) -> None:
        self.handlers: Handlers | None = None
        self._models = models
        self._settings = settings
        self._metrics = metrics
        self._batcher = Batcher(settings, metrics, self._predicted)
        self._streams = ThreadPoolExecutor(settings.threads, thread_name_prefix="stream")
        self._managing = ThreadPoolExecutor(2, thread_name_prefix="models")
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to predict; outcomes come back in `loop`."""
        self._batcher.start(loop)

    def limit(self, path: str) -> int:
        """The largest body in bytes: the asked model's own word, or the environment's."""
        handlers = self.handlers if self._models is None else _asked(self._models, path)
        return (handlers and handlers.max_payload) or self._settings.max_payload

    def take(self, exchange: Exchange) -> None:
        """Answer one request, now or when the model has."""
        path, method = exchange.path, exchange.method
        if path == "/invocations" and method == "POST":
            self._invoke(exchange, self._only_model)
        elif self._models is not None and path.startswith("/models"):
            self._below_models(exchange, self._models)
        elif method != _METHODS.get(path, method):
            words = f"{path} does not take {method}. Use {_METHODS[path]}."
            exchange.answer(json_answer(405, {"error": words}))
        elif path == "/ping":
            healthy = self.handlers is not None or self._models is not None
            exchange.answer(Answer(200 if healthy else 503, b"", "text/plain"))
        elif path == "/metrics":
            exchange.answer(Answer(200, self._metrics.text().encode(), "text/plain; version=0.0.4"))
        elif path == "/execution-parameters":
            self._in_thread(exchange, lambda: (self._execution_parameters(), None), logged=False)
        else:
            exchange.answer(_not_there(path))

    def refused(self, exchange: Exchange, error: RequestError) -> None:
        """Log and count what could not be read; the connection has answered it."""
        self._ended(exchange, error.status, None, error)

    def _only_model(self) -> Handlers:
        if self._models is not None:
            raise RequestError(404, "This server holds several models. Use POST /models/<name>/invoke.")
        if self.handlers is None:
            raise RequestError(503, _LOADING)
        return self.handlers

    def _below_models(self, exchange: Exchange, models: ManyModels) -> None:
        path, method, body = exchange.path, exchange.method, exchange.body
        if method == "POST" and path.endswith("/invoke"):
            self._invoke(exchange, lambda: models.handlers_for(path))
        else:
            self._in_thread(exchange, lambda: _managed(models, method, path, body))

    def _invoke(self, exchange: Exchange, find: Callable[[], Handlers | None]) -> None:
        headers = exchange.headers
        kind, accept = headers.get("content-type", ""), headers.get("accept", "")
        try:
            handlers = find()
            if handlers is None:
                raise RequestError(404, f"There is no {exchange.path}.")
            exchange.job = Job(handlers, Request(exchange.body, kind, accept, headers), exchange)
            self._batcher.put(exchange.job)
        except RequestError as error:
            self._ended(exchange, error.status, None, error)
            exchange.answer(answer_for(error))

    def _predicted(self, jobs: Sequence[Job], outcomes: Sequence[Outcome], seconds: float | None) -> None:
        """Log a batch in one piece, then answer: a caller that has its answer finds the line."""
        now, shown = time.perf_counter(), []
        for job, (answer, failure) in zip(jobs, outcomes, strict=True):
            took = now - job.exchange.started
            self._metrics.request(answer.status, took)
            shown.append(_line(job.exchange, answer.status, took, seconds, failure))
        log.write(shown)
        for job, (answer, _) in zip(jobs, outcomes, strict=True):
            self._answer(job.exchange, answer)

    def _answer(self, exchange: Exchange, answer: Answer) -> None:
        exchange.answer(answer)
        if isinstance(answer.body, Iterator) and not exchange.gone:
            self._spawn(self._stream(exchange, answer.body))

    def _in_thread(self, exchange: Exchange, work: Callable[[], Outcome], *, logged: bool = True) -> None:
        """Answer by what may take long, or run the user's code."""

        async def answer() -> None:
            loop = asyncio.get_running_loop()
            answer, failure = await loop.run_in_executor(self._managing, work)
            if logged:
                self._ended(exchange, answer.status, None, failure)
            self._answer(exchange, answer)

        self._spawn(answer())

    def _execution_parameters(self) -> Answer:
        ours = {
            "MaxConcurrentTransforms": self._settings.threads * self._settings.workers,
            "BatchStrategy": "MULTI_RECORD",
            "MaxPayloadInMB": BATCH_PAYLOAD_MB,
        }
        if self.handlers is None:
            return json_answer(200, ours)
        try:
            said = self.handlers.execution_parameters(ours)
            if said is None:
                return _not_there("/execution-parameters")
            text = said[0] if isinstance(said, tuple) else said
            if isinstance(text, dict):
                return json_answer(200, text)
            return Answer(200, text.encode() if isinstance(text, str) else bytes(memoryview(text)))
        except BaseException as error:  # noqa: BLE001 - the module's own fault: the caller is told
            return answer_for(error)

    async def _stream(self, exchange: Exchange, parts: Iterator[bytes]) -> None:
        """Each part as it comes; when one fails the connection is cut, since the status has been sent."""
        loop, connection = asyncio.get_running_loop(), exchange.connection
        try:
            while True:
                part = await loop.run_in_executor(self._streams, _next, parts)
                if part is None:
                    break
                await connection.write_part(exchange, part)
            connection.end_parts(exchange)
        except BaseException as error:  # noqa: BLE001 - the user's iterator may raise anything; it is in the log
            if not exchange.gone:
                self._ended(exchange, 500, None, error)
                connection.cut()

    def _ended(
        self, exchange: Exchange, status: int, seconds: float | None, failure: BaseException | None
    ) -> None:
        took = time.perf_counter() - exchange.started
        self._metrics.request(status, took)
        log.write([_line(exchange, status, took, seconds, failure)])

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)  # the loop itself keeps only a weak reference
        task.add_done_callback(self._tasks.discard)


def _line(
    exchange: Exchange, status: int, took: float, seconds: float | None, failure: BaseException | None
) -> str:
    inference = None if seconds is None else seconds * 1000
    return log.request(exchange.method, exchange.path, status, took * 1000, inference, failure)


def _asked(models: ManyModels, path: str) -> Handlers | None:
    """The model an invocation's path names, if it is loaded."""
    if not (path.startswith("/models/") and path.endswith("/invoke")):
        return None
    with contextlib.suppress(RequestError):
        return models.handlers_for(path)
    return None


def _managed(models: ManyModels, method: str, path: str, body: bytes) -> Outcome:
    """Run in a thread: loading a model runs user code too."""
    try:
        return models.answer(method, path, body), None
    except BaseException as error:  # noqa: BLE001 - it is reported, and the process lives on
        return answer_for(error), error


def _next(parts: Iterator[bytes]) -> bytes | None:
    return next(parts, None)


def _not_there(path: str) -> Answer:
    return json_answer(404, {"error": f"There is no {path}. Use GET /ping or POST /invocations."})
