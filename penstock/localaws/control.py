"""Start, stop and look at the embedded AWS of one project: one detached process, one record file."""

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TextIO

from penstock.errors import PenstockError
from penstock.localaws.process import fingerprint, wait_for_end
from penstock.localaws.settings import (
    CODE_ROOT,
    DEFAULT_PORT,
    HOST,
    Layout,
    endpoint_url,
    environment,
    layout,
    private_directories,
)

_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_LAST_BREATH_SECONDS = 5.0  # a process just killed holds its port a moment longer
_LOG_LIMIT = 10_000_000
_POLL_SECONDS = 0.1


class AlreadyRunning(PenstockError):
    """`up` found the embedded AWS of this project running."""


class NotRunning(PenstockError):
    """`down` found nothing to stop."""


class StartFailed(PenstockError):
    """The server did not come up."""


class StopFailed(PenstockError):
    """The server did not go away."""


@dataclass(frozen=True)
class Running:
    """A running embedded AWS. `note` says what `up` had to put right first, or is empty."""

    pid: int
    port: int
    endpoint_url: str
    started_at: str
    root: Path
    note: str = ""


@dataclass(frozen=True)
class Record:
    """What the server writes about itself once it answers."""

    pid: int
    port: int
    started_at: str
    version: str
    fingerprint: str


def read_record(where: Layout) -> Record | None:
    """The record file, or None when there is none or it is not one of ours."""
    try:
        return Record(**json.loads(where.record.read_text()))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):
        return None


def write_record(where: Layout, port: int, started_at: str) -> None:
    """Write this process's record, whole or not at all."""
    pid = os.getpid()
    record = Record(pid, port, started_at, version("ministack"), fingerprint(pid) or "")
    partial = where.record.with_suffix(".tmp")
    partial.write_text(json.dumps(asdict(record), indent=1))
    partial.replace(where.record)


def status(root: Path) -> Running | None:
    """The running embedded AWS of the project at `root`, or None."""
    where = layout(root)
    record = read_record(where)
    if record is None or fingerprint(record.pid) != record.fingerprint:
        return None
    return Running(record.pid, record.port, endpoint_url(record.port), record.started_at, where.root)


def up(root: Path, port: int | None = None, testing: bool = False) -> Running:
    """Start the embedded AWS of the project at `root` and return once it answers.

    Without `port`: the one a crashed server had, else 4566, else any free one. With `testing` it has the paths of
    `testing.Testing`, with which anybody on this machine may empty it. Raises AlreadyRunning or StartFailed.
    """
    where = layout(root)
    try:
        private_directories(where)
    except OSError as error:
        raise StartFailed(
            str(error.filename), f"cannot be used ({error.strerror})", "Make it a directory you can write to."
        ) from error
    with _exclusive(where):
        running = status(where.root)
        if running is not None:
            raise AlreadyRunning(
                str(where.root),
                f"the embedded AWS already runs as process {running.pid} at {running.endpoint_url}",
                "Use it as it is, or stop it first with `penstock down`.",
            )
        note, wanted = _clear_stale_record(where)
        listener = _listen(port, wanted)
        with listener:
            _launch(where, listener, testing)
        started = status(where.root)
    if started is None:
        raise _start_failed(where, "the server answered and then went away")
    return Running(started.pid, started.port, started.endpoint_url, started.started_at, where.root, note)


def down(root: Path) -> Running:
    """Stop the embedded AWS of the project at `root`, its jobs and endpoints; its state is kept. Raises NotRunning."""
    where = layout(root)
    if not where.home.exists():
        raise _not_running(where)
    with _exclusive(where):
        running, record = status(where.root), read_record(where)
        if running is None or record is None:
            where.record.unlink(missing_ok=True)
            raise _not_running(where)
        with contextlib.suppress(ProcessLookupError):
            os.kill(record.pid, signal.SIGTERM)
        if not wait_for_end(record.pid, record.fingerprint, _STOP_SECONDS):
            raise StopFailed(
                str(where.root),
                f"process {record.pid} did not end within {_STOP_SECONDS:.0f} seconds",
                f"See {where.log}; state is saved while it runs, so `kill -9 {record.pid}` loses at most a second.",
            )
        where.record.unlink(missing_ok=True)
    return running


