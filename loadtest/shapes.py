"""A load that rises all at once, to the profile's `users`. Name this file beside locustfile.py to use it.

locust --config loadtest/profiles/spike.conf --host URL
"""

from __future__ import annotations

from typing import Any

from locust import LoadTestShape

QUIET_SHARE = 0.1  # of the users, before and after
PHASES = ((0.25, False), (0.5, True), (0.25, False))  # shares of the run's time, and whether it is the spike


class Spike(LoadTestShape):
    """A tenth of the users, then all of them within a second, then a tenth again."""

    use_common_options = True  # so that a profile's users and run-time are this shape's too

    def tick(self) -> tuple[int, float] | None:
        """How many users there are to be now, and how fast they come; None: it is over."""
        asked: Any = self.runner.environment.parsed_options if self.runner else None
        return at(self.get_run_time(), asked.users, asked.run_time) if asked else None


def at(seconds: float, users: int, lasts: float) -> tuple[int, float] | None:
    """As `tick`, at a moment of a run of so many users and seconds."""
    end = 0.0
    for share, spike in PHASES:
        end += share * lasts
        if seconds < end:
            return (users if spike else max(1, round(users * QUIET_SHARE))), float(users)
    return None
