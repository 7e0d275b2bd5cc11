"""Concurrency a test decides: actors run as threads, one at a time, and hand over before every call of the ledger."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

_PATIENCE = 20.0


class Actor:
    """One function, run a ledger call at a time."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._go, self._stopped = threading.Semaphore(0), threading.Semaphore(0)
        self.done = False
        self.next = ""
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(work,), daemon=True)

    def _run(self, work: Callable[[], Any]) -> None:
        _current.actor = self
        self._go.acquire()
        try:
            work()
        except BaseException as error:  # noqa: BLE001  # the test raises it again, in its own thread
            self.error = error
        self.done = True
        self._stopped.release()

    def step(self) -> None:
        """Go on until just before the next call of the ledger, or to the end."""
        if self._thread.ident is None:
            self._thread.start()
        self._go.release()
        assert self._stopped.acquire(timeout=_PATIENCE), "the actor never came to its next call"
        if self.error:
            raise self.error

    def until(self, call: str) -> None:
        """Go on until just before a call of this name."""
        while self.next != call:
            assert not self.done, f"ended without calling {call}"
            self.step()

    def finish(self) -> None:
        """Go on to the end."""
        while not self.done:
            self.step()

    def pause(self, call: str) -> None:
        """Called in the actor's thread: hand over, and wait for the next turn."""
        self.next = call
        self._stopped.release()
        self._go.acquire()


class _Current(threading.local):
    actor: Actor | None = None


_current = _Current()


class TurningLedger:
    """A ledger whose every call is a turn."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if not callable(method):
            return method

        def turn(*args: Any, **kwargs: Any) -> Any:
            if _current.actor is not None:
                _current.actor.pause(name)
            return method(*args, **kwargs)

        return turn
