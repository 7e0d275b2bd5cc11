"""HTTP: the routes of the container contract in one ASGI application, predictions in threads, a log line for each."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from serving import log
from serving.errors import Answer, RequestError, answer_for, json_answer
from serving.handlers import Handlers, Request
from serving.settings import Settings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Outcome = tuple[Answer, BaseException | None]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_METHODS = {"/ping": "GET", "/invocations": "POST", "/execution-parameters": "GET"}
BATCH_PAYLOAD_MB = 6  # what batch transform may put into one request, SageMaker's own default


class ManyModels(Protocol):
    """What answers below /models."""

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """List, describe, load or unload models."""
        ...

    def handlers_for(self, path: str) -> Handlers | None:
        """The model that an invocation's path names; None when the path is not one of an invocation."""
        ...


class App:
    """The ASGI application. `handlers` is None until the model is loaded: /ping says 503 so long.

    With `models` it serves those instead, and is healthy from the start.
    """

    def __init__(self, settings: Settings, models: ManyModels | None = None) -> None:
        self.handlers: Handlers | None = None
        self._models = models
        self._settings = settings
        self._threads = ThreadPoolExecutor(settings.threads, thread_name_prefix="predict")
        self._managing = ThreadPoolExecutor(2, thread_name_prefix="models")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request; anything else (websockets) is not for us."""
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']} is not served here")
        await self._send(scope, send, await self._answer(scope, receive))

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        path, method = scope["path"], scope["method"]
        if self._models is not None and path.startswith("/models"):
            return await self._below_models(self._models, scope, receive)
        if method != _METHODS.get(path, method):
            return json_answer(405, {"error": f"{path} does not take {method}. Use {_METHODS[path]}."})
        if path == "/invocations":
            return await self._logged(scope, lambda: self._predict(scope, receive, self.handlers))
        if path == "/ping":
            healthy = self.handlers is not None or self._models is not None
            return Answer(200 if healthy else 503, b"", "text/plain")
        if path == "/execution-parameters":
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._execution_parameters)
        return _not_there(path)

    async def _below_models(self, models: ManyModels, scope: Scope, receive: Receive) -> Answer:
        path, method = scope["path"], scope["method"]
        if method == "POST" and path.endswith("/invoke"):

            async def predict() -> Outcome:
                return await self._predict(scope, receive, models.handlers_for(path))

            return await self._logged(scope, predict)

        async def manage() -> Outcome:
            body = await _body(_headers(scope), receive, self._settings.max_payload)
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._managing, _manage, models, method, path, body)

        return await self._logged(scope, manage)

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
        except Exception as error:  # noqa: BLE001 - the module's own fault: the caller is told
            return answer_for(error)
        if said is None:
            return _not_there("/execution-parameters")
        text = said[0] if isinstance(said, tuple) else said
        if isinstance(text, dict):
            return json_answer(200, text)
        return Answer(200, text.encode() if isinstance(text, str) else bytes(text))

    async def _logged(self, scope: Scope, predict: Callable[[], Awaitable[Outcome]]) -> Answer:
        started = time.perf_counter()
        failure: BaseException | None = None
        try:
            answer, failure = await predict()
        except RequestError as error:
            answer, failure = answer_for(error), error
        log.request(scope, answer.status, (time.perf_counter() - started) * 1000, failure)
        return answer

    async def _predict(self, scope: Scope, receive: Receive, handlers: Handlers | None) -> Outcome:
        headers = _headers(scope)
        limit = (handlers and handlers.max_payload) or self._settings.max_payload
        body = await _body(headers, receive, limit)
        if handlers is None:
            return json_answer(
                503, {"error": "The model is still loading. Wait for GET /ping to say 200."}
            ), None
        request = Request(body, headers.get("content-type", ""), headers.get("accept", ""), headers)
        return await asyncio.get_running_loop().run_in_executor(self._threads, _respond, handlers, request)

    async def _send(self, scope: Scope, send: Send, answer: Answer) -> None:
        headers = [(b"content-type", answer.content_type.encode("latin-1", "replace"))]
        if isinstance(answer.body, bytes):
            if answer.status != 204:  # which may not have one
                headers.append((b"content-length", str(len(answer.body)).encode()))
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            await send({"type": "http.response.body", "body": answer.body})
            return
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await self._stream(scope, send, answer.body)

    async def _stream(self, scope: Scope, send: Send, parts: Iterator[bytes]) -> None:
        """Each part as it comes; when one fails the connection is cut, since the status has been sent."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                part = await loop.run_in_executor(self._threads, _next, parts)
            except Exception as error:
                log.request(scope, 500, 0.0, error)
                raise
            if part is None:
                break
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


async def _body(headers: dict[str, str], receive: Receive, limit: int) -> bytes:
    announced = headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limit:
        raise _too_large(limit)
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestError(499, "The client went away before its body had arrived.")
        parts.append(message.get("body", b""))
        size, more = size + len(parts[-1]), message.get("more_body", False)
        if size > limit:
            raise _too_large(limit)
    return b"".join(parts)


def _respond(handlers: Handlers, request: Request) -> Outcome:
    """Run in a thread: whatever user code raises becomes an answer here, StopIteration and SystemExit too."""
    try:
        return handlers.respond(request), None
    except BaseException as error:  # noqa: BLE001 - it is reported, and the process lives on
        return answer_for(error), error


def _manage(models: ManyModels, method: str, path: str, body: bytes) -> Outcome:
    """Run in a thread: loading a model runs user code too."""
    try:
        return models.answer(method, path, body), None
    except BaseException as error:  # noqa: BLE001 - it is reported, and the process lives on
        return answer_for(error), error


def _next(parts: Iterator[bytes]) -> bytes | None:
    return next(parts, None)


def _not_there(path: str) -> Answer:
    return json_answer(404, {"error": f"There is no {path}. Use GET /ping or POST /invocations."})


def _too_large(limit: int) -> RequestError:
    return RequestError(413, f"The body is over {limit // 1024 // 1024} MB. Send fewer rows in one request.")
