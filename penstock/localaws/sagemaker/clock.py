"""The plane's time. Every wait that AWS counts in minutes goes through it, so that a test may let time pass at will.

`advance` moves the time forward and wakes whoever waits: what was to happen by then happens, in its order, and no state
is left out. Without it, time is the machine's.
"""

import threading
import time
from collections.abc import Callable

_LONGEST_NAP = 3600.0  # a machine that slept: look at the clock again now and then


class Clock:
    """Epoch seconds, moved forward by what `advance` was given."""

    def __init__(self, read: Callable[[], float] = time.time) -> None:
        self._read = read
        self._ahead = 0.0
        self._moved = threading.Condition()

    def now(self) -> float:
        """Epoch seconds."""
        return self._read() + self._ahead

    def advance(self, seconds: float) -> float:
        """Let `seconds` (not negative) pass at once; returns the time it is then."""
        if seconds < 0:
            raise ValueError(f"time does not go back: {seconds}")
        with self._moved:
            self._ahead += seconds
            self._moved.notify_all()
        return self.now()

    def wait(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Block until `until()` is true (returns True) or `seconds` of this clock have passed (returns False).

        `until` is looked at when the wait begins, after every `advance` and every `wake`.
        """
        deadline = self.now() + seconds
        with self._moved:
            while not until():
                left = deadline - self.now()
                if left <= 0:
                    return False
                self._moved.wait(min(left, _LONGEST_NAP))
            return True

    def wake(self) -> None:
        """Let everybody who waits look at their `until` again."""
        with self._moved:
            self._moved.notify_all()
