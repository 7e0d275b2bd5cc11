"""Lines of jobs and endpoints to CloudWatch Logs, in batches, by one thread: nobody who prints waits for HTTP.

What a batch could not bring is kept and tried again; `Stream.close` returns once everything is there (or says in the
server's log how much was lost after `_LAST_TRY_SECONDS`).
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

log = logging.getLogger("penstock.localaws.execution")

_INTERVAL = 0.5
_BATCH_EVENTS = 5_000  # PutLogEvents takes 10,000 events and 1 MiB
_BATCH_BYTES = 900_000
_EVENT_OVERHEAD = 26
_LONGEST = 250_000  # bytes of one event
_MOST_WAITING = 200_000  # lines; then the job waits for us, as for any pipe that is full
_LAST_TRY_SECONDS = 20.0


@dataclass
class _Waiting:
    group: str
    name: str
    lines: list[tuple[int, str]] = field(default_factory=list)
    created: bool = False
    closing: bool = False


class Stream:
    """One log stream; may be written to from any thread."""

    def __init__(self, shipper: "LogShipper", waiting: _Waiting) -> None:
        self._shipper = shipper
        self._waiting = waiting

    def write(self, line: str) -> None:
        """Send a line soon. Blank lines are dropped: CloudWatch Logs refuses them, and so does AWS's own driver."""
        if line.strip():
            self._shipper.add(self._waiting, int(time.time() * 1000), line)

    def close(self) -> None:
        """Return once every line has arrived."""
        self._shipper.drain(self._waiting)


class LogShipper:
    """Sends what streams hold; `client` makes the CloudWatch Logs client at first need."""

    def __init__(self, client: Callable[[], Any]) -> None:
        self._client = client
        self._streams: dict[tuple[str, str], _Waiting] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._ending = False

    def open(self, group: str, name: str) -> Stream:
        """A stream; it and its group come to be with the first line, or when closed."""
        with self._changed:
            waiting = self._streams.setdefault((group, name), _Waiting(group, name))
            if self._thread is None:
                self._thread = threading.Thread(target=self._ship, name="log-shipper", daemon=True)
                self._thread.start()
        return Stream(self, waiting)

    def add(self, waiting: _Waiting, at: int, line: str) -> None:
        """Take a line of `waiting`, printed at `at` epoch milliseconds."""
        with self._changed:
            self._changed.wait_for(lambda: len(waiting.lines) < _MOST_WAITING or self._ending)
            waiting.lines.append((at, line))
            if len(waiting.lines) in (1, _BATCH_EVENTS):
                self._changed.notify_all()

    def drain(self, waiting: _Waiting) -> None:
        """Wait until all of `waiting` has been sent, then forget it."""
        with self._changed:
            waiting.closing = True
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: not waiting.lines, timeout=_LAST_TRY_SECONDS):
                log.error("%d lines of %s %s were lost", len(waiting.lines), waiting.group, waiting.name)
                waiting.lines.clear()
            self._streams.pop((waiting.group, waiting.name), None)

    def close(self) -> None:
        """Send everything, then end."""
        with self._changed:
            left = list(self._streams.values())
        for waiting in left:
            self.drain(waiting)
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _ship(self) -> None:
        while not self._ending:
            with self._changed:
                self._changed.wait_for(lambda: self._ending or any(w.lines for w in self._streams.values()))
                self._changed.wait_for(self._urgent, timeout=_INTERVAL)
                due = [waiting for waiting in self._streams.values() if waiting.lines]
            sent = [self._send(waiting) for waiting in due]
            if due and not all(sent):
                with self._changed:
                    self._changed.wait_for(lambda: self._ending, timeout=_INTERVAL)

    def _urgent(self) -> bool:
        return self._ending or any(
            w.lines and (w.closing or len(w.lines) >= _BATCH_EVENTS) for w in self._streams.values()
        )

    def _send(self, waiting: _Waiting) -> bool:
        """One batch; False when it did not arrive."""
        with self._changed:
            batch = _batch(waiting.lines)
        try:
            self._create(waiting)
            self._client().put_log_events(
                logGroupName=waiting.group,
                logStreamName=waiting.name,
                logEvents=[{"timestamp": at, "message": line} for at, line in batch],
            )
        except Exception as error:  # noqa: BLE001  the embedded AWS may be busy or going down: try again
            log.warning("lines of %s %s did not arrive yet: %s", waiting.group, waiting.name, error)
            waiting.created = False
            return False
        with self._changed:
            del waiting.lines[: len(batch)]
            self._changed.notify_all()
        return True

    def _create(self, waiting: _Waiting) -> None:
        if waiting.created:
            return
        client = self._client()
        for create, names in (
            (client.create_log_group, {"logGroupName": waiting.group}),
            (client.create_log_stream, {"logGroupName": waiting.group, "logStreamName": waiting.name}),
        ):
            try:
                create(**names)
            except client.exceptions.ResourceAlreadyExistsException:
                continue
        waiting.created = True


def _batch(lines: list[tuple[int, str]]) -> list[tuple[int, str]]:
    """As many of the first lines as one PutLogEvents takes, in order of time as it asks; too long ones are cut."""
    taken: list[tuple[int, str]] = []
    size = 0
    for at, line in lines[:_BATCH_EVENTS]:
        encoded = line.encode("utf-8", "replace")[:_LONGEST]
        size += len(encoded) + _EVENT_OVERHEAD
        if taken and size > _BATCH_BYTES:
            break
        taken.append((max(at, taken[-1][0]) if taken else at, encoded.decode("utf-8", "ignore")))
    return taken
