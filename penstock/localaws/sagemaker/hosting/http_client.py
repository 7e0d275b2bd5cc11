"""HTTP/1.1 to one instance over kept connections, on the event loop. Nothing here blocks it.

asyncio's streams would do, at three times the cost a request; httptools parses, as in the model server itself.
"""

import asyncio
from dataclasses import dataclass, field

import httptools

_IDLE_MOST = 64


class Lost(Exception):
    """The connection went away before an answer was complete: the request may have been carried out."""


class Unreached(Lost):
    """Nobody took the connection: the request was certainly not carried out."""


@dataclass
class Reply:
    """An answer; header names are in lower case."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class _Connection(asyncio.Protocol):
    """One connection: one request at a time."""

    def __init__(self) -> None:
        self.open = True
        self._transport: asyncio.Transport | None = None
        self._answered: asyncio.Future[Reply] | None = None

    async def ask(self, request: bytes) -> Reply:
        """Send one request and return its answer; raises Lost."""
        if not self.open or self._transport is None:
            raise Lost("the connection was closed while idle")
        self._reply, self._parts = Reply(), list[bytes]()
        self._parser = httptools.HttpResponseParser(self)
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            return await self._answered
        finally:
            self._answered = None

    def close(self) -> None:
        self.open = False
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  for the type checker
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._answered is None:
            self.close()  # nobody asked
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(f"the answer is not HTTP: {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"the connection went away: {exc or 'closed by the instance'}")

    def on_header(self, name: bytes, value: bytes) -> None:
        self._reply.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._parts.append(body)

    def on_message_complete(self) -> None:
        self._reply.status, self._reply.body = self._parser.get_status_code(), b"".join(self._parts)
        if not self._parser.should_keep_alive():
            self.close()
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(self._reply)

    def _fail(self, what: str) -> None:
        self.close()
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(Lost(what))


class Pool:
    """Connections to 127.0.0.1:`port`. To be used on one event loop only."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[_Connection] = []

    @property
    def port(self) -> int:
        """Where the instance listens."""
        return self._port

    async def post(self, path: str, headers: dict[str, str], body: bytes, seconds: float) -> Reply:
        """POST and return the answer; raises Lost, or TimeoutError after `seconds`."""
        return await self.request("POST", path, headers, body, seconds)

    async def request(
        self, method: str, path: str, headers: dict[str, str], body: bytes, seconds: float
    ) -> Reply:
        """As `post`, with any method."""
        lines = [f"{method} {path} HTTP/1.1", "host: 127.0.0.1", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        request = "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body
        async with asyncio.timeout(seconds):
            return await self._send(request)

    def close(self) -> None:
        """Close idle connections; an instance that ends closes them by itself."""
        while self._idle:
            self._idle.pop().close()

    async def _send(self, request: bytes) -> Reply:
        """On a kept connection; on a new one when there is none, or when the kept one had been closed for idleness."""
        sent: Lost | None = None
        while self._idle and sent is None:
            connection = self._idle.pop()
            if connection.open:
                try:
                    return await self._ask(connection, request)
                except Lost as lost:
                    sent = lost
        try:
            connection = await self._connect()
        except Unreached:
            raise sent or Unreached(f"nobody listens on port {self._port}") from None
        return await self._ask(connection, request)

    async def _connect(self) -> _Connection:
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                _Connection, "127.0.0.1", self._port
            )
        except OSError as error:
            raise Unreached(f"port {self._port}: {error}") from error
        return connection

    async def _ask(self, connection: _Connection, request: bytes) -> Reply:
        try:
            reply = await connection.ask(request)
        except BaseException:  # cancelled by the timeout, too: an answer may still be on its way in it
            connection.close()
            raise
        if connection.open and len(self._idle) < _IDLE_MOST:
            self._idle.append(connection)
        else:
            connection.close()
        return reply
