"""One serving process: the event loop, the loading of the model, and the end of both."""

import asyncio
import contextlib
import ctypes
import gc
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Coroutine
from typing import Any

from serving import handlers, log
from serving.app import App
from serving.connection import Connection, Connections
from serving.errors import StartError
from serving.metrics import Metrics
from serving.models import Models, resident
from serving.settings import Settings

GRACE_SECONDS = 30  # what SageMaker leaves between SIGTERM and SIGKILL
_AT_ONCE = 64  # connections taken from the parent in one turn
_MOST_BETWEEN = 1024  # and at the end; no pair of sockets holds so many


class Worker:
    """Serves the connections of a listening socket, or those its parent hands over. `run` blocks until told to stop."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._app = App(settings, metrics, Models(settings, resident) if settings.multi_model else None)
        patience = settings.patience
        self._connections = Connections(self._app, patience.head, patience.idle)
        self._connections.told = lambda change: metrics.opened() if change > 0 else metrics.closed()
        self._loop = _loop()
        self._stopping = asyncio.Event()
        self._adopting: set[asyncio.Task[None]] = set()
        self._failed = False

    def listen(self, listener: socket.socket) -> int:
        """Serve what connects to the listener; return 0, or 1 if the model could not be loaded.

        /ping has to say 503 while the model loads, so it answers at once.
        """

        async def serve() -> None:
            server = await self._loop.create_server(self._connection, sock=listener)
            await self._serve(server.close, lambda: None)

        return self._run(serve)

    def take_from(self, parent: socket.socket) -> int:
        """Serve connections the parent hands over; told `b"r"` when the model is there. Ends with the parent."""
        parent.setblocking(False)

        async def serve() -> None:
            self._loop.add_reader(parent, self._take, parent)
            await self._serve(lambda: self._close_door(parent), lambda: _tell(parent))

        return self._run(serve)

    def _run(self, serve: Callable[[], Coroutine[Any, Any, None]]) -> int:
        asyncio.set_event_loop(self._loop)
        self._app.start(self._loop)
        self._loop.run_until_complete(serve())
        return 1 if self._failed else 0

    async def _serve(self, close_door: Callable[[], object], tell: Callable[[], None]) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._stopping.set)
        ticking = self._loop.create_task(self._tick())
        threading.Thread(target=self._load, args=(tell,), daemon=True).start()
        await self._stopping.wait()
        close_door()
        self._connections.drain()
        deadline = time.monotonic() + (0 if self._failed else GRACE_SECONDS)
        while (self._connections.open or self._adopting) and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        ticking.cancel()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1 if self._connections.idle_seconds > 1 else 0.1)
            self._connections.tick()

    def _connection(self) -> Connection:
        return Connection(self._connections)

    def _close_door(self, parent: socket.socket) -> None:
        """What the parent has accepted and handed over was taken from the listener: it is served to its end."""
        self._take(parent, _MOST_BETWEEN)
        self._loop.remove_reader(parent)

    def _take(self, parent: socket.socket, most: int = _AT_ONCE) -> None:
        """Connections the parent has accepted; its end of the pair closes when it has gone, however it went."""
        for _ in range(most):
            try:
                said, descriptors, _, _ = socket.recv_fds(parent, 1, 1)
            except BlockingIOError:
                return
            except OSError:
                said, descriptors = b"", []
            if not said:
                self._loop.remove_reader(parent)
                self._stopping.set()
                return
            if not descriptors:  # this process may open no more: the caller is cut off; the parent counts it
                self._metrics.opened()
                self._metrics.closed()
            for descriptor in descriptors:
                accepted = socket.socket(fileno=descriptor)
                accepted.setblocking(False)
                task = self._loop.create_task(self._adopt(accepted))
                self._adopting.add(task)
                task.add_done_callback(self._adopting.discard)

    async def _adopt(self, accepted: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the caller has gone already
            await self._loop.connect_accepted_socket(self._connection, accepted)

    def _load(self, tell: Callable[[], None]) -> None:
        started = time.perf_counter()
        settings = self._settings
        try:
            if not settings.multi_model:
                loaded = handlers.load(settings, settings.model_dir, settings.code_dir)
                _give_back()
                self._app.handlers = loaded
        except BaseException as error:  # noqa: BLE001 - user code may raise anything, sys.exit too
            _say_why(error)  # first: once it has failed the process may end any moment
            self._failed = True
            self._loop.call_soon_threadsafe(self._stopping.set)
            return
        if not settings.multi_model:
            seconds = round(time.perf_counter() - started, 3)
            log.line("loaded", program=settings.program, seconds=seconds)
        self._metrics.ready()
        tell()


def _loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop  # noqa: PLC0415 - not on every system; asyncio's own loop does the same, slower
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop


def _give_back() -> None:
    """What loading took goes back to the system, and collections of garbage pass the model over from now on."""
    gc.collect()
    gc.freeze()
    with contextlib.suppress(OSError, AttributeError, TypeError):  # not glibc: it has no such function
        ctypes.CDLL(None).malloc_trim(0)


def _tell(parent: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it has gone: the reader sees it too
        parent.send(b"r")


def _say_why(error: BaseException) -> None:
    if not isinstance(error, StartError):
        sys.stderr.write("".join(traceback.format_exception(error)))
    sys.stderr.write(f"serving: the model cannot be served: {type(error).__name__}: {error}\n")
    sys.stderr.flush()
