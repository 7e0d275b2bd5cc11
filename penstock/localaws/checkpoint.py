"""Save MiniStack's state while it runs, so that a killed server loses a second at most.

MiniStack saves on a clean stop only. We note every request that may change something (`touch`), and a thread writes,
at most every half second, the state files that changed. When nothing happens it sleeps; when a service's state has
grown large it is written less often, and after each round the thread rests nine times as long as the round took:
writing stops everything else for as long as it takes, so a busy server spends a tenth of its time on it at most.
"""

import hashlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from penstock.localaws.part import Part

log = logging.getLogger("penstock.localaws")

_INTERVAL = 0.5
_CHEAP_SECONDS = 0.02
_SHARE = 100  # a costly service takes at most one part in so many of the time
_CHANGED_SHARE = 8  # and when a request changed that very service
_PATIENT = {
    "cloudwatch_logs": 5.0,
    "cloudwatch": 5.0,
}  # losing the last log lines is bearable, saving them is dear
_REST = 9  # after a round, so many times its own length without one
_LONGEST_REST = 30.0
_TRAILING = 4  # rounds after the last request: what it started in the background ends about then
_ATTEMPTS = 5

GetState = Callable[[], Any]
Take = Callable[[str, GetState, ModuleType], bytes | None]


@dataclass
class _Saved:
    digest: bytes = b""
    at: float = float("-inf")
    cost: float = 0.0


class Checkpoint(Part):
    """Writes state files below `directory`; `services` says what there is to save, `take` how it looks as bytes."""

    def __init__(
        self,
        directory: Path,
        services: Callable[[], dict[str, GetState]],
        take: Take,
        saved: Callable[[str], None] = lambda _service: None,
    ) -> None:
        self._directory = directory
        self._services = services
        self._take = take
        self._after = saved
        self._known: dict[str, _Saved] = {}
        self._touched: set[str] = set()
        self._rounds = 0
        self._wake = threading.Condition()
        self._writing = threading.Lock()
        self._ending = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._thread = threading.Thread(target=self._watch, name="checkpoint", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop watching and write what is left."""
        with self._wake:
            self._ending = True
            self._wake.notify_all()
        if self._thread is not None:
            self._thread.join()
        self.save(everything=True)

    def touch(self, service: str | None = None) -> None:
        """Something may have changed, in `service` if known. Cheap; callable from any thread."""
        with self._wake:
            if service is not None:
                self._touched.add(service)
            asleep = self._rounds == 0
            self._rounds = _TRAILING
            if asleep:
                self._wake.notify_all()

    def _watch(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._rounds > 0 or self._ending)
                if self._ending:
                    return
                self._rounds -= 1
            begun = time.monotonic()
            self.save()
            rest = rest_after(time.monotonic() - begun)
            with self._wake:
                self._wake.wait_for(lambda: self._ending, timeout=rest)

    def save(self, everything: bool = False) -> list[str]:
        """Write the state files that are due and have changed; returns their services."""
        with self._wake:
            touched, self._touched = self._touched, set()
        with self._writing:
            services = self._services()
            due = [name for name in services if everything or self._is_due(name, touched)]
            self._remember((touched & set(services)) - {*due, *_PATIENT})
            return [name for name in due if self._save_one(name, services[name])]

    def _remember(self, changed: set[str]) -> None:
        """These were changed, and it is too early to write them: look again in the next round."""
        if changed:
            with self._wake:
                self._touched |= changed
                self._rounds = max(self._rounds, 1)

    def _is_due(self, service: str, touched: set[str]) -> bool:
        saved = self._known.get(service)
        if saved is None:
            return True
        age = time.monotonic() - saved.at
        if service in _PATIENT:
            return age >= max(_PATIENT[service], _SHARE * saved.cost)
        if service not in touched:  # it may have changed without a request, but seldom has
            return age >= _SHARE * saved.cost
        return saved.cost < _CHEAP_SECONDS or age >= _CHANGED_SHARE * saved.cost

    def _save_one(self, service: str, get_state: GetState) -> bool:
        started = time.monotonic()
        try:
            content = self._taken(service, get_state)
        except RuntimeError:  # changed by another thread every time we looked
            self.touch(service)
            return False
        except Exception:
            log.exception(
                "the state of %s could not be saved; it is tried again with the next change", service
            )
            return False
        known = self._known.setdefault(service, _Saved())
        known.at, known.cost = time.monotonic(), time.monotonic() - started
        digest = hashlib.blake2b(content).digest() if content is not None else known.digest
        if content is None or digest == known.digest:
            return False
        _write(self._directory / f"{service}.json", content)
        known.digest = digest
        self._after(service)
        return True

    def _taken(self, service: str, get_state: GetState) -> bytes | None:
        """The state as bytes; again when another thread changed it in the middle."""
        module = sys.modules[get_state.__module__]
        for attempt in range(_ATTEMPTS):
            try:
                return self._take(service, get_state, module)
            except RuntimeError:
                if attempt == _ATTEMPTS - 1:
                    raise
        raise AssertionError("unreachable")


def rest_after(round_seconds: float) -> float:
    """Seconds without a round after one that took so long."""
    return max(_INTERVAL, min(_REST * round_seconds, _LONGEST_REST))


def _write(path: Path, content: bytes) -> None:
    """The whole file or none of it; its owner alone may read it."""
    partial = path.with_suffix(".partial")
    with open(partial, "wb", opener=_private) as file:
        file.write(content)
    partial.replace(path)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
