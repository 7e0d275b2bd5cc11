"""Keeps a directory of a running job and its copy in S3 alike: checkpoints, and outputs that are uploaded continuously.

What to do is a pure function of what was seen; a file that changes while we look waits until it has come to rest.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from penstock.localaws.sagemaker.faults import JobFault
from penstock.localaws.sagemaker.jobs import transfers
from penstock.localaws.sagemaker.plane import Plane

log = logging.getLogger("penstock.localaws.sagemaker")

INTERVAL_SECONDS = 2.0
Stamp = tuple[int, int]  # time of the last change in nanoseconds, bytes
Seen = Mapping[str, Stamp]


@dataclass(frozen=True)
class Changes:
    """Names to store and names to remove."""

    store: tuple[str, ...]
    remove: tuple[str, ...]


def changes(stored: Seen, before: Seen, now: Seen) -> Changes:
    """What is due: new or other files that are as they were when last seen, and what is gone.

    `stored` is what S3 has of ours, `before` and `now` the last two looks at the directory.
    """
    at_rest = (name for name, stamp in now.items() if before.get(name) == stamp != stored.get(name))
    return Changes(tuple(sorted(at_rest)), tuple(sorted(set(stored) - set(now))))


class Mirror:
    """One directory and its S3 address. `deletes`: what goes in the directory goes in S3."""

    def __init__(self, s3: Any, directory: Path, uri: str, deletes: bool) -> None:
        self._s3 = s3
        self._directory = directory
        self._uri = uri.rstrip("/")
        self._deletes = deletes
        self._before: dict[str, Stamp] = {}
        self._stored: dict[str, Stamp] = {}

    def assume_stored(self) -> None:
        """What is there now came from S3."""
        self._before = self._stored = self._seen()

    def bring_up_to_date(self, last: bool = False) -> None:
        """Store what has come to rest, or everything when it is the `last` time; raises JobFault."""
        now = self._seen()
        due = changes(self._stored, now if last else self._before, now)
        self._before = now
        for name in due.store:
            transfers.upload_file(self._s3, self._directory / name, f"{self._uri}/{name}")
            self._stored[name] = now[name]
        for name in due.remove if self._deletes else ():
            transfers.delete_object(self._s3, f"{self._uri}/{name}")
            del self._stored[name]

    def _seen(self) -> dict[str, Stamp]:
        found = {}
        for path, name in transfers.files_below(self._directory):
            try:
                stat = path.stat()
            except OSError:
                continue  # gone meanwhile
            found[name] = (stat.st_mtime_ns, stat.st_size)
        return found


class Mirroring:
    """Brings mirrors up to date now and then while a job runs; the last time is `Mirror`'s own business."""

    def __init__(self, plane: Plane, mirrors: Sequence[Mirror]) -> None:
        self._clock = plane.clock
        self._mirrors = mirrors
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, failed: Callable[[str], None]) -> None:  # noqa: ARG002  it never fails a job
        """Begin; what cannot be stored now is tried again, and fails the job at its end only."""
        if self._mirrors:
            self._thread = threading.Thread(target=self._run, name="mirroring", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End, and return when nothing is stored any more."""
        self._stopping.set()
        self._clock.wake()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._clock.wait(INTERVAL_SECONDS, until=self._stopping.is_set):
            for mirror in self._mirrors:
                try:
                    mirror.bring_up_to_date()
                except JobFault as fault:
                    log.warning("not stored yet: %s", fault)
                except Exception:
                    log.exception("a directory of a job cannot be stored")


def finish(mirrors: Iterable[Mirror]) -> None:
    """Store what is left; raises JobFault."""
    for mirror in mirrors:
        mirror.bring_up_to_date(last=True)
