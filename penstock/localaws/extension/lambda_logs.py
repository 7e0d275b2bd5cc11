"""A Lambda's log lines are complete, and its answer does not wait for lines that will not come.

Touches `ministack.core.lambda_runtime._PYTHON_WORKER_SCRIPT` (the program of a Python worker) and
`Worker._drain_stderr_bounded` (which collects an invocation's lines). Checked on MiniStack 1.5.33. MiniStack cannot
know whether a line is still under way: it waits 50 ms for a first line and 5 ms of silence after each, so a function
that logs nothing costs 50 ms a call. Our worker writes a mark after the last line, before its answer.
"""

import queue
import time
from collections.abc import Callable
from typing import Any

from ministack.core import lambda_runtime

from penstock.localaws.extension import pin

MARK = "\x1e<penstock: end of invocation>"
_SECONDS = 1.0  # only a worker that died leaves no mark, and then its pipe ends at once
_LOOK_SECONDS = 0.02

# The worker's program takes sys.stdout for its answers, one `write` each: the first says it is ready, every other ends
# an invocation.
_MARKING = f"""
class _MarkingAnswers:
    def __init__(self, answers):
        import sys
        self._answers, self._lines, self._ready = answers, sys.stderr, False
    def write(self, text):
        if self._ready:
            self._lines.write({MARK!r} + "\\n")
            self._lines.flush()
        self._ready = True
        return self._answers.write(text)
    def __getattr__(self, name):
        return getattr(self._answers, name)
import sys as _sys
_sys.stdout = _MarkingAnswers(_sys.stdout)
"""


def install() -> None:
    """Write the mark, and read up to it."""
    pin.require(__name__)
    lambda_runtime._PYTHON_WORKER_SCRIPT = _MARKING + lambda_runtime._PYTHON_WORKER_SCRIPT
    bounded: Callable[..., str] = lambda_runtime.Worker._drain_stderr_bounded

    def drain_stderr_bounded(worker: Any, *arguments: Any, **named: Any) -> str:
        if not worker.config.get("Runtime", "python").startswith("python"):
            return bounded(worker, *arguments, **named)
        return "\n".join(_lines_up_to_mark(worker))

    lambda_runtime.Worker._drain_stderr_bounded = drain_stderr_bounded


def _lines_up_to_mark(worker: Any) -> list[str]:
    lines: list[str] = []
    deadline = time.monotonic() + _SECONDS
    while True:
        ended = not worker._stderr_thread.is_alive() or time.monotonic() > deadline
        try:
            line = worker._stderr_queue.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            if ended:
                return lines
            continue
        text, mark, _ = line.partition(MARK)
        if text or not mark:
            lines.append(text)
        if mark:
            return lines
