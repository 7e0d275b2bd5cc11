"""What instances use of the machine, each minute: CPU, memory and disk of the model server's processes, from /proc.

Nothing is published where there is no /proc: macOS has no cheap way to ask for a tree of processes.
"""

import contextlib
import os
import shutil
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from penstock.localaws.sagemaker.hosting.instances import Instance
from penstock.localaws.sagemaker.hosting.metrics import USAGE_SECONDS, EndpointMetrics
from penstock.localaws.sagemaker.plane import Plane

_PROC = Path("/proc")


@dataclass(frozen=True)
class Used:
    """Of a tree of processes: seconds of CPU since each began, bytes of resident memory."""

    cpu: float
    memory: int


class Usage:
    """Publishes what `everybody` (endpoint, variant, instance) uses, from the first `begin` until `over`."""

    def __init__(
        self,
        plane: Plane,
        everybody: Callable[[], list[tuple[str, str, Instance]]],
        metrics: EndpointMetrics,
        over: Callable[[], bool],
    ) -> None:
        self._plane, self._everybody, self._metrics, self._over = plane, everybody, metrics, over
        self._seen: dict[int, tuple[float, float]] = {}  # process → CPU seconds, when
        self._begun = threading.Lock()

    def begin(self) -> None:
        """Publish from now on, in a thread; once."""
        if _PROC.is_dir() and self._begun.acquire(blocking=False):
            threading.Thread(target=self._run, name="endpoint-usage", daemon=True).start()

    def _run(self) -> None:
        self.look()  # CPU is the difference between two looks
        while not self._plane.clock.wait(USAGE_SECONDS, self._over):
            self.look()
            self._metrics.flush()

    def look(self) -> None:
        """Note what every running instance uses now."""
        now = self._plane.clock.now()
        children = _children()
        disk = shutil.disk_usage(self._plane.place.root)
        seen = {}
        for endpoint, variant, instance in self._everybody():
            pid = instance.pid
            if pid is None:
                continue
            used = tree(pid, children)
            seen[pid] = (used.cpu, now)
            values = {
                "MemoryUtilization": 100 * used.memory / _memory(),
                "DiskUtilization": 100 * disk.used / disk.total,
            }
            cpu, then = self._seen.get(pid, (0.0, 0.0))
            if then and now > then:
                values["CPUUtilization"] = 100 * max(0.0, used.cpu - cpu) / (now - then)
            self._metrics.usage(endpoint, variant, {name: round(value, 2) for name, value in values.items()})
        self._seen = seen


def tree(pid: int, children: dict[int, list[int]]) -> Used:
    """What the process and its descendants use."""
    cpu, memory, waiting = 0.0, 0, [pid]
    while waiting:
        one = waiting.pop()
        waiting += children.get(one, [])
        with contextlib.suppress(OSError, ValueError):
            fields = _stat(one)
            cpu += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
            memory += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    return Used(cpu, memory)


def _children() -> dict[int, list[int]]:
    """Every process's children, as of now."""
    found: dict[int, list[int]] = {}
    for pid in _pids():
        with contextlib.suppress(OSError, ValueError):
            found.setdefault(int(_stat(pid)[1]), []).append(pid)
    return found


def _pids() -> Iterable[int]:
    return (int(entry) for entry in os.listdir(_PROC) if entry.isdigit())


def _stat(pid: int) -> list[str]:
    """proc(5)'s stat from its third field on: the name before may have spaces and brackets in it."""
    return (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
