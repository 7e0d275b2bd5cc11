"""What the server serves: MiniStack's ASGI application between our start, our stop and our note-taking."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from penstock.localaws.part import Part

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Message, Receive, Send], Awaitable[None]]
log = logging.getLogger("penstock.localaws")


class Application:
    """MiniStack's application, with `parts` started after it and stopped before it.

    `ours` are applications of our own by the first part of the path they answer (`/_penstock/`).
    """

    def __init__(
        self,
        inner: Asgi,
        parts: list[Part],
        used: Callable[[], None],
        announce: Callable[[], None],
        ours: Mapping[str, Asgi] | None = None,
    ) -> None:
        self._inner = inner
        self._parts = parts
        self._used = used
        self._announce = announce
        self._ours = ours or {}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection's request, or the process's life."""
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        else:
            await self._of(scope["path"])(scope, receive, send)
            if scope.get("method") not in ("GET", "HEAD", "OPTIONS") or "_user_request_" in scope["path"]:
                self._used()

    def _of(self, path: str) -> Asgi:
        return next((ours for start, ours in self._ours.items() if path.startswith(start)), self._inner)

    async def _live(self, scope: Message, receive: Receive, send: Send) -> None:
        try:
            await self._inner(scope, receive, self._send_life(send))
        except Exception:
            # Hypercorn takes this for an application without a life cycle, and would serve half a server.
            log.exception("the embedded AWS cannot go on")
            os._exit(1)

    async def stop(self) -> None:
        """Stop the parts, the last one first, while requests are still answered: ending jobs send their last lines."""
        for part in reversed(self._parts):
            await asyncio.to_thread(self._stop, part)

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
