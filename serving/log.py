"""One JSON line for each event on stdout: what a log service can filter. Bodies are never written."""

import contextlib
import json
import os
import sys
import time
import traceback
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

Quoted = lru_cache(256)(json.dumps)  # methods and paths come again and again


def line(event: str, **members: Any) -> None:
    """Write one event with its time (UTC, seconds since 1970)."""
    document = {"time": round(time.time(), 3), "event": event, **members}
    write([json.dumps(document, default=str)])


def request(
    method: str, path: str, status: int, ms: float, inference_ms: float | None, failure: BaseException | None
) -> str:
    """Return the line of an invocation; a 5xx brings its traceback, the only place where it is shown."""
    text = (
        f'{{"time": {time.time():.3f}, "event": "request", "method": {Quoted(method)}, "path": {Quoted(path)}, '
        f'"status": {status}, "ms": {ms:.3f}'
    )
    if inference_ms is not None:
        text += (
            f', "inference_ms": {inference_ms:.3f}, "message": "Inference took {inference_ms / 1000:.6f} s"'
        )
    if failure is not None and status >= 500:
        shown = "".join(traceback.format_exception(failure))
        return f'{text}, "traceback": {json.dumps(shown)}}}'
    return f'{text}, "error": "{type(failure).__name__}"}}' if failure is not None else text + "}"


def write(lines: Sequence[str]) -> None:
    """Write whole lines at once, after what was printed before; a full disk or closed pipe must not end the server."""
    rest = memoryview(("\n".join(lines) + "\n").encode("utf-8", "backslashreplace"))
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        while rest:
            rest = rest[os.write(1, rest) :]
