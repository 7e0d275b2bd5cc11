"""What the command line knows of a stage: its API's answers, a run's states, specs beside files, the right AWS."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from penstock.client import history, stage, uploads
from penstock.client.api import Api, Refused
from penstock.client.runs import Snapshot
from penstock.client.view import Bars, RunView, Steps, candidates_table, scorecard_table
from penstock.errors import PenstockError
from tests.unit.cli.conftest import FakeApi

START = datetime(2026, 1, 1, tzinfo=UTC)


def event(kind: str, second: float, name: str = "") -> dict[str, Any]:
    """An event of Step Functions' history."""
    told: dict[str, Any] = {"type": kind, "timestamp": START + timedelta(seconds=second)}
    if kind.endswith("StateEntered"):
        told["stateEnteredEventDetails"] = {"name": name}
    if kind.endswith("StateExited"):
        told["stateExitedEventDetails"] = {"name": name}
    return told


def summary(events: list[dict[str, Any]], now: float = 100.0) -> list[tuple[str, str, float]]:
    """Name, status and seconds of each state."""
    at = START + timedelta(seconds=now)
    return [(state.name, state.status, state.seconds(at)) for state in history.states(events)]


@pytest.mark.parametrize(("end", "status"), [("MapStateSucceeded", "done"), ("MapStateFailed", "failed")])
def test_what_happens_in_the_items_of_a_map_belongs_to_the_map(end: str, status: str) -> None:
    """A learner that fails is set aside: the state that tries them all goes on."""
    events = [
        event("MapStateEntered", 0, "Auto"),
        event("TaskStateEntered", 1, "Try"),
        event("TaskScheduled", 2),
        event("TaskFailed", 3),
        event("TaskStateExited", 4, "Try"),
        event("PassStateEntered", 4, "Aside"),
        event("PassStateExited", 4, "Aside"),
        event(end, 5),
        event("MapStateExited", 6, "Auto"),
        event("TaskStateEntered", 6, "Rank"),
    ]
    assert summary(events, 8) == [("Auto", status, 6.0), ("Rank", "running", 2.0)]


def test_states_with_their_times() -> None:
    """One is done, one goes on; a Choice is no step."""
    events = [
        event("ExecutionStarted", 0),
        event("TaskStateEntered", 1, "Claim"),
        event("TaskScheduled", 1),
        event("TaskSucceeded", 3),
        event("TaskStateExited", 3, "Claim"),
        event("ChoiceStateEntered", 3, "Passed"),
        event("ChoiceStateExited", 3, "Passed"),
        event("TaskStateEntered", 4, "Prepare"),
    ]
    assert summary(events, now=10) == [("Claim", "done", 2.0), ("Prepare", "running", 6.0)]


def test_a_state_tried_again_goes_on_and_may_end_well() -> None:
    """A failed attempt that is repeated is not a failed state."""
    begun = [
        event("TaskStateEntered", 0, "Train"),
        event("TaskScheduled", 0),
        event("TaskFailed", 2),
    ]
    again = [*begun, event("TaskScheduled", 4)]
    assert summary(begun) == [("Train", "failed", 2.0)]
    assert summary(again, now=5) == [("Train", "running", 5.0)]
    ended = [*again, event("TaskSucceeded", 8), event("TaskStateExited", 8, "Train")]
    assert summary(ended) == [("Train", "done", 8.0)]


def test_a_caught_failure_is_a_failed_state() -> None:
    """Step Functions leaves it like any other; only the last attempt tells."""
    events = [
        event("TaskStateEntered", 0, "Train"),
        event("TaskScheduled", 0),
        event("TaskTimedOut", 5),
        event("TaskStateExited", 5, "Train"),
        event("TaskStateEntered", 5, "Report"),
    ]
    assert summary(events, now=6) == [("Train", "failed", 5.0), ("Report", "running", 1.0)]


def test_a_state_entered_again_stays_one() -> None:
    """Release goes round until the endpoint serves."""
    round_trip = [
        event("TaskStateEntered", 0, "Release"),
        event("TaskSucceeded", 1),
        event("TaskStateExited", 1, "Release"),
        event("WaitStateEntered", 1, "Settle"),
        event("WaitStateExited", 4, "Settle"),
        event("TaskStateEntered", 4, "Release"),
    ]
    assert summary(round_trip, now=5) == [("Release", "running", 5.0)]


