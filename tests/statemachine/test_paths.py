"""Every path through the machine, walked with canned task results: where it goes, how it ends, what it carries."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from tests.statemachine.paths import MACHINE, START, Path

ARN = f"arn:aws:states:us-east-1:000000000000:stateMachine:{MACHINE}"


def _run(stepfunctions: Any, path: Path) -> dict[str, Any]:
    """Start the path's test case and wait for its end."""
    started = stepfunctions.start_execution(
        stateMachineArn=f"{ARN}#{path.name}",
        name=f"{path.name}-{uuid.uuid4().hex[:8]}",
        input=json.dumps(START),
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found: dict[str, Any] = stepfunctions.describe_execution(executionArn=started["executionArn"])
        if found["status"] != "RUNNING":
            return found
        time.sleep(0.05)
    raise AssertionError(f"{path.name} still runs after 30 s")


def test_path(stepfunctions: Any, path: Path) -> None:
    """A path enters the states it should, in order, and ends as it should, with the first error kept."""
    ended = _run(stepfunctions, path)
    history = stepfunctions.get_execution_history(executionArn=ended["executionArn"], maxResults=1000)
    entered = [
        event["stateEnteredEventDetails"]["name"]
        for event in history["events"]
        if event["type"].endswith("StateEntered")
    ]
    assert " ".join(entered) == path.visits
    assert (ended["status"], ended.get("error", "")) == (path.status, path.error)


def test_document_keeps_what_every_state_said(stepfunctions: Any) -> None:
    """Each state adds one key under its own name and takes none away; the document stays far below 256 KiB."""
    ended = _run(stepfunctions, Path("EverythingGoesWell"))
    document = json.loads(ended["output"])
    steps = ["claim", "prepare", "train", "evaluate", "gate", "register", "release", "report"]
    assert list(document) == [*START, *steps]
    assert document["train"]["artifact"].endswith("/model.tar.gz")
    assert len(ended["output"]) < 16_384


def test_error_says_where_it_happened(stepfunctions: Any) -> None:
    """Report is told which state failed, with which error and which cause."""
    path = Path("DataIsRefused")
    document = json.loads(_run(stepfunctions, path)["output"])
    assert document["error"] == {
        "state": "Prepare",
        "Error": "States.TaskFailed",
        "Cause": "BadUpload: no target",
    }
