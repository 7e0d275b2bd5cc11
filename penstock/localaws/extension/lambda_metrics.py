"""Every invocation of a function counts in CloudWatch (AWS/Lambda), whoever made it, so that alarms on it work here.

Touches `ministack.services.lambda_svc._execute_function_dispatch`, through which every invocation passes, and
`_emit_lambda_metrics`. MiniStack counts what is invoked over its API only, not what EventBridge, a schedule, a state
machine or API Gateway invoke, and keeps four points for each. Here the points of a minute and a value are one, with
their number: a burst of ten thousand events leaves some hundred. Checked on MiniStack 1.5.33.
Source: Lambda guide, "Types of metrics for Lambda functions" (Invocations and Errors leave throttled requests out).
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from ministack.services import cloudwatch, lambda_svc

from penstock.localaws.extension import pin

Record = dict[str, Any]
_MINUTE = 60
_counting = threading.Lock()


def install() -> None:
    """Count each invocation where it ends, and nothing a second time."""
    pin.require(__name__)
    dispatch: Callable[..., Record] = lambda_svc._execute_function_dispatch

    def execute_function_dispatch(
        function: Record, config: Record, event: Any, request: str, started: float
    ) -> Record:
        begun = time.monotonic()
        answer = dispatch(function, config, event, request, started)
        if answer.get("throttle"):
            _count(config["FunctionName"], {"Throttles": 1})
        else:
            values = {"Invocations": 1, "Errors": int(bool(answer.get("error"))), "Throttles": 0}
            _count(config["FunctionName"], values, round((time.monotonic() - begun) * 1000))
        return answer

    lambda_svc._execute_function_dispatch = execute_function_dispatch
    lambda_svc._emit_lambda_metrics = _throttled


def _throttled(function_name: str, *, duration_ms: float, throttle: bool, **_: Any) -> None:
    """What MiniStack calls: of the invocations it tells of, only those that never began are not counted yet."""
    if throttle and not duration_ms:
        _count(function_name, {"Throttles": 1})


def _count(function: str, values: dict[str, int], milliseconds: int | None = None) -> None:
    now = time.time()
    with _counting:
        for metric, value in values.items():
            _add(metric, value, "Count", function, now)
        if milliseconds is not None:
            _add("Duration", milliseconds, "Milliseconds", function, now)


def _add(metric: str, value: float, unit: str, function: str, now: float) -> None:
    """One more of a value: beside the others of its minute, which are the last of the points."""
    dimensions = {"FunctionName": function}
    points = cloudwatch._metric_bucket(("AWS/Lambda", metric, cloudwatch._dims_key(dimensions)))
    minute = now - now % _MINUTE
    for point in reversed(points):
        if point["Timestamp"] < minute:
            break
        if point["Value"] == value:
            point["Count"] += 1.0
            return
    points.append(
        {"Timestamp": now, "Value": float(value), "Unit": unit, "Dimensions": dimensions, "Count": 1.0}
    )
