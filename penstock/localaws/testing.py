"""What tests may do to a running embedded AWS: let time pass, and empty it. There only when asked for at its start.

    GET  /_penstock/clock                                → {"now": epoch seconds of SageMaker's clock}
    POST /_penstock/clock   {"advance_seconds": 600}     → {"now": …} once everybody who waits has been told
    POST /_penstock/reset   {"services": ["sagemaker"]}  → {"reset": ["sagemaker"]} when nothing of it runs any more;
                                                           without a body: everything, MiniStack's services too

Time that was moved stays moved until the server ends. What is refused gets 400 (404, 405) and {"message": …}.
"""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Protocol

PREFIX = "/_penstock/"
_LONGEST = 10 * 366 * 86_400.0  # seconds at once
_LARGEST_BODY = 10_000

_Answer = tuple[int, dict[str, Any]]
Message = MutableMapping[str, Any]


class Clock(Protocol):
    """The time that can be moved."""

    def now(self) -> float:
        """Epoch seconds."""
        ...

    def advance(self, seconds: float) -> float:
        """Let so much time pass at once; returns the time it is then."""
        ...


class _Refused(Exception):
    """Why a request is not carried out, with its HTTP status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Testing:
    """An ASGI application for the paths below `PREFIX`; `resets` empty the named parts, in their order."""

    __test__ = False  # pytest takes the name for a class of tests

    def __init__(self, clock: Clock, resets: Mapping[str, Callable[[], None]]) -> None:
        self._clock = clock
        self._resets = resets
        self._resetting = threading.Lock()
        self._routes: dict[str, dict[str, Callable[[dict[str, Any]], dict[str, Any]]]] = {
            "clock": {"GET": self._now, "POST": self._advance},
            "reset": {"POST": self._reset},
        }

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Answer one request."""
        try:
            body = await _body(receive)
            handle = self._handler(scope["method"], scope["path"].removeprefix(PREFIX))
            status, answer = 200, await asyncio.to_thread(handle, _parsed(body))
        except _Refused as refused:
            status, answer = refused.status, {"message": str(refused)}
        content = json.dumps(answer).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    def _handler(self, method: str, name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
        methods = self._routes.get(name)
        if methods is None:
            known = ", ".join(f"{PREFIX}{one}" for one in self._routes)
            raise _Refused(404, f"There is no {PREFIX}{name}, only {known}.")
        if method not in methods:
            raise _Refused(405, f"{PREFIX}{name} takes {' and '.join(methods)}.")
        return methods[method]

    def _now(self, _asked: dict[str, Any]) -> dict[str, Any]:
        return {"now": self._clock.now()}

    def _advance(self, asked: dict[str, Any]) -> dict[str, Any]:
        seconds = asked.get("advance_seconds")
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= _LONGEST:
            raise _Refused(400, f"advance_seconds must be a number from 0 to {_LONGEST:.0f}: {seconds!r}.")
        return {"now": self._clock.advance(seconds)}

    def _reset(self, asked: dict[str, Any]) -> dict[str, Any]:
        wanted = asked.get("services", list(self._resets))
        if wanted not in (["sagemaker"], list(self._resets)):
            raise _Refused(
                400,
                f'services may be ["sagemaker"]: {wanted!r} cannot be reset by itself. '
                "Leave it out to reset everything.",
            )
        with self._resetting:
            for name in wanted:
                self._resets[name]()
        return {"reset": wanted}


async def _body(receive: Callable[[], Awaitable[Message]]) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > _LARGEST_BODY:
            raise _Refused(413, f"The body is over {_LARGEST_BODY} bytes.")
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return bytes(body)


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body or b"{}")
    except ValueError as error:
        raise _Refused(400, f"The body is not JSON: {error}") from error
    if not isinstance(asked, dict):
        raise _Refused(400, f"The body must be a JSON object, not {asked!r}.")
    return asked
