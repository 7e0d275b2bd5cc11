"""Which process is it: a pid together with the moment it started, so that a recycled pid is not mistaken for ours."""

import os
import select
import subprocess
import time
from pathlib import Path

_POLL_SECONDS = 0.02


def fingerprint(pid: int) -> str | None:
    """When process `pid` started, as the kernel tells it; None when there is no such process or it is a zombie."""
    if not Path("/proc/self/stat").exists():
        return _fingerprint_by_ps(pid)
    fields = _stat(pid)
    return None if fields is None or fields[0] == "Z" else _mark(fields)


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the third (state) on; the name before it may hold spaces."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _mark(fields: list[str]) -> str:
    return f"{_boot_id()}:{fields[19]}"


def _boot_id() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id")
    return boot.read_text().strip() if boot.exists() else "-"


def _fingerprint_by_ps(pid: int) -> str | None:
    answer = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split(maxsplit=1)
    return answer[1].strip() if len(answer) == 2 and not answer[0].startswith("Z") else None


def wait_for_end(pid: int, expected: str, seconds: float) -> bool:
    """Wait until process `pid` with that fingerprint is gone; False when it still lives after `seconds`."""
    deadline = time.monotonic() + seconds
    if hasattr(os, "pidfd_open"):
        try:
            watched = os.pidfd_open(pid)
        except ProcessLookupError:
            return True
        try:
            # A killed process shows as a zombie while its threads still hold its sockets: wait for all of it.
            fields = _stat(pid)
            if fields is not None and _mark(fields) == expected:
                select.select([watched], [], [], seconds)
        finally:
            os.close(watched)
    while fingerprint(pid) == expected:
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
