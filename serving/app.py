"""HTTP: three routes in one ASGI application, predictions in threads, one log line for each invocation."""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from serving import codec, log
from serving.errors import Answer, RequestError, answer_for, json_answer
from serving.handlers import Handlers, Request
from serving.settings import Settings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Outcome = tuple[Answer, BaseException | None]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_METHODS = {"/ping": "GET", "/invocations": "POST", "/execution-parameters": "GET"}
BATCH_PAYLOAD_MB = 6  # what batch transform may put into one request, SageMaker's own default


class App:
    """The ASGI application. `handlers` is None until the model is loaded: /ping says 503 so long."""

    def __init__(self, settings: Settings) -> None:
        self.handlers: Handlers | None = None
        self._settings = settings
        self._threads = ThreadPoolExecutor(settings.threads, thread_name_prefix="predict")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request; anything else (websockets) is not for us."""
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']} is not served here")
        await _send(send, await self._answer(scope, receive))

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        path, method = scope["path"], scope["method"]
        if method != _METHODS.get(path, method):
            return json_answer(405, {"error": f"{path} does not take {method}. Use {_METHODS[path]}."})
        if path == "/invocations":
            return await self._invocations(scope, receive)
        if path == "/ping":
            return Answer(503 if self.handlers is None else 200, b"", "text/plain")
        if path == "/execution-parameters":
            return json_answer(200, self._execution_parameters())
        return json_answer(404, {"error": f"There is no {path}. Use GET /ping or POST /invocations."})

    def _execution_parameters(self) -> dict[str, Any]:
        return {
            "MaxConcurrentTransforms": self._settings.threads * self._settings.workers,
            "BatchStrategy": "MULTI_RECORD",
            "MaxPayloadInMB": BATCH_PAYLOAD_MB,
        }

    async def _invocations(self, scope: Scope, receive: Receive) -> Answer:
        started = time.perf_counter()
        failure: BaseException | None = None
        try:
            answer, failure = await self._predict(scope, receive)
        except RequestError as error:
            answer, failure = answer_for(error), error
        log.request(scope, answer.status, (time.perf_counter() - started) * 1000, failure)
        return answer

    async def _predict(self, scope: Scope, receive: Receive) -> Outcome:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        body = await self._body(headers, receive)
        if self.handlers is None:
            return json_answer(
                503, {"error": "The model is still loading. Wait for GET /ping to say 200."}
            ), None
        kind, accept = headers.get("content-type") or codec.JSON, self._accept(headers.get("accept", ""))
        request = Request(body, kind, accept, headers)
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, _respond, self.handlers, request
        )

    def _accept(self, accept: str) -> str:
        return self._settings.accept if codec.base_type(accept) in codec.ANY else accept

    async def _body(self, headers: dict[str, str], receive: Receive) -> bytes:
        limit = self._settings.max_payload
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


def _too_large(limit: int) -> RequestError:
    return RequestError(413, f"The body is over {limit // 1024 // 1024} MB. Send fewer rows in one request.")


async def _send(send: Send, answer: Answer) -> None:
    headers = [
        (b"content-type", answer.content_type.encode("latin-1", "replace")),
        (b"content-length", str(len(answer.body)).encode()),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
