"""One function of ours calls another: an answer comes back whole, a refusal as the error it was, a crash as a crash."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from chalicelib.adapters.functions import LambdaFunctions
from chalicelib.errors import BadRequest, Fault, NotReady, PipelineError, Throttled


class Lambda:
    """Answers as Lambda does: the payload, and FunctionError where the function raised."""

    def __init__(self, told: Any, **more: str) -> None:
        self.answer = {"StatusCode": 200, "Payload": io.BytesIO(json.dumps(told).encode()), **more}
        self.asked: list[dict[str, Any]] = []

    def invoke(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        return self.answer


def call(client: Lambda) -> dict[str, Any]:
    return LambdaFunctions(client, "test").call("share", {"project": "churn"})


def test_an_answer_comes_back_whole() -> None:
    client = Lambda({"config": "c"})
    assert call(client) == {"config": "c"}
    assert client.asked == [{"FunctionName": "penstock-test-share", "Payload": b'{"project": "churn"}'}]


@pytest.mark.parametrize(
    "error",
    [
        BadRequest("endpoint", "not usable", "Correct it.", status=422, faults=[Fault("shadow", "is odd")]),
        NotReady("project churn", "nothing: yet", "Wait. Ask again."),
        Throttled("endpoint e", "too many", "Wait."),
        PipelineError("x", "y", "z"),
    ],
)
def test_a_refusal_is_the_error_it_was(error: PipelineError) -> None:
    with pytest.raises(type(error)) as caught:
        call(Lambda({"refused": error.document()}))
    assert (str(caught.value), caught.value.status, caught.value.faults) == (
        str(error),
        error.status,
        error.faults,
    )


def test_a_crash_says_which_function_and_is_no_callers_fault() -> None:
    with pytest.raises(PipelineError, match=r"penstock-test-share: it failed: KeyError") as caught:
        call(Lambda({"errorType": "KeyError", "errorMessage": "'project'"}, FunctionError="Unhandled"))
    assert caught.value.status == 500
