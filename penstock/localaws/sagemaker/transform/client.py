"""Asks one model server: several requests at once, each on a connection of its thread, tried again as AWS does.

Tried again is what the model failed in (5xx) or did not answer; a 4xx says that the data is at fault, and stands.
"""

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from penstock.localaws.sagemaker.transform.faults import Stopped, bad_answer, no_answer

Chunks = Callable[[], Iterator[bytes]]  # the body anew: a request may be sent more than once
_FIRST_PAUSE = 0.2
_IDLE_SECONDS = 30.0  # the server closes a connection that was idle for 75
_PARAMETERS_SECONDS = 10.0


@dataclass
class _Kept:
    """A thread's connection, to `port`, last used at `used` (monotonic seconds)."""

    connection: http.client.HTTPConnection
    port: int
    used: float


class Client:
    """Requests to the server that listens on what `port` answers (it blocks until one does; None: none will).

    `timeout` is in seconds. Every method may be called from several threads.
    """

    def __init__(
        self, port: Callable[[], int | None], headers: Mapping[str, str], timeout: float, retries: int
    ) -> None:
        self._port = port
        self._headers = dict(headers)
        self._timeout = timeout
        self._retries = retries
        self._mine = threading.local()
        self._lock = threading.Lock()
        self._open: set[http.client.HTTPConnection] = set()
        self._stopping = threading.Event()

    def invoke(self, body: bytes | Chunks) -> bytes:
        """What the model answers to one request; raises BadFile, or Stopped once `stop` was called."""
        for tried in range(self._retries + 1):
            if tried and self._stopping.wait(_FIRST_PAUSE * 2 ** (tried - 1)):
                break
            try:
                status, answer = self._ask(body)
            except (OSError, http.client.HTTPException) as error:
                fault = no_answer(f"{type(error).__name__}: {error}")
                continue
            if 200 <= status < 300:
                return answer
            fault = bad_answer(status, answer)
            if 400 <= status < 500:
                break
        if self._stopping.is_set():
            raise Stopped
        raise fault

    def parameters(self) -> tuple[int, bytes]:
        """What GET /execution-parameters answers; (0, b"") when nobody does."""
        port = self._port()
        if port is None:
            return 0, b""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PARAMETERS_SECONDS)
        with contextlib.closing(connection):
            try:
                connection.request("GET", "/execution-parameters")
                answer = connection.getresponse()
                return answer.status, answer.read()
            except (OSError, http.client.HTTPException):
                return 0, b""

    def stop(self) -> None:
        """Let nobody wait for an answer any more."""
        self._stopping.set()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    if connection.sock is not None:
                        connection.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close every connection; nothing is asked any more."""
        with self._lock:
            for connection in self._open:
                connection.close()
            self._open.clear()

    def _ask(self, body: bytes | Chunks) -> tuple[int, bytes]:
        try:
            return self._send(self._connection(), body)
        except BaseException:  # a body that cannot be read, too: what was sent of it is no request
            self._drop()
            raise

    def _send(self, connection: http.client.HTTPConnection, body: bytes | Chunks) -> tuple[int, bytes]:
        cut_short = False
        try:
            connection.request("POST", "/invocations", body() if callable(body) else body, self._headers)
        except (BrokenPipeError, ConnectionResetError):
            cut_short = True  # it need not have read everything to have answered, 413 for one
        answer = connection.getresponse()
        content = answer.read()
        if cut_short or answer.will_close:
            self._drop()
        else:
            self._mine.kept.used = time.monotonic()
        return answer.status, content

    def _connection(self) -> http.client.HTTPConnection:
        """This thread's connection to the server as it is now."""
        port = self._port()
        if self._stopping.is_set():
            raise Stopped
        if port is None:
            raise ConnectionRefusedError("the model server has gone and does not come up again")
        kept: _Kept | None = getattr(self._mine, "kept", None)
        if kept is not None and kept.port == port and time.monotonic() - kept.used < _IDLE_SECONDS:
            return kept.connection
        self._drop()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=self._timeout)
        connection.connect()
        self._mine.kept = _Kept(connection, port, time.monotonic())
        with self._lock:
            self._open.add(connection)
        if self._stopping.is_set():  # `stop` may not have seen this one
            raise Stopped
        return connection

    def _drop(self) -> None:
        kept: _Kept | None = getattr(self._mine, "kept", None)
        if kept is not None:
            kept.connection.close()
            with self._lock:
                self._open.discard(kept.connection)
            self._mine.kept = None
