"""The state's name, the Lambda function, the module, its page and what the command line shows are the same word."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from penstock.client.history import WAYS

ROOT = Path(__file__).resolve().parents[2]
MACHINE: dict[str, Any] = json.loads((ROOT / "statemachine" / "pipeline.asl.json").read_text())
TASKS = {name: state for name, state in MACHINE["States"].items() if state["Type"] == "Task"}
MAPS = {name: state for name, state in MACHINE["States"].items() if state["Type"] == "Map"}
LAMBDAS = sorted(name for name, state in TASKS.items() if state["Resource"].endswith("lambda:invoke"))
JOBS = sorted(set(TASKS) - set(LAMBDAS))
DETOURS = {"Erase"}
"""States that only some runs take, and that lead back."""
# The retries a state may name besides our own errors: what AWS documents for each integration.
AWS_ERRORS = {
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Glue.ConcurrentRunsExceededException",
    "Glue.AWSGlueException",
    "Glue.InternalServiceException",
    "Glue.ThrottlingException",
    "SageMaker.AmazonSageMakerException",
    "SageMaker.ResourceLimitExceededException",
    "ThrottlingException",
}
STATES_ERRORS = {"States.ALL", "States.TaskFailed", "States.Timeout", "States.HeartbeatTimeout"}


def functions() -> set[str]:
    """The Lambda functions app.py defines besides the API's, by the name they are deployed with."""
    found = set()
    for node in ast.parse((ROOT / "app.py").read_text(encoding="utf-8")).body:
        for decorator in getattr(node, "decorator_list", []):
            if isinstance(decorator, ast.Call):
                found |= {word.value.value for word in decorator.keywords if _names_it(word)}
    return found


def _names_it(word: ast.keyword) -> bool:
    return word.arg == "name" and isinstance(word.value, ast.Constant)


def error_classes() -> dict[str, bool]:
    """The errors of chalicelib/errors.py, and whether each is retryable."""
    from chalicelib import errors  # noqa: PLC0415 - only this module's tests need it

    kinds = {name: kind for name, kind in vars(errors).items() if isinstance(kind, type)}
    return {
        name: bool(kind.retryable) for name, kind in kinds.items() if issubclass(kind, errors.PipelineError)
    }


@pytest.mark.parametrize("state", LAMBDAS)
def test_a_lambda_state_has_its_function_module_and_page(state: str) -> None:
    """State Gate → function gate → chalicelib/steps/gate.py → docs/steps/gate.md."""
    word = state.lower()
    assert TASKS[state]["Arguments"]["FunctionName"] == f"${{{state}Function}}"
    assert word in functions()
    assert (ROOT / "chalicelib" / "steps" / f"{word}.py").is_file()
    assert (ROOT / "docs" / "steps" / f"{word}.md").is_file()


@pytest.mark.parametrize("state", JOBS)
def test_a_job_state_has_its_script_and_page(state: str) -> None:
    """State Train → training/train.py → docs/steps/train.md."""
    word = state.lower()
    script = (
        "train" if state == "Tune" else word
    )  # a tuning job runs the script of the training job many times
    assert (ROOT / "training" / f"{script}.py").is_file()
    assert (ROOT / "docs" / "steps" / f"{word}.md").is_file()


@pytest.mark.parametrize("name", sorted(MAPS))
def test_a_map_runs_training_jobs_and_sets_aside_what_fails(name: str) -> None:
    """Its items are tried again and caught as Train is; one that fails ends its item, not the run."""
    inner = MAPS[name]["ItemProcessor"]["States"]
    tried = inner[MAPS[name]["ItemProcessor"]["StartAt"]]
    assert tried["Resource"] == TASKS["Train"]["Resource"]
    assert tried["Retry"] == TASKS["Train"]["Retry"]
    (catch,) = tried["Catch"]
    assert catch["ErrorEquals"] == ["States.ALL"]
    assert inner[catch["Next"]].get("End")
    assert MAPS[name]["Catch"] == TASKS["Train"]["Catch"]
    assert all(state.get("Comment") for state in inner.values())


def test_every_function_is_a_step_with_a_page() -> None:
    """Also those no state calls: ingest and sweep."""
    for name in functions():
        assert (ROOT / "chalicelib" / "steps" / f"{name}.py").is_file(), name
        assert (ROOT / "docs" / "steps" / f"{name}.md").is_file(), name


def test_every_stage_configures_the_same_functions() -> None:
    """A function a stage forgets would run with Chalice's defaults there."""
    stages = json.loads((ROOT / ".chalice" / "config.json").read_text())["stages"]
    for name, stage in stages.items():
        assert set(stage["lambda_functions"]) == functions() | {"api_handler"}, name
        assert (ROOT / "statemachine" / "parameters" / f"{name}.json").is_file(), name


@pytest.mark.parametrize("learning", sorted(WAYS))
def test_the_command_line_shows_the_states_in_their_order(learning: str) -> None:
    """A run that goes well takes them so, whichever way it comes to a model; what is shown is what is there."""
    order, name = [], MACHINE["StartAt"]
    while name:
        state = MACHINE["States"][name]
        if name in TASKS or name in MAPS:
            order.append(name)
        name = learning if name == "Learn" else _onward(state, order)
    assert tuple(order) == WAYS[learning]


def test_every_task_is_shown_on_some_way() -> None:
    """None is left out of what the command line shows."""
    assert {name for way in WAYS.values() for name in way} == (set(TASKS) | set(MAPS)) - DETOURS
    choices = MACHINE["States"]["Learn"]
    assert {choice["Next"] for choice in choices["Choices"]} | {choices["Default"]} == set(WAYS)


def _onward(state: dict[str, Any], seen: list[str]) -> str | None:
    """Where a good run goes next: a Choice leads to the first Task not seen yet that is not Report, else to Report."""
    if state["Type"] != "Choice":
        return state.get("Next")
    ways = [choice["Next"] for choice in state["Choices"]] + [state.get("Default")]
    fresh = [way for way in ways if way in TASKS and way not in {*seen, *DETOURS, "Report"}]
    return fresh[0] if fresh else ("Report" if "Report" not in seen else None)


@pytest.mark.parametrize("name", sorted(MACHINE["States"]))
def test_every_state_says_what_it_is_for(name: str) -> None:
    """Comments are what an operator sees in the console."""
    assert MACHINE["States"][name].get("Comment")


@pytest.mark.parametrize("name", sorted(TASKS))
def test_every_task_ends_in_time_is_retried_by_name_and_caught(name: str) -> None:
    """A Retry of States.ALL would repeat what can never work."""
    task = TASKS[name]
    assert task["TimeoutSeconds"] > 0
    assert task["Retry"]
    assert "States.ALL" not in retried(task)
    assert any("States.ALL" in catch["ErrorEquals"] for catch in task["Catch"])


def retried(task: dict[str, Any]) -> set[str]:
    """Every error name in a task's Retry."""
    return {error for retry in task["Retry"] for error in retry["ErrorEquals"]}


@pytest.mark.parametrize("name", sorted(TASKS))
def test_error_names_exist(name: str) -> None:
    """A misspelt error name is a Retry or Catch that never matches; nobody would notice until it should have."""
    ours = error_classes()
    caught = {error for catch in TASKS[name]["Catch"] for error in catch["ErrorEquals"]}
    assert retried(TASKS[name]) <= AWS_ERRORS | {error for error, again in ours.items() if again}
    assert caught <= AWS_ERRORS | STATES_ERRORS | set(ours)
