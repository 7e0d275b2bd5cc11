"""Metrics read from a job's lines by the regular expressions of MetricDefinitions."""

import math
import re
import threading
from typing import Any

_LONGEST_LINE = 10_000
_MOST_POINTS = 5_000

Point = tuple[str, float, float]  # name, value, epoch seconds


class MetricReader:
    """Collects (name, value, epoch seconds) from lines, as they come."""

    def __init__(self, definitions: list[dict[str, str]]) -> None:
        self._patterns = [(one["Name"], _compiled(one["Regex"])) for one in definitions]
        self._lock = threading.Lock()
        self.points: list[Point] = []
        self._last: dict[str, tuple[float, float]] = {}

    def read(self, line: str, at: float) -> None:
        """Look for metrics in a line (tabs already written as #011, as SageMaker's log pipeline does).

        Every match counts, and hosts may read at once: the last value of a metric is the last any of them reported.
        """
        for name, pattern in self._patterns:
            for match in pattern.finditer(line[:_LONGEST_LINE]) if pattern else ():
                self._take(name, _value(match), at)

    def _take(self, name: str, value: float | None, at: float) -> None:
        if value is None:
            return
        with self._lock:
            self._last[name] = (value, at)
            if len(self.points) < _MOST_POINTS:
                self.points.append((name, value, at))

    def all(self) -> list[Point]:
        """Every point so far, oldest first."""
        with self._lock:
            return list(self.points)

    def final(self) -> list[dict[str, Any]]:
        """The last value of each metric that showed up, in the order of the definitions; times in epoch seconds."""
        with self._lock:
            return [
                {"MetricName": name, "Value": self._last[name][0], "Timestamp": self._last[name][1]}
                for name in dict.fromkeys(name for name, _ in self._patterns)
                if name in self._last
            ]


def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern)
    except re.error:
        return None  # AWS takes it and finds nothing


def _value(match: re.Match[str]) -> float | None:
    if match.re.groups < 1:
        return None
    try:
        value = float(match[1])
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) else None  # CloudWatch takes no NaN
