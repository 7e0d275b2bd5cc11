"""A Lambda's exception is answered as AWS answers it, by its class's name, and does not cost the warm worker.

Touches `ministack.core.lambda_runtime._PYTHON_WORKER_SCRIPT` (the program of a Python worker) and
`ministack.services.lambda_svc._execute_function_warm` (which makes an answer of what the worker says). Checked on
MiniStack 1.5.33, which calls every exception Runtime.HandlerError, so that no Retry or Catch of a state machine could
name one, and ends the worker that raised. On AWS a raised exception leaves the environment warm.
Source: Lambda guide, "Function error handling" (errorMessage, errorType, requestId, stackTrace).
"""

from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from penstock.localaws.extension import pin

MARK = "\x1e<penstock: raised>"
_THEIRS = 'json.dumps({"status": "error", "error": str(e), "trace": traceback.format_exc()})'
# To MiniStack it is an answer like any other, so the worker lives on; `said` makes an error of it again.
_OURS = f"""json.dumps({{"status": "ok", "result": {{{MARK!r}: {{
                "errorMessage": str(e), "errorType": type(e).__name__, "requestId": context.aws_request_id,
                "stackTrace": traceback.format_tb(e.__traceback__)}}, "trace": traceback.format_exc()}}}})"""


def install() -> None:
    """Let the worker say what was raised, and the answer repeat it."""
    pin.require(__name__)
    if _THEIRS not in lambda_runtime._PYTHON_WORKER_SCRIPT:
        raise RuntimeError(
            "MiniStack's Python worker reports exceptions in another way than it did: see lambda_errors"
        )
    lambda_runtime._PYTHON_WORKER_SCRIPT = lambda_runtime._PYTHON_WORKER_SCRIPT.replace(_THEIRS, _OURS)
    execute = lambda_svc._execute_function_warm

    def execute_function_warm(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        return said(execute(func, event, request_id))

    lambda_svc._execute_function_warm = execute_function_warm


def said(answer: dict[str, Any]) -> dict[str, Any]:
    """The answer, as an error with the exception's own words where there was one."""
    body = answer.get("body")
    if isinstance(body, dict) and MARK in body:
        return {
            **answer,
            "body": body[MARK],
            "error": True,
            "log": f"{answer.get('log', '')}\n{body['trace']}".strip(),
        }
    return answer
