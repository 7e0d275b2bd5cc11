"""State machines count their executions in CloudWatch (AWS/States), so that alarms on them work here.

Touches `ministack.services.stepfunctions._emit_execution_status_event`, called at every change of an execution's
status. MiniStack publishes AWS/Lambda metrics but none for Step Functions. Checked on MiniStack 1.5.33.
"""

from datetime import datetime
from typing import Any

from ministack.services import cloudwatch, stepfunctions

from penstock.localaws.extension import pin

Record = dict[str, Any]
_NAMES = {
    "RUNNING": "ExecutionsStarted",
    "SUCCEEDED": "ExecutionsSucceeded",
    "FAILED": "ExecutionsFailed",
    "ABORTED": "ExecutionsAborted",
    "TIMED_OUT": "ExecutionsTimedOut",
}


def install() -> None:
    """Count beside the event."""
    pin.require(__name__)
    emit = stepfunctions._emit_execution_status_event

    def emit_execution_status_event(execution: Record) -> None:
        _count(execution)
        emit(execution)

    stepfunctions._emit_execution_status_event = emit_execution_status_event


def _count(execution: Record) -> None:
    dimensions = {"StateMachineArn": execution["stateMachineArn"]}
    cloudwatch.record_metric("AWS/States", _NAMES[execution["status"]], 1, "Count", dimensions)
    if execution.get("stopDate"):
        took = _moment(execution["stopDate"]) - _moment(execution["startDate"])
        cloudwatch.record_metric("AWS/States", "ExecutionTime", took * 1000, "Milliseconds", dimensions)


def _moment(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()
