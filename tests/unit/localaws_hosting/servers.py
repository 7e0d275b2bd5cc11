"""A tiny HTTP server that behaves as a test says, and asyncio around it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

OK = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok"


class Server:
    """Answers each request with the next of `answers`; b"" closes, None never answers."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.connections = 0
        self.requests: list[bytes] = []
        self.port = 0
        self._open = 0
        self._idle = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections, self._open = self.connections + 1, self._open + 1
        self._idle.clear()
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await self._answer(reader, writer):
                pass
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        self._open -= 1
        if self._open == 0:
            self._idle.set()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        self.requests.append(head + await reader.readexactly(size))
        answer = self.answers.pop(0)
        if answer is None:
            await reader.read()
        writer.write(answer or b"")
        return bool(answer) and b"connection: close" not in (answer or b"")

    async def all_closed(self) -> None:
        """Return when no connection is open."""
        if self._open:
            await asyncio.wait_for(self._idle.wait(), 5)


def serving(server: Server, talk: Callable[[], Awaitable[Any]]) -> Any:
    """Run `talk` while the server listens on `server.port`; what it returns."""

    async def run() -> Any:
        listening = await asyncio.start_server(server, "127.0.0.1", 0)
        server.port = listening.sockets[0].getsockname()[1]
        async with listening:
            try:
                return await talk()
            finally:
                await server.all_closed()

    return asyncio.run(run())
