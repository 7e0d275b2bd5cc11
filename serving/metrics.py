"""Numbers of all serving processes of one port, in the text format of Prometheus.

Each process adds to a row of its own in memory they share, so any of them can answer for all; nothing is locked.
"""

import bisect
import mmap
import os
import tempfile
from collections.abc import Iterator, Sequence

STATUSES = (200, 204, 400, 404, 405, 406, 408, 409, 413, 415, 422, 429, 431, 499, 500, 503, 507)
SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0)
SIZES = (1, 2, 4, 8, 16, 32, 64)
_OPENED, _CLOSED, _WAITING, _READY = range(
    4
)  # places of a row; then statuses, one more for others; then histograms
_STATUS = 4
_REQUEST = _STATUS + len(STATUSES) + 1
_INFERENCE = _REQUEST + len(SECONDS) + 2
_BATCH = _INFERENCE + len(SECONDS) + 2
_WIDTH = _BATCH + len(SIZES) + 2
_PLACES = {status: _STATUS + place for place, status in enumerate(STATUSES)}
_OTHER = _STATUS + len(STATUSES)


class Board:
    """The memory: a row of whole numbers for each process. `fd` is handed to the other processes."""

    def __init__(self, rows: int, fd: int | None = None) -> None:
        self.rows = rows
        size = rows * _WIDTH * 8
        self.fd = _memory(size) if fd is None else fd
        self.cells = memoryview(mmap.mmap(self.fd, size)).cast("q")

    def closed(self, row: int) -> int:
        """Connections that process has ended, since the board was made."""
        return self.cells[row * _WIDTH + _CLOSED]

    def settle(self, row: int) -> None:
        """A process has died: what it had open is closed, and nothing waits there."""
        start = row * _WIDTH
        self.cells[start + _CLOSED] = self.cells[start + _OPENED]
        self.cells[start + _WAITING] = self.cells[start + _READY] = 0

    def total(self, place: int) -> int:
        """The sum of all rows at a place."""
        return sum(self.cells[place::_WIDTH].tolist())


class Metrics:
    """What one process counts. Times are seconds."""

    def __init__(self, board: Board, row: int) -> None:
        self._board = board
        self._cells = board.cells[row * _WIDTH : (row + 1) * _WIDTH]

    def opened(self) -> None:
        """A connection was taken."""
        self._cells[_OPENED] += 1

    def closed(self) -> None:
        """A connection has ended."""
        self._cells[_CLOSED] += 1

    def ready(self) -> None:
        """This process can predict."""
        self._cells[_READY] = 1

    def waiting(self, requests: int) -> None:
        """So many requests wait for their prediction now."""
        self._cells[_WAITING] = requests

    def request(self, status: int, seconds: float) -> None:
        """A request was answered."""
        cells = self._cells
        cells[_PLACES.get(status, _OTHER)] += 1
        _observe(cells, _REQUEST, SECONDS, seconds, int(seconds * 1e9))

    def batch(self, requests: int, seconds: float) -> None:
        """So many requests were predicted in one go."""
        _observe(self._cells, _INFERENCE, SECONDS, seconds, int(seconds * 1e9))
        _observe(self._cells, _BATCH, SIZES, requests, requests)

    def text(self) -> str:
        """All processes' numbers, one line a series."""
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        total = self._board.total
        yield from _head("requests_total", "counter", "Answers by status.")
        for status in (*STATUSES, "other"):
            place = _PLACES.get(status, _OTHER) if isinstance(status, int) else _OTHER
            yield f'serving_requests_total{{status="{status}"}} {total(place)}'
        yield from self._histogram(
            "request_seconds", "From the request's last byte to its answer.", _REQUEST, SECONDS
        )
        yield from self._histogram("inference_seconds", "One call of the model.", _INFERENCE, SECONDS)
        yield from self._histogram("batch_requests", "Requests in one call of the model.", _BATCH, SIZES)
        for name, value, meaning in (
            ("connections", total(_OPENED) - total(_CLOSED), "Open connections."),
            ("waiting_requests", total(_WAITING), "Requests waiting for the model."),
            ("ready_workers", total(_READY), "Processes whose model is loaded."),
            ("workers", self._board.rows, "Processes that share the port."),
        ):
            yield from _head(name, "gauge", meaning)
            yield f"serving_{name} {value}"

    def _histogram(self, name: str, meaning: str, place: int, bounds: Sequence[float]) -> Iterator[str]:
        yield from _head(name, "histogram", meaning)
        seen = 0
        for number, bound in enumerate((*bounds, "+Inf")):
            seen += self._board.total(place + number)
            yield f'serving_{name}_bucket{{le="{bound}"}} {seen}'
        unit = 1e9 if bounds is SECONDS else 1
        yield f"serving_{name}_sum {self._board.total(place + len(bounds) + 1) / unit}"
        yield f"serving_{name}_count {seen}"


def _observe(
    cells: "memoryview[int]", place: int, bounds: Sequence[float], value: float, amount: int
) -> None:
    cells[place + bisect.bisect_left(bounds, value)] += 1
    cells[place + len(bounds) + 1] += amount


def _head(name: str, kind: str, meaning: str) -> Iterator[str]:
    yield f"# HELP serving_{name} {meaning}"
    yield f"# TYPE serving_{name} {kind}"


def _memory(size: int) -> int:
    with tempfile.TemporaryFile() as file:
        file.truncate(size)
        return os.dup(file.fileno())
