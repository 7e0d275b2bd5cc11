"""One JSON line for each event on stdout: what a log service can filter. Bodies are never written."""

import json
import sys
import time
import traceback
from collections.abc import Mapping
from typing import Any


def line(event: str, **members: Any) -> None:
    """Write one event with its time (UTC, seconds since 1970)."""
    document = {"time": round(time.time(), 3), "event": event, **members}
    sys.stdout.write(json.dumps(document, default=str) + "\n")
    sys.stdout.flush()


def request(scope: Mapping[str, Any], status: int, ms: float, failure: BaseException | None) -> None:
    """Write the line of an invocation; a 5xx brings its traceback, the only place where it is shown."""
    members: dict[str, Any] = {"method": scope["method"], "path": scope["path"], "status": status}
    members["ms"] = round(ms, 3)
    if failure is not None and status >= 500:
        members["traceback"] = "".join(traceback.format_exception(failure))
    elif failure is not None:
        members["error"] = type(failure).__name__
    line("request", **members)
