"""Several serving processes on one port: this one accepts and hands each connection to the process with the fewest.

Left to themselves, processes that accept from one socket share badly: whoever wakes first takes all that wait. A
process that dies is started again; the others go on meanwhile.
"""

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from serving import log
from serving.metrics import Board

PARENT_VARIABLE, BOARD_VARIABLE, NUMBER_VARIABLE = (
    "SERVING_WORKER_PARENT",
    "SERVING_WORKER_BOARD",
    "SERVING_WORKER_NUMBER",
)
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0  # seconds before a dead worker is started again, doubled each time
LOOK_MILLISECONDS = 100
GRACE_SECONDS = 35  # the workers' own 30 and some
_AT_ONCE = 64  # connections accepted before anything else is looked at


@dataclass(frozen=True)
class Inheritance:
    """What a worker gets from its parent: its end of a pair, the board and the number of its row there."""

    parent: socket.socket
    board: int
    number: int


def inheritance(env: Mapping[str, str]) -> Inheritance | None:
    """Return what this process inherited, or None if it is not one of several."""
    if PARENT_VARIABLE not in env:
        return None
    parent = socket.socket(fileno=int(env[PARENT_VARIABLE]))
    return Inheritance(parent, int(env[BOARD_VARIABLE]), int(env[NUMBER_VARIABLE]))


@dataclass
class _Child:
    """A worker process: connections handed to it so far, and those its predecessors in the row had closed."""

    number: int
    process: subprocess.Popen[bytes]
    channel: socket.socket
    handed: int = 0
    ready: bool = False
    started: float = field(default_factory=time.monotonic)
    again: float | None = field(default=None)  # when it is started again, if it has died


class Workers:
    """Starts `count` workers, gives them connections and keeps them running until SIGTERM."""

    def __init__(self, count: int, listener: socket.socket) -> None:
        listener.setblocking(False)
        self._listener = listener
        self._board = Board(count)
        self._stopping = False
        self._pause = 0.0  # the last one
        self._children = [self._start(number) for number in range(count)]
        self._turn = 0
        self._held: socket.socket | None = None  # accepted, and no worker takes it yet

    def run(self) -> int:
        """Block until told to stop; return 0, or the code of a worker that could not load its model."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._tell_to_stop())
        waiting = select.poll()
        waiting.register(self._listener, select.POLLIN)
        code = 0
        while not self._stopping and not code:
            if waiting.poll(LOOK_MILLISECONDS):
                self._accept()
            code = self._look_after()
        self._listener.close()
        self._stop()
        return code

    def _start(self, number: int) -> _Child:
        ours, theirs = socket.socketpair()
        with theirs:
            env = {
                **os.environ,
                PARENT_VARIABLE: str(theirs.fileno()),
                BOARD_VARIABLE: str(self._board.fd),
                NUMBER_VARIABLE: str(number),
            }
            process = subprocess.Popen(
                [sys.executable, "-m", "serving"], env=env, pass_fds=(theirs.fileno(), self._board.fd)
            )
        ours.setblocking(False)
        return _Child(number, process, ours, self._board.closed(number))

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            takers = self._takers()
            if not takers:
                time.sleep(
                    LOOK_MILLISECONDS / 1000
                )  # nobody is there: callers wait in the socket's own queue
                return
            if self._held is None:
                try:
                    self._held, _ = self._listener.accept()
                except OSError:  # none waits any more, or it has gone again, or there are too many open files
                    return
            if not self._hand_over(self._held, takers):
                _wait_for_any(takers)  # the others wait in the socket's own queue
                return
            self._held.close()
            self._held = None

    def _takers(self) -> Sequence[_Child]:
        """Who may get a connection, the one with the fewest first: those that can predict, else whoever can say 503."""
        alive = [child for child in self._children if child.again is None]
        ready = [child for child in alive if self._is_ready(child)]

        def load(child: _Child) -> tuple[int, int]:
            opened = child.handed - self._board.closed(child.number)
            return opened, (child.number + self._turn) % len(self._children)  # of equals each in its turn

        return sorted(ready or alive, key=load)

    def _is_ready(self, child: _Child) -> bool:
        if not child.ready:
            try:
                child.ready = child.channel.recv(1) == b"r"
            except OSError:
                return False
        return child.ready

    def _hand_over(self, connection: socket.socket, takers: Sequence[_Child]) -> bool:
        """Give it to the first that takes it; False when none does, since what lies between us is full."""
        for child in takers:
            try:
                socket.send_fds(child.channel, [b"c"], [connection.fileno()])
            except OSError:  # it has died, or takes nothing now: the next one
                continue
            child.handed += 1
            self._turn += 1
            return True
        return False

    def _look_after(self) -> int:
        """Start dead workers again; return the exit code of one that says its model cannot be served."""
        for child in self._children:
            code = child.process.poll()
            if code is None or self._stopping:
                continue
            if code == 1:  # the worker's own word for it: another try would end the same way
                return code
            if child.again is None:
                now = time.monotonic()
                self._pause = next_pause(self._pause, now - child.started)
                log.line("worker_died", worker=child.number, code=code, restart_in=self._pause)
                child.channel.close()
                child.again = now + self._pause
            elif time.monotonic() >= child.again:
                self._board.settle(child.number)
                self._children[child.number] = self._start(child.number)
        return 0

    def _tell_to_stop(self) -> None:
        self._stopping = True

    def _stop(self) -> None:
        for child in self._children:
            child.process.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        for child in self._children:
            try:
                child.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                child.process.kill()


def next_pause(last: float, lived: float) -> float:
    """Seconds until a worker that has lived so long is started again; one that lived long died of something else."""
    return FIRST_PAUSE if lived > LONGEST_PAUSE or not last else min(last * 2, LONGEST_PAUSE)


def _wait_for_any(children: Sequence[_Child]) -> None:
    """Wait until one of them may take a connection again, or one is worth a look."""
    taking = select.poll()
    for child in children:
        taking.register(child.channel, select.POLLOUT)
    taking.poll(LOOK_MILLISECONDS)
