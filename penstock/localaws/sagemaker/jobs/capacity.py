"""What instances have and what this machine has left: memory by instance type, and whether a job may start."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

GIB = 1 << 30
LEAST_FREE_MEMORY = GIB // 4  # no job starts while the machine has less available
LEAST_FREE_DISK = GIB // 2
_KEPT_FOR_THE_MACHINE = GIB // 4
_GIB_PER_CORE = {"c": 2, "m": 4, "t": 4, "r": 8, "x": 16, "g": 4, "p": 8, "inf": 2, "trn": 4}
_SMALL = {"medium": 1, "large": 2, "xlarge": 4}


def instance_memory(instance_type: str) -> int | None:
    """Bytes of memory of an instance type such as `ml.m5.large`, by its family and size; None when they are unknown.

    AWS keeps to so many GiB a core within a family; a few older types (c4, p2, p3) differ by some per cent.
    """
    if instance_type.endswith("t3.medium"):
        return 4 * GIB
    _, _, rest = instance_type.partition(".")
    family, _, size = rest.partition(".")
    letters = family.rstrip("abcdefghijklmnopqrstuvwxyz-") or family  # m7i-flex → m7
    per_core = _GIB_PER_CORE.get(letters.rstrip("0123456789"))
    cores = _SMALL.get(size)
    if cores is None and size.endswith("xlarge") and size[: -len("xlarge")].isdigit():
        cores = 4 * int(size[: -len("xlarge")])
    return None if per_core is None or cores is None else per_core * cores * GIB


def memory_limit(instance_type: str) -> int:
    """Bytes a host of a job may have resident: those of its instance type, but never all this machine has."""
    most = max(GIB, total_memory() - _KEPT_FOR_THE_MACHINE)
    return min(instance_memory(instance_type) or most, most)


def total_memory() -> int:
    """Bytes of memory this machine has."""
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def available_memory() -> int:
    """Bytes a new process could have without the machine swapping; all of it where nobody can say."""
    try:
        with open("/proc/meminfo") as file:
            found = dict(line.split(":", 1) for line in file)
        return int(found["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError):
        return total_memory()


class Machine:
    """What this machine has left; `memory` and `disk` answer in bytes."""

    def __init__(
        self,
        directory: Path,
        memory: Callable[[], int] = available_memory,
        disk: Callable[[Path], int] | None = None,
    ) -> None:
        self._directory = directory
        self._memory = memory
        self._disk = disk or (lambda path: shutil.disk_usage(path).free)

    def shortage(self) -> str | None:
        """Why no job may start now; None when one may."""
        memory, disk = self._memory(), self._disk(self._directory)
        if memory < LEAST_FREE_MEMORY:
            return _short("memory", memory, LEAST_FREE_MEMORY)
        if disk < LEAST_FREE_DISK:
            return _short("disk", disk, LEAST_FREE_DISK)
        return None


def _short(what: str, free: int, least: int) -> str:
    return (
        f"Waiting: this machine has {free >> 20} MiB of {what} free, and a job starts with {least >> 20} MiB"
    )