def test_the_api_answers_json(api: FakeApi) -> None:
    """Keys with anything in them travel as one query parameter."""
    api.answers["GET", "/projects/churn/objects?key=drop%2Fchurn%2Fa%26b%20%23.csv"] = (
        200,
        {"objects": [{"key": "k"}]},
    )
    assert Api(api.url + "/").objects("churn", "drop/churn/a&b #.csv") == [{"key": "k"}]
    assert Api(api.url).objects("churn", "drop/churn/other.csv") == []


def test_a_problem_document_becomes_one_message_with_every_fault(api: FakeApi) -> None:
    """Detail, faults, and the request id to ask about."""
    faults = [{"where": "columns.age", "problem": "no type"}, {"where": "", "problem": "two labels"}]
    problem = {
        "title": "Bad",
        "status": 422,
        "detail": "2 things to correct.",
        "request_id": "r-1",
        "errors": faults,
    }
    api.answers["PUT", "/projects/churn"] = (422, problem)
    with pytest.raises(Refused) as refused:
        uploads.define(Api(api.url), {"project": "churn"})
    said = str(refused.value)
    assert refused.value.status == 422
    for part in ("2 things to correct", "columns.age: no type", "the document: two labels", "r-1"):
        assert part in said


@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b"[1]", b"", b'{"message": "Forbidden"}'])
def test_an_error_that_is_no_problem_document_is_said_too(api: FakeApi, body: bytes) -> None:
    """A gateway's own answers are not ours."""
    api.answers["GET", "/projects"] = (502, body)
    with pytest.raises(Refused, match="502"):
        Api(api.url).get("/projects")


def test_an_api_that_is_away_is_said_to_be() -> None:
    """With what to look at next."""
    with pytest.raises(PenstockError, match="does not answer"):
        Api("http://127.0.0.1:9").get("/healthz")


def test_the_spec_beside_the_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As given, beside the file, in the working folder; in this order."""
    here, data = tmp_path / "here", tmp_path / "data"
    here.mkdir()
    data.mkdir()
    monkeypatch.chdir(here)
    file = data / "a.csv"
    assert uploads.find_spec(file, None) is None
    (here / "project.yaml").write_text("project: here\n")
    assert uploads.find_spec(file, None) == Path("project.yaml")
    (data / "project.yaml").write_text("project: data\n")
    assert uploads.find_spec(file, None) == data / "project.yaml"
    assert uploads.find_spec(file, here / "project.yaml") == here / "project.yaml"


@pytest.mark.parametrize(
    "text", ["a: [", "just words", "task: classification", "project: x\nwhen: 2024-01-01\n"]
)
def test_a_file_that_is_no_spec_is_refused(tmp_path: Path, text: str) -> None:
    """YAML that is broken, no mapping, of no project, or of what JSON cannot say."""
    path = tmp_path / "project.yaml"
    path.write_text(text)
    with pytest.raises(PenstockError, match=r"project\.yaml"):
        uploads.read_spec(path)


def test_another_files_spec_is_not_used_by_chance(tmp_path: Path) -> None:
    """It lies in the working folder, and this file has no such label."""
    file = tmp_path / "rings.csv"
    file.write_text("Length,Rings\n1,2\n")
    spec = {"project": "iris", "columns": {"petal": "number", "target": {"type": "label"}}}
    with pytest.raises(PenstockError, match="no column 'target'"):
        uploads.check_fits(spec, file)
    uploads.check_fits({"project": "abalone", "columns": {"Length": "number", "Rings": "label"}}, file)
    file.write_bytes(b"\x00")
    uploads.check_fits(spec, file)


def test_the_project_of_a_file(tmp_path: Path) -> None:
    """As asked, else as its spec says, else one is told how to make one."""
    assert uploads.project_of({"project": "spec"}, "asked", tmp_path) == "asked"
    assert uploads.project_of({"project": "spec"}, None, tmp_path) == "spec"
    with pytest.raises(PenstockError, match="penstock init"):
        uploads.project_of(None, None, tmp_path)


def test_the_local_stage_leaves_no_way_to_a_real_account() -> None:
    """A profile or an endpoint of one service in the person's shell would still be used by boto3."""
    shell = {
        "AWS_PROFILE": "prod",
        "AWS_SESSION_TOKEN": "t",
        "AWS_ENDPOINT_URL_S3": "https://s3.example",
        "PATH": "p",
    }
    stage.point_at("http://127.0.0.1:4566", shell)
    assert shell == {"PATH": "p", **stage.local_environment("http://127.0.0.1:4566")}


