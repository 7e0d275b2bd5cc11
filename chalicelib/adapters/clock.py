"""The time."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """The Clock port on this machine's clock."""

    def now(self) -> datetime:
        """The present moment, in UTC."""
        return datetime.now(UTC)
