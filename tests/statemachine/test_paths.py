"""Every path through the machine, walked with canned task results: where it goes, how it ends, what it carries."""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from tests.statemachine.paths import MACHINE, START, Path

ARN = f"arn:aws:states:us-east-1:000000000000:stateMachine:{MACHINE}"

INNER = {"Try", "Aside"}
"""States within the items of a Map: AWS tells of them in the history, MiniStack does not."""


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
    assert " ".join(name for name in entered if name not in INNER) == path.visits
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


def test_the_best_of_several_takes_the_place_of_the_trained_one(stepfunctions: Any) -> None:
    """Evaluate is asked of what Rank chose; what each candidate came to stays in the document, causes cut short."""
    tuned = json.loads(_run(stepfunctions, Path("TuningEndsBadly"))["output"])
    named = {"job": "penstock-local-0123456789abcdef"}
    assert tuned["tune"] == {**named, "error": "States.TaskFailed", "cause": "a reason"}
    assert "error" not in tuned
    assert tuned["train"]["job"] == "best"
    failed = _run(stepfunctions, Path("EveryLearnerFails"))
    assert failed["error"] == "JobFailed"
    tried = json.loads(_run(stepfunctions, Path("LearnersAreTried"))["output"])["auto"]
    assert [one["learner"] for one in tried] == ["gradient_boosting", "text_forest"]
    aside = json.loads(_run(stepfunctions, Path("EveryLearnerFailsButRankIsKind"))["output"])["auto"]
    assert [(one["error"], len(one["cause"])) for one in aside] == [("States.TaskFailed", 500)] * 2