def logs(root: Path, follow: bool = False) -> Iterator[str]:
    """The server's log, line by line; with `follow`, also what comes, until the server ends."""
    where = layout(root)
    if not where.log.exists():
        raise _not_running(where)
    with where.log.open(encoding="utf-8", errors="replace") as log:
        while True:
            alive = follow and status(where.root) is not None
            yield from _complete_lines(log, at_end=not alive)
            if not alive:
                return
            time.sleep(_POLL_SECONDS)  # a file that grows offers nothing portable to wait on


def _complete_lines(log: TextIO, at_end: bool) -> Iterator[str]:
    while True:
        start = log.tell()
        line = log.readline()
        if line.endswith("\n") or (line and at_end):
            yield line.rstrip("\n")
            continue
        log.seek(start)
        return


def _clear_stale_record(where: Layout) -> tuple[str, int | None]:
    """Drop the record of a server that is gone. Returns what to tell the person and the port it had."""
    if not where.record.exists():
        return "", None
    record = read_record(where)
    where.record.unlink(missing_ok=True)
    if record is None:
        return f"{where.record} was unreadable and has been replaced", None
    wait_for_end(record.pid, record.fingerprint, _LAST_BREATH_SECONDS)
    found = "is gone" if fingerprint(record.pid) is None else "is another program now"
    return (
        f"the last server had not been stopped (process {record.pid} {found}); its saved state is used",
        record.port,
    )


def _listen(port: int | None, wanted: int | None) -> socket.socket:
    """A socket that already listens, handed to the server: nobody can take the port in between."""
    if port is not None:
        try:
            return _bind(port)
        except OSError as error:
            raise StartFailed(
                f"{HOST}:{port}",
                f"the port cannot be opened ({error.strerror})",
                "Choose another with --port, or leave it out to take a free one.",
            ) from error
    for candidate in (wanted, DEFAULT_PORT):
        if candidate is not None:
            with contextlib.suppress(OSError):
                return _bind(candidate)
    return _bind(0)


def _bind(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(1024)
    except OSError:
        listener.close()
        raise
    return listener


def _launch(where: Layout, listener: socket.socket, testing: bool) -> None:
    """Start the server process and wait until it says it is ready."""
    port = listener.getsockname()[1]
    if where.log.exists() and where.log.stat().st_size > _LOG_LIMIT:
        where.log.replace(where.log.with_suffix(".log.1"))
    ready, answer = os.pipe()
    with os.fdopen(ready, "rb") as ready_file, where.log.open("ab") as log:
        arguments = [str(where.root), str(port), str(listener.fileno()), str(answer)]
        with contextlib.closing(_Descriptor(answer)):
            starter = subprocess.Popen(
                [sys.executable, "-m", "penstock.localaws.server", *arguments],
                cwd=CODE_ROOT,
                env=environment(os.environ, where, port, testing),
                pass_fds=(listener.fileno(), answer),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        starter.wait()  # it forks the server and ends at once: no child of ours is left to become a zombie
        if not select.select([ready_file], [], [], _START_SECONDS)[0]:
            raise _start_failed(where, f"the server did not answer within {_START_SECONDS:.0f} seconds")
        if ready_file.read() != b"ready":
            raise _start_failed(where, "the server ended before it answered")


class _Descriptor:
    """A bare file descriptor with a `close`."""

    def __init__(self, number: int) -> None:
        self._number = number

    def close(self) -> None:
        os.close(self._number)


@contextlib.contextmanager
def _exclusive(where: Layout) -> Iterator[None]:
    """Hold the project's control lock; a second starter waits for the first and then sees its server."""
    with where.lock.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # whoever holds it has deadlines of its own
        yield


def _not_running(where: Layout) -> NotRunning:
    return NotRunning(str(where.root), "no embedded AWS runs here", "Start one with `penstock up`.")


def _start_failed(where: Layout, what: str) -> StartFailed:
    tail = where.log.read_text(encoding="utf-8", errors="replace").splitlines()[-12:]
    return StartFailed(
        str(where.root), f"{what}:\n" + "\n".join(tail) + "\n", f"The whole log is {where.log}."
    )
