"""Looks after the limits of running processes: resident memory of the whole tree, bytes below its directory.

One thread for all of them, alive only while there is something to watch. Memory is read from /proc, so there is no
such limit elsewhere than on Linux. Pages that several processes share count once: what counts first is the cheap sum of
resident pages, and only a tree that is over its limit by that is counted exactly.
"""

import logging
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from penstock.localaws.execution.process import Process

log = logging.getLogger("penstock.localaws.execution")

MEMORY, DISK = "memory", "disk"  # what `Process.killed_for` says
_INTERVAL = 0.25
_DISK_INTERVAL = 1.0
_DISK_SHARE = 20.0  # a look that took a second is not repeated for twenty
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Watch:
    """The processes with limits; `add` each when it has been started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: dict[Process, float] = {}  # process → when to look at its directory next
        self._thread: threading.Thread | None = None

    def add(self, process: Process) -> None:
        """Watch a process until it ends; one without limits is not looked at."""
        if process.spec.memory_limit is None and process.spec.disk_limit is None:
            return
        with self._lock:
            self._watched[process] = 0.0
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="process-watch", daemon=True)
                self._thread.start()

    def _look(self) -> None:
        pause = threading.Event()  # never set: the pace of looking
        while True:
            with self._lock:
                self._watched = {one: due for one, due in self._watched.items() if one.alive}
                if not self._watched:
                    self._thread = None
                    return
                watched = list(self._watched)
            for process in watched:
                try:
                    self._check(process)
                except Exception:
                    log.exception("the limits of process %d could not be looked at", process.pid)
            pause.wait(_INTERVAL)

    def _check(self, process: Process) -> None:
        limit = process.spec.memory_limit
        if limit is not None and resident(process.pid) > limit and resident(process.pid, exact=True) > limit:
            process.kill(MEMORY)
        if process.spec.disk_limit is not None and time.monotonic() >= self._watched.get(process, 0.0):
            directory, most = process.spec.disk_limit
            began = time.monotonic()
            if occupied(directory) > most:
                process.kill(DISK)
            took = time.monotonic() - began
            with self._lock:
                self._watched[process] = time.monotonic() + max(_DISK_INTERVAL, took * _DISK_SHARE)


def resident(pid: int, exact: bool = False) -> int:
    """Bytes of memory the tree below `pid` (and itself) has; shared pages in proportion when `exact`."""
    one = _proportional if exact else _resident
    return sum(one(process) for process in tree(pid))


def tree(pid: int) -> Iterator[int]:
    """`pid` and every process below it."""
    yield pid
    for child in _children(pid):
        yield from tree(child)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as file:
                found += map(int, file.read().split())
    except OSError:
        return found  # it ended meanwhile, or this is no Linux
    return found


def _resident(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def _proportional(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        return _resident(pid)  # not for our eyes, or it ended meanwhile
    return 0


def occupied(directory: Path) -> int:
    """Bytes the files below `directory` take on disk: a hole in a file takes none. Links are not followed."""
    total = 0
    pending = [str(directory)]
    while pending:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
        except OSError:
            continue  # gone, or not for us to read
    return total
