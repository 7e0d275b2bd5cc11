"""Several serving processes on one port: each inherits the listening socket; a dead one is started again."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

from serving import log

SOCKET_VARIABLE, PARENT_VARIABLE, FIRST_VARIABLE = (
    "SERVING_WORKER_SOCKET",
    "SERVING_WORKER_PARENT",
    "SERVING_WORKER_FIRST",
)
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds before a dead worker is started again, doubled each time
LOOK_SECONDS = 0.1
GRACE_SECONDS = 35  # the workers' own 30 and some


@dataclass(frozen=True)
class Inheritance:
    """What a worker gets from its parent: the listening socket, and one end of a pair to notice its death."""

    listener: socket.socket
    parent: socket.socket
    first: bool


def inheritance(env: Mapping[str, str]) -> Inheritance | None:
    """Return what this process inherited, or None if it is not one of several."""
    if SOCKET_VARIABLE not in env:
        return None
    listener, parent = (socket.socket(fileno=int(env[name])) for name in (SOCKET_VARIABLE, PARENT_VARIABLE))
    return Inheritance(listener, parent, env.get(FIRST_VARIABLE) == "1")


class Workers:
    """Starts `count` workers and keeps them running until SIGTERM."""

    def __init__(self, count: int, listener: socket.socket) -> None:
        self._listener = listener
        self._ours, self._theirs = socket.socketpair()
        self._stopping = False
        self._pause = FIRST_PAUSE
        self._processes = {number: self._start(number) for number in range(count)}

    def run(self) -> int:
        """Block until told to stop; return 0, or the code of a worker that could not load its model."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._tell_to_stop())
        code = 0
        while not self._stopping and not code:
            time.sleep(LOOK_SECONDS)
            code = self._look_after()
        self._stop()
        return code

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        handed = {SOCKET_VARIABLE: self._listener, PARENT_VARIABLE: self._theirs}
        env = {**os.environ, **{name: str(end.fileno()) for name, end in handed.items()}}
        env[FIRST_VARIABLE] = "1" if number == 0 else "0"
        return subprocess.Popen(
            [sys.executable, "-m", "serving"],
            env=env,
            pass_fds=[end.fileno() for end in handed.values()],
        )

    def _look_after(self) -> int:
        """Start dead workers again; return the exit code of one that says its model cannot be served."""
        for number, process in self._processes.items():
            code = process.poll()
            if code is None or self._stopping:
                continue
            if code == 1:  # the worker's own word for it: another try would end the same way
                return code
            log.line("worker_died", worker=number, code=code, restart_in=self._pause)
            time.sleep(self._pause)
            self._pause = min(self._pause * 2, LONGEST_PAUSE)
            self._processes[number] = self._start(number)
        return 0

    def _tell_to_stop(self) -> None:
        self._stopping = True

    def _stop(self) -> None:
        for process in self._processes.values():
            process.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        for process in self._processes.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
