"""Step Functions' 256 KiB: what is too large on AWS is too large here.

Touches in `ministack.services.stepfunctions`: `_invoke_resource` (a task's result), `_execute_task` (a task's output),
`_start_execution` (an execution's input) and `_error_matches` (AWS lets States.ALL catch neither
States.DataLimitExceeded nor States.Runtime). MiniStack has no such limit. Checked on MiniStack 1.5.33.
"""

import json
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import stepfunctions

from penstock.localaws.extension import pin

LIMIT = 262_144
_TERMINAL = ("States.DataLimitExceeded", "States.Runtime")
Record = dict[str, Any]


def install() -> None:
    """Measure what passes from state to state."""
    pin.require(__name__)
    invoke, execute = stepfunctions._invoke_resource, stepfunctions._execute_task
    start, matches = stepfunctions._start_execution, stepfunctions._error_matches

    def invoke_resource(resource: str, parameters: Any) -> Any:
        return _measured(invoke(resource, parameters), resource)

    def execute_task(state: Record, raw_input: Any, execution: Record, context: Record) -> Any:
        output, following = execute(state, raw_input, execution, context)
        return _measured(output, context["State"]["Name"]), following

    def start_execution(data: Record) -> Any:
        if len(data.get("input") or "") > LIMIT:
            return error_response_json(
                "ValidationException",
                "1 validation error detected: Value at 'input' failed to satisfy constraint: "
                f"Member must have length less than or equal to {LIMIT}",
                400,
            )
        return start(data)

    def error_matches(equals: list[str], error: str) -> bool:
        return error in equals if error in _TERMINAL else bool(matches(equals, error))

    stepfunctions._invoke_resource, stepfunctions._execute_task = invoke_resource, execute_task
    stepfunctions._start_execution, stepfunctions._error_matches = start_execution, error_matches


def _measured(value: Any, of: str) -> Any:
    if len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()) > LIMIT:
        raise stepfunctions._ExecutionError(
            "States.DataLimitExceeded",
            f"The state/task '{of}' returned a result with a size exceeding the maximum number of bytes service limit.",
        )
    return value
