"""One serving process: the event loop, the loading of the model, and the end of both."""

import contextlib
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterator

import uvicorn

from serving import handlers, log
from serving.app import App
from serving.errors import StartError
from serving.models import Models, resident
from serving.settings import Settings

GRACE_SECONDS = 30  # what SageMaker leaves between SIGTERM and SIGKILL


class _Server(uvicorn.Server):
    """uvicorn whose SIGTERM ends in exit code 0: being stopped is not a failure."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.handle_exit)
        yield


class Worker:
    """Serves one model on a listening socket. `run` blocks until the process is told to stop."""

    def __init__(self, settings: Settings, listener: socket.socket) -> None:
        self._settings = settings
        self._listener = listener
        self._app = App(settings, Models(settings, resident) if settings.multi_model else None)
        self._server = _Server(_config(self._app))
        self._failed = False

    def run(self, *, answer_while_loading: bool) -> int:
        """Serve; return 0, or 1 if the model could not be loaded.

        With one process /ping has to say 503 while the model loads, so it answers at once. Of several, only
        the first does: the others take connections when they can predict, and no request finds them empty.
        """
        if self._settings.multi_model:
            pass  # nothing to load before somebody asks for it
        elif answer_while_loading:
            threading.Thread(target=self._load, daemon=True).start()
        else:
            self._load()
        if not self._failed:
            self._server.run(sockets=[self._listener])
        return 1 if self._failed else 0

    def stop_with(self, parent: socket.socket) -> None:
        """Stop when the parent process has gone, however it went: its end of the pair closes."""
        threading.Thread(target=self._wait_for_end_of, args=(parent,), daemon=True).start()

    def _wait_for_end_of(self, parent: socket.socket) -> None:
        with contextlib.suppress(OSError):
            parent.recv(1)
        self._server.should_exit = True

    def _load(self) -> None:
        started = time.perf_counter()
        try:
            settings = self._settings
            self._app.handlers = handlers.load(settings, settings.model_dir, settings.code_dir)
        except BaseException as error:  # noqa: BLE001 - user code may raise anything, sys.exit too
            _say_why(error)  # first: once it has failed the process may end any moment
            self._failed = self._server.should_exit = True
            return
        log.line("loaded", program=self._settings.program, seconds=round(time.perf_counter() - started, 3))


def _say_why(error: BaseException) -> None:
    if not isinstance(error, StartError):
        sys.stderr.write("".join(traceback.format_exception(error)))
    sys.stderr.write(f"serving: the model cannot be served: {type(error).__name__}: {error}\n")
    sys.stderr.flush()


def _config(app: App) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        lifespan="off",
        ws="none",
        interface="asgi3",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=75,  # longer than callers keep idle connections, so that they close first
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
