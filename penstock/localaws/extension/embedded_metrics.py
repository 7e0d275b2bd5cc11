"""Metrics in a function's log lines become metrics (CloudWatch's embedded metric format), so that alarms on them work.

Touches `ministack.core.lambda_runtime.Worker._drain_stderr_bounded`, through which every invocation's lines pass.
MiniStack keeps the lines and looks into none. A line counts that is one JSON object with `_aws.CloudWatchMetrics`; of
dimensions only the sets whose names the line has, as CloudWatch does it. Checked on MiniStack 1.5.33.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import cloudwatch

from penstock.localaws.extension import pin

_SIGN = '"_aws"'


def install() -> None:
    """Look into the lines on their way to the log. After lambda_logs, which replaces the same method."""
    pin.require(__name__)
    drain: Callable[..., str] = lambda_runtime.Worker._drain_stderr_bounded

    def drain_stderr_bounded(worker: Any, *arguments: Any, **named: Any) -> str:
        text = drain(worker, *arguments, **named)
        for line in text.splitlines():
            if _SIGN in line:
                for metric in metrics_in(line):
                    cloudwatch.record_metric(*metric)
        return text

    lambda_runtime.Worker._drain_stderr_bounded = drain_stderr_bounded


def metrics_in(line: str) -> Iterator[tuple[str, str, float, str, dict[str, str]]]:
    """Namespace, name, value, unit and dimensions of every metric a line holds; none when it is not in the format."""
    try:
        told = json.loads(line)
        directives = told["_aws"]["CloudWatchMetrics"]
    except (ValueError, KeyError, TypeError):
        return
    for directive in directives:
        for names in directive.get("Dimensions", [[]]):
            if all(name in told for name in names):
                dimensions = {name: str(told[name]) for name in names}
                yield from _metrics(told, directive, dimensions)


def _metrics(
    told: dict[str, Any], directive: dict[str, Any], dimensions: dict[str, str]
) -> Iterator[tuple[str, str, float, str, dict[str, str]]]:
    for metric in directive.get("Metrics", []):
        values = told.get(metric["Name"], [])
        for value in values if isinstance(values, list) else [values]:
            if isinstance(value, (int, float)):
                yield (
                    directive["Namespace"],
                    metric["Name"],
                    float(value),
                    metric.get("Unit", "None"),
                    dimensions,
                )