def test_other_stages_and_set_endpoints_are_left_alone(tmp_path: Path) -> None:
    """AWS is reached as the person's shell says."""
    shell = {"AWS_PROFILE": "prod"}
    stage.aim("dev", tmp_path, shell)
    assert shell == {"AWS_PROFILE": "prod"}
    shell["AWS_ENDPOINT_URL"] = "http://127.0.0.1:1"
    stage.aim("local", tmp_path, shell)
    assert shell == {"AWS_PROFILE": "prod", "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}


def printed(width: int = 100) -> Console:
    """A console that is no terminal."""
    return Console(file=io.StringIO(), width=width, force_terminal=False)


def text(console: Console) -> str:
    """What was printed there."""
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_off_a_terminal_each_step_is_one_line() -> None:
    """Told when it ends, once."""
    console = printed()
    with Bars(console) as bars:
        for status in ("running", "running", "done", "done"):
            bars.set("Claim", status, 1.0)
        bars.set("Train", "failed", 2.0)
    assert text(console).splitlines() == ["✓ Claim           1.0 s", "✗ Train           2.0 s"]


def test_on_a_terminal_the_same_is_drawn() -> None:
    """Bars that move; here only that they can be drawn."""
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    with Bars(console, ("Claim", "Train")) as bars:
        bars.set("Claim", "running", 0.5)
        bars.set("Claim", "done", 1.0)
    assert "Claim" in text(console)
    assert "Train" in text(console)


def test_a_deployments_parts_are_timed() -> None:
    """Stack events in between are shown, not taken for the end."""
    console = printed()
    with Steps(console) as steps:
        for state in ("started", "create in progress", "done"):
            steps.progress("foundation", state)
        steps.progress("code", "started")
        steps.progress("code", "unchanged")
    assert set(steps.seconds) == {"foundation", "code"}
    lines = text(console).splitlines()
    assert [line.split()[1] for line in lines] == ["foundation", "code"]
    assert lines[1].endswith("unchanged")


def test_a_scorecard_stands_beside_its_baseline() -> None:
    """And beside the released model, when there is one; what is not defined is a dash."""
    card = {
        "metrics": {"macro_f1": 0.9, "auc": 0.95},
        "baseline": {"name": "majority class", "metrics": {"macro_f1": 0.4}},
        "champion": {"metrics": {"macro_f1": 0.85, "auc": None}},
    }
    console = printed()
    console.print(scorecard_table(card))
    told = text(console)
    for part in ("0.9000", "0.4000", "0.8500", "majority class", "released model"):
        assert part in told


def test_a_runs_way_is_shown_once_it_is_taken() -> None:
    """Nobody is shown Tune as waiting in a run that trains one model."""
    out = io.StringIO()
    view = RunView(Console(file=out, force_terminal=False), "churn-0001-x")
    events = [
        event("TaskStateEntered", 0, "Tune"),
        event("TaskSucceeded", 5),
        event("TaskStateExited", 5, "Tune"),
    ]
    shot = Snapshot({"state": "RUNNING"}, history.states(events), "RUNNING", START + timedelta(seconds=9))
    with view:
        view.update(shot)
    assert "Tune" in out.getvalue()
    assert list(view._tasks) == list(history.WAYS["Tune"])


def test_candidates_are_shown_with_why_one_failed_and_what_was_left_out() -> None:
    tried = {
        "metric": "auc",
        "left_out": ["text_forest"],
        "candidates": [
            {"rank": 1, "learner": "a", "value": 0.9, "seconds": 3.2, "usd": 0.1, "reason": None,
             "hyperparameters": {"max_depth": "3"}},
            {"rank": 2, "learner": "b", "value": None, "seconds": None, "usd": None, "reason": "BadData: no text",
             "hyperparameters": {}},
        ],
    }  # fmt: skip
    cells = [list(column.cells) for column in candidates_table(tried).columns]
    assert cells[2] == ["0.9000", "-", "-"]
    assert cells[5][:2] == ["max_depth=3", "BadData: no text"]
    assert "left out" in cells[5][2]
