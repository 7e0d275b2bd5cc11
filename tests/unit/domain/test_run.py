"""Names of a run and of what it makes: within every limit of AWS, whatever the stage and project."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.domain.endpoint import config_name, endpoint_name
from chalicelib.domain.jobs import Names
from chalicelib.domain.model_version import group_name, token
from chalicelib.domain.run import cause_in_words, execution_name, new_run, outcome, project_of
from chalicelib.domain.upload import after, key_in_ids, object_id, order
from tests import builders

NOW = datetime(2026, 11, 1, tzinfo=UTC)
AWS_NAME = re.compile(r"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}$")
projects = st.from_regex(r"\A[a-z][a-z0-9-]{0,22}[a-z0-9]\Z").filter(lambda name: "--" not in name)


@given(projects, st.integers(1, 9999), st.integers(1, 99))
def test_every_name_fits(project: str, number: int, attempt: int) -> None:
    run = new_run(project, number, NOW)
    names = Names(builders.settings(stage="production"), project, run, attempt, number)
    made = [
        names.train_job,
        names.evaluate_job,
        config_name("production", run, attempt),
        execution_name(run, attempt),
    ]
    made += [endpoint_name("production", project), group_name("production", project)]
    assert [name for name in made if not AWS_NAME.match(name)] == []
    assert project_of(run) == project
    assert re.fullmatch(r"[a-zA-Z0-9-]{1,36}", token(run, names.artifact))


@given(st.integers(0, 16**20), st.integers(0, 16**20))
def test_sequencers_order_as_numbers(one: int, other: int) -> None:
    assert (order(f"{one:x}") < order(f"{other:X}")) == (one < other)
    assert order(after(f"{one:x}")) > order(f"{one:x}")


def test_a_long_key_is_named_by_its_digest() -> None:
    for key in ("k" * 1024, "é" * 512, "k" * 799):
        assert len(object_id(key, "v" * 1024, "1", "e" * 40).encode()) < 1024
        assert object_id(key, "v", "", "").startswith(key_in_ids(key))


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        ('{"errorMessage": "no", "errorType": "X"}', "no"),
        ('{"FailureReason": "AlgorithmError: x"}', "AlgorithmError: x"),
        ('{"ErrorMessage": "BadUpload: y"}', "BadUpload: y"),
        ("plain", "plain"),
        ("", "no cause was given"),
        ("[1]", "[1]"),
    ],
)
def test_the_sentence_inside_a_cause(cause: str, words: str) -> None:
    assert cause_in_words(cause) == words


def test_a_bad_upload_is_told_from_a_failed_job() -> None:
    error = {
        "state": "Prepare",
        "Error": "States.TaskFailed",
        "Cause": '{"ErrorMessage": "BadUpload: no rows"}',
    }
    assert outcome({"error": error}, None).reason == "Prepare refused the data: no rows"
    assert outcome({"error": {**error, "state": "Train"}}, None).word == "failed"
