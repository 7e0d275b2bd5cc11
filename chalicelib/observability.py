"""One structured line for each request and step, with its metrics inside (CloudWatch's embedded metric format).

Exactly one: CloudWatch bills by the line, and a function that prints none waits for its log. Bodies, headers and
secrets are never logged. The Powertools Logger and Metrics are built on first use, so that importing is cheap.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from chalicelib.errors import PipelineError
from chalicelib.settings import STAGE_VARIABLE

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

NAMESPACE = "Penstock"
REQUESTS, CALLER_ERRORS, SERVER_ERRORS = "Requests", "CallerErrors", "ServerErrors"
"""What callers of the API see, by stage. The alarm watches this, not Lambda's Errors: an answered 500 is none there."""
_notes: dict[str, Any] = {}
_scores: dict[str, float] = {}


def note(**facts: Any) -> None:
    """Add facts to the line of the request being served (a Lambda process serves one at a time)."""
    _notes.update(facts)


def score(project: str, metric: str, value: float) -> None:
    """A judged model's metric, for the dashboard; travels in the same line."""
    _notes["Project"] = project
    _scores[metric] = value


def observe(event: Any, get_response: Callable[[Any], Any]) -> Any:
    """Chalice middleware for every door: time it, name its outcome, print the line."""
    _notes.clear()
    _scores.clear()
    started = time.perf_counter()
    outcome, status = "failed", None
    try:
        response = get_response(event)
        status = getattr(response, "status_code", None)
        outcome = "ok" if status is None or status < 500 else "failed"
        return response
    except PipelineError as error:
        note(error=error.code, reason=str(error), retryable=error.retryable)
        raise
    except Exception as error:
        note(error=type(error).__name__, reason=str(error))
        raise
    finally:
        milliseconds = round((time.perf_counter() - started) * 1000, 3)
        _print(_context(event), outcome, status, milliseconds)


MIDDLEWARE = ((observe, "all"),)


def _context(event: Any) -> Any:
    return getattr(event, "lambda_context", None) or getattr(event, "context", None)


def _print(context: Any, outcome: str, status: int | None, milliseconds: float) -> None:
    step = str(_notes.pop("step", "") or getattr(context, "function_name", "") or "unknown")
    facts = {name: value for name, value in _notes.items() if value is not None}
    facts |= {"Step": step, "outcome": outcome, "request_id": getattr(context, "aws_request_id", None)}
    if status is not None:
        facts["status"] = status
    line = {**facts, **_embedded(step, outcome, milliseconds, status)}
    logger = _logger()
    (logger.error if outcome == "failed" else logger.info)(step, extra=line)


def _embedded(step: str, outcome: str, milliseconds: float, status: int | None) -> dict[str, Any]:
    """The metrics of one line: duration and failure by step, what a caller saw, a judged model's score by project."""
    stage = os.environ.get(STAGE_VARIABLE, "unknown")
    values = {"Duration": milliseconds, "Failures": float(outcome == "failed")}
    units = {"Duration": "Milliseconds", "Failures": "Count"}
    directives = [_directive(["Stage", "Step"], units)]
    if status is not None:
        seen = {REQUESTS: 1.0, CALLER_ERRORS: float(400 <= status < 500), SERVER_ERRORS: float(status >= 500)}
        values |= seen
        directives.append(_directive(["Stage"], dict.fromkeys(seen, "Count")))
    if _scores:
        directives.append(_directive(["Stage", "Project"], dict.fromkeys(_scores, "None")))
    embedded = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": directives}
    return {"Stage": stage, "Step": step, **values, **_scores, "_aws": embedded}


def _directive(dimensions: list[str], units: dict[str, str]) -> dict[str, Any]:
    metrics = [{"Name": name, "Unit": unit} for name, unit in units.items()]
    return {"Namespace": NAMESPACE, "Dimensions": [dimensions], "Metrics": metrics}


class _Stdout(logging.StreamHandler[Any]):
    """Writes to whatever stdout is now: Lambda's, or the one a test looks at."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stdout
        super().emit(record)


@lru_cache(maxsize=1)
def _logger() -> Logger:
    from aws_lambda_powertools import Logger as PowertoolsLogger  # noqa: PLC0415  # 50 ms that importing need not pay

    # Not the app's name: Chalice configures the logger of that name, and every line would be printed twice.
    return PowertoolsLogger(
        service="penstock-pipeline", level="INFO", location=None, logger_handler=_Stdout()
    )
