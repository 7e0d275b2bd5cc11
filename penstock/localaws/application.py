"""What the server serves: MiniStack's ASGI application between our start, our stop and our note-taking."""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from ministack.app import app

from penstock.localaws.extension import (
    lambda_active,
    lambda_lifeline,
    rest_import,
    s3_events,
    sagemaker_service,
)
from penstock.localaws.settings import ACCOUNT, CODE_ROOT, REGION, Layout, endpoint_url

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Message, Receive, Send], Awaitable[None]]
log = logging.getLogger("penstock.localaws")


class Part:
    """Something that lives as long as the server: started once requests are answered, stopped before state is saved."""

    def start(self) -> None:
        """Begin; may block, runs in a thread of its own."""

    def stop(self) -> None:
        """End; may block, runs off the event loop."""


class Application:
    """MiniStack's application, with `parts` started after it and stopped before it."""

    def __init__(self, inner: Asgi, parts: list[Part], announce: Callable[[], None]) -> None:
        self._inner = inner
        self._parts = parts
        self._announce = announce

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection's request, or the process's life."""
        if scope["type"] == "lifespan":
            await self._inner(scope, self._receive_life(receive), self._send_life(send))
        else:
            await self._inner(scope, receive, send)

    def _receive_life(self, receive: Receive) -> Receive:
        async def receive_life() -> Message:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                for part in reversed(self._parts):
                    await asyncio.to_thread(self._stop, part)
            return message

        return receive_life

    def _send_life(self, send: Send) -> Send:
        async def send_life(message: Message) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                for part in self._parts:
                    asyncio.get_running_loop().run_in_executor(None, self._start, part)
                self._announce()

        return send_life

    @staticmethod
    def _start(part: Part) -> None:
        try:
            part.start()
        except Exception:
            log.exception("%s did not start; the rest of the embedded AWS works on", type(part).__name__)

    @staticmethod
    def _stop(part: Part) -> None:
        try:
            part.stop()
        except Exception:
            log.exception("%s did not stop cleanly", type(part).__name__)


def build(where: Layout, port: int, announce: Callable[[], None]) -> Application:
    """Install the extension into MiniStack and return the application to serve."""
    rest_import.install()
    lambda_active.install()
    lambda_lifeline.install()
    s3_events.install()
    parts: list[Part] = []
    plane = _plane(where, port)
    if plane is not None:
        sagemaker_service.install(plane)
        parts.append(plane)
    return Application(app, parts, announce)


def _plane(where: Layout, port: int) -> Any:
    """The SageMaker plane."""
    try:
        from penstock.localaws.sagemaker import Place, SageMaker  # type: ignore # noqa: PLC0415
    except ImportError:
        log.exception("there is no SageMaker plane")
        return None
    return SageMaker(
        Place(
            root=where.sagemaker,
            endpoint_url=endpoint_url(port),
            region=REGION,
            account=ACCOUNT,
            python=sys.executable,
            serving_root=CODE_ROOT,
        )
    )
