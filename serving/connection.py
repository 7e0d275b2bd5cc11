"""HTTP/1.1 on one connection: parses requests, answers them in their order, and closes on whoever does not keep to it.

llhttp (by httptools) parses: what it calls an error (a body with two lengths, bare line feeds) is answered 400 and the
connection closed, so that nothing behind a proxy can be smuggled in.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from email.utils import formatdate
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import httptools

from serving.errors import Answer, RequestError, answer_for

HEAD_LIMIT = 64 * 1024  # bytes of a request line and its headers
WAITING_LIMIT = 32  # requests of one connection that may wait behind each other before it is no longer read
WAITING_BYTES = 1024 * 1024  # and of their bodies
LAST_LOOK = 0.05  # seconds, twice, that a connection has at the end to show a request that is there
SLOWEST = 1024  # bytes a second a body must come at, after the first seconds
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
REASONS: Mapping[int, str] = {
    200: "OK", 204: "No Content", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed",
    406: "Not Acceptable", 408: "Request Timeout", 409: "Conflict", 413: "Content Too Large",
    415: "Unsupported Media Type", 422: "Unprocessable Content", 429: "Too Many Requests",
    431: "Request Header Fields Too Large", 500: "Internal Server Error", 503: "Service Unavailable",
    507: "Insufficient Storage",
}  # fmt: skip


class Application(Protocol):
    """What answers the requests."""

    def take(self, exchange: "Exchange") -> None:
        """Answer the exchange, now or later, by its `answer`."""

    def limit(self, path: str) -> int:
        """The largest body in bytes a path takes."""

    def refused(self, exchange: "Exchange", error: RequestError) -> None:
        """A request is answered without the application, by this error: it could not be read."""


class Exchange:
    """One request and the place for its answer."""

    __slots__ = (
        "body",
        "connection",
        "gone",
        "headers",
        "job",
        "keep_alive",
        "method",
        "path",
        "refusal",
        "started",
        "version",
    )

    def __init__(self, connection: "Connection") -> None:
        self.connection = connection
        self.method = self.path = self.version = ""
        self.headers: dict[str, str] = {}
        self.body = b""
        self.keep_alive = True
        self.gone = False  # the caller has hung up
        self.job: Any = None
        self.refusal: RequestError | None = None  # why it could not be read
        self.started = 0.0

    def answer(self, answer: Answer) -> None:
        """Send the answer; nothing happens when the caller has gone."""
        self.connection.send(self, answer)


class Connections:
    """All connections of a process: their common clock, their timeouts and their end."""

    def __init__(self, application: Application, head_seconds: float, idle_seconds: float) -> None:
        self.application = application
        self.head_seconds, self.idle_seconds = head_seconds, idle_seconds
        self.open: set[Connection] = set()
        self.draining = False
        self.date = b""
        self.told: Callable[[int], None] = lambda _change: None
        self.tick()

    def tick(self) -> None:
        """Once a second: the date of answers, and the end of connections that take too long."""
        self.date = formatdate(usegmt=True).encode()
        now = time.monotonic()
        for connection in list(self.open):
            connection.look(now)

    def drain(self) -> None:
        """Answer what has arrived and close: connections without a request very soon."""
        self.draining = True
        for connection in list(self.open):
            connection.look_last()


class Connection(asyncio.Protocol):
    """One connection. All of it runs in the event loop."""

    def __init__(self, all_of_them: Connections) -> None:
        self._all = all_of_them
        self._parser = httptools.HttpRequestParser(self)
        self._transport: Any = None
        self._next = Exchange(self)  # being read
        self._parts: list[bytes] = []
        self._size = self._limit = 0
        self._head = 0  # bytes of a head that is not complete
        self._in_body = self._refusing = self._finished = False
        self._going = self._paused = False
        self._since = time.monotonic()  # the last request's end, or the first byte of the one being read
        self._current: Exchange | None = None
        self._waiting: deque[Exchange] = deque()
        self._held = 0  # bytes of the bodies that wait
        self._unsent, self._unread_since = (
            0,
            0.0,
        )  # bytes of answers nobody has read, and since when none of them
        self._writable = asyncio.Event()
        self._writable.set()

    # --- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A caller is there."""
        self._transport = transport
        self._all.open.add(self)
        self._all.told(1)
        if self._all.draining:
            self.look_last()

    def connection_lost(self, _error: Exception | None) -> None:
        """The caller has gone, or we have closed."""
        self._all.open.discard(self)
        self._all.told(-1)
        self._writable.set()
        for exchange in (self._current, *self._waiting):
            if exchange is not None:
                exchange.gone = True
                if exchange.job is not None:
                    exchange.job.gone = True

    def pause_writing(self) -> None:
        """The caller does not read fast enough."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It does again."""
        self._writable.set()
        self._go_on()

    def data_received(self, data: bytes) -> None:
        """Parse what came; several requests may be in it."""
        if self._refusing:
            return
        if not self._head and not self._in_body:
            self._since = time.monotonic()
        self._finished, size = False, self._size
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._refusing = True  # it was answered when its head was read
        except httptools.HttpParserError as error:
            self._refuse(RequestError(400, f"This is not HTTP/1.1: {error}"))
        if not self._refusing:
            # What is no body is a head: that of a request, of a chunk, or the trailers.
            self._head = 0 if self._finished or self._size > size else self._head + len(data)
            if self._head > HEAD_LIMIT:
                self._refuse(_long_head())

    # --- the parser's side

    def on_message_begin(self) -> None:
        """A request begins."""
        self._next = Exchange(self)
        self._parts, self._size = [], 0

    def on_url(self, url: bytes) -> None:
        """A piece of the request's target."""
        self._next.path += url.decode("latin-1")

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; repeated ones are joined as HTTP says. Trailers are dropped, as HTTP allows."""
        if self._in_body:
            return
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        headers = self._next.headers
        headers[key] = f"{headers[key]}, {text}" if key in headers else text

    def on_headers_complete(self) -> None:
        """Who asks what is known: a body that is too long is refused before it comes."""
        exchange, parser = self._next, self._parser
        exchange.method = parser.get_method().decode("latin-1")
        exchange.version = parser.get_http_version()
        exchange.keep_alive = parser.should_keep_alive()
        exchange.path = _path(exchange.path)
        self._in_body = True
        self._limit = self._all.application.limit(exchange.path)
        headers = exchange.headers
        if parser.should_upgrade():
            self._refuse(RequestError(400, "This server speaks HTTP/1.1 only. Leave out the Upgrade header."))
        elif len(exchange.path) + sum(map(len, headers)) + sum(map(len, headers.values())) > HEAD_LIMIT:
            self._refuse(_long_head())
        elif int(headers.get("content-length") or 0) > self._limit:
            self._refuse(too_large(self._limit))
        elif headers.get("expect", "").lower() == "100-continue":
            self._transport.write(CONTINUE)

    def on_body(self, part: bytes) -> None:
        """A part of the body."""
        self._parts.append(part)
        self._size += len(part)
        if self._size > self._limit and not self._refusing:
            self._refuse(too_large(self._limit))

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._in_body, self._finished, self._head = False, True, 0
        if self._refusing:
            return
        exchange = self._next
        exchange.body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts, self._size = [], 0
        exchange.started = time.perf_counter()
        self._waiting.append(exchange)
        self._held += len(exchange.body)
        self._go_on()
        if len(self._waiting) > WAITING_LIMIT or self._held > WAITING_BYTES:
            self._paused = True
            self._transport.pause_reading()

    # --- answers

    def send(self, exchange: Exchange, answer: Answer) -> None:
        """Send a whole answer, or begin one that comes in pieces (see `stream`)."""
        if exchange.gone or exchange is not self._current:
            return
        closing = self._is_last(exchange)
        body = answer.body if isinstance(answer.body, bytes) else None
        self._transport.write(
            self._head_of(exchange, answer, body, closing)
            + (b"" if exchange.method == "HEAD" else body or b"")
        )
        if body is not None:
            self.finish(closing)

    def _is_last(self, exchange: Exchange) -> bool:
        """Whether the connection ends with it: what waits behind it, a refusal too, is answered first."""
        return not exchange.keep_alive or (self._all.draining and not self._waiting)

    def _head_of(self, exchange: Exchange, answer: Answer, body: bytes | None, closing: bool) -> bytes:
        status, kind = answer.status, answer.content_type
        head = f"HTTP/1.1 {status} {REASONS.get(status, 'Status')}\r\ncontent-type: {_plain(kind)}\r\n"
        if body is None:
            head += "transfer-encoding: chunked\r\n" if exchange.version == "1.1" else ""
        elif status not in (204, 304):  # which may not have one
            head += f"content-length: {len(body)}\r\n"
        if status in (429, 503):
            head += "retry-after: 1\r\n"
        if closing:
            head += "connection: close\r\n"
        elif (
            exchange.version == "1.0" and body is not None
        ):  # whose callers take it for closed if it is not said
            head += "connection: keep-alive\r\n"
        return head.encode("latin-1", "replace") + b"date: " + self._all.date + b"\r\n\r\n"

    async def write_part(self, exchange: Exchange, part: bytes) -> None:
        """Send a piece of an answer when the caller reads; raise ConnectionError when it has gone."""
        await self._writable.wait()
        if exchange.gone:
            raise ConnectionError("the caller has gone")
        if part:
            self._transport.write(b"%x\r\n%b\r\n" % (len(part), part) if exchange.version == "1.1" else part)

    def end_parts(self, exchange: Exchange) -> None:
        """The last piece has been sent."""
        if exchange.gone:
            return
        if exchange.version == "1.1":
            self._transport.write(b"0\r\n\r\n")
        self.finish(exchange.version != "1.1" or self._is_last(exchange))

    def cut(self) -> None:
        """End without more: the status has been sent, and the rest of the answer cannot be."""
        self._transport.abort()

    def finish(self, closing: bool) -> None:
        """The exchange is over: the next one's turn, or the end of the connection."""
        self._current = None
        self._since = time.monotonic()
        if closing:
            self._transport.close()
        elif self._waiting:
            self._go_on()

    def _go_on(self) -> None:
        """Take what waits. A loop: what is answered at once comes back here, and must not pile up on the stack."""
        if self._going:
            return
        self._going = True
        try:
            while (
                self._current is None
                and self._waiting
                and self._writable.is_set()
                and not self._transport.is_closing()
            ):
                self._take_next()
        finally:
            self._going = False

    def _take_next(self) -> None:
        self._current = exchange = self._waiting.popleft()
        self._held -= len(exchange.body)
        if self._paused and len(self._waiting) <= WAITING_LIMIT // 2 and self._held <= WAITING_BYTES // 2:
            self._paused = False
            self._transport.resume_reading()
        if exchange.refusal is None:
            self._all.application.take(exchange)
        else:
            self._say_no(exchange, exchange.refusal)

    def _refuse(self, error: RequestError) -> None:
        """Answer what cannot be read after all that came before it, and close."""
        if self._refusing:
            return
        self._refusing = True
        exchange = self._next
        exchange.keep_alive, exchange.started, exchange.refusal = False, time.perf_counter(), error
        self._waiting.append(exchange)
        self._go_on()

    def _say_no(self, exchange: Exchange, error: RequestError) -> None:
        """The last answer of the connection. What still comes is read and dropped: a reset would destroy the answer."""
        self._all.application.refused(exchange, error)
        answer = answer_for(error)
        assert isinstance(answer.body, bytes)  # noqa: S101 - refusals are short
        self._transport.write(self._head_of(exchange, answer, answer.body, True) + answer.body)
        self._since = time.monotonic()
        self._transport.write_eof()

    # --- time

    def look_last(self) -> None:
        """Close soon unless a request has arrived by then: the system may have it, and closing would destroy it.

        Two times, since a loop that was held up tells of the time before it reads, and has read by the second.
        """
        later = asyncio.get_running_loop().call_later
        later(LAST_LOOK, lambda: later(LAST_LOOK, self.close_if_idle))

    def close_if_idle(self) -> None:
        """Close unless a request is there."""
        if self._current is None and not self._waiting and not self._in_body and not self._head:
            self._transport.close()

    def look(self, now: float) -> None:
        """Close when the request being read, or the next one, or the reading of an answer takes too long."""
        late = now - self._since
        if self._is_unread(now):
            self._transport.abort()
        elif self._current is not None and self._current.refusal is not None:
            if late > self._all.head_seconds:
                self._transport.abort()
        elif self._current is not None or self._waiting:
            return
        elif self._head or self._in_body:
            if late > self._all.head_seconds + self._size / SLOWEST:
                self._refuse(RequestError(408, "The request did not arrive in time. Send it again, faster."))
        elif late > self._all.idle_seconds:
            self._transport.close()

    def _is_unread(self, now: float) -> bool:
        """Whether the caller has taken nothing of its answer for too long, however slowly it may read."""
        if self._writable.is_set() and not self._transport.is_closing():
            self._unsent = 0
            return False
        unsent = self._transport.get_write_buffer_size()
        if unsent != self._unsent:
            self._unsent, self._unread_since = unsent, now
        patience = self._all.head_seconds if self._all.draining else self._all.idle_seconds
        return unsent > 0 and now - self._unread_since > patience


def _path(target: str) -> str:
    """The path of a request's target: without its query, decoded; of an absolute URL too."""
    if not target.startswith("/"):
        target = urlsplit(target).path
    path = target.partition("?")[0]
    return unquote(path) if "%" in path else path


def too_large(limit: int) -> RequestError:
    """What a body over the limit is told."""
    return RequestError(413, f"The body is over {limit // 1024 // 1024} MB. Send fewer rows in one request.")


def _long_head() -> RequestError:
    return RequestError(431, f"The headers are over {HEAD_LIMIT // 1024} KB. Send less in them.")


def _plain(text: str) -> str:
    """A header's value without line ends: what a model says must not become a header of its own."""
    return text if text.isprintable() else "".join(one for one in text if one.isprintable())
