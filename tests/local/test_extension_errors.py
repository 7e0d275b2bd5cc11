"""What a Lambda raises is what its caller and a state machine's Retry and Catch are told."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

CODE = """
import os
calls = 0
class AwsTrouble(Exception):
    pass
def handler(event, context):
    global calls
    calls += 1
    if event.get("fail"):
        raise AwsTrouble("the table is busy")
    return {"calls": calls, "pid": os.getpid()}
"""


def _function(client: Any, name: str) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("app.py", CODE)
    client.create_function(
        FunctionName=name,
        Runtime="python3.11",
        Role="arn:aws:iam::000000000000:role/none",
        Handler="app.handler",
        Code={"ZipFile": packed.getvalue()},
    )


def test_exception_is_answered_by_its_class_and_the_worker_stays_warm(embedded_aws: Any) -> None:
    """errorType is the class's name, errorMessage its text, and the next call finds the same environment."""
    client = embedded_aws.client("lambda")
    _function(client, "raises")

    def call(**event: Any) -> Any:
        answer = client.invoke(FunctionName="raises", Payload=json.dumps(event))
        return answer.get("FunctionError"), json.loads(answer["Payload"].read())

    _, before = call()
    failed, error = call(fail=True)
    _, after = call()
    assert failed == "Unhandled"
    assert (error["errorType"], error["errorMessage"]) == ("AwsTrouble", "the table is busy")
    assert any("handler" in line for line in error["stackTrace"])
    assert after == {"calls": before["calls"] + 2, "pid": before["pid"]}
