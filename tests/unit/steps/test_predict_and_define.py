"""Predict and Define: what is refused before anybody is asked, and what a model's own refusals become."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.limits import BODY
from chalicelib.domain.model_version import Champion
from chalicelib.domain.prediction import refusal
from chalicelib.errors import BadRequest, NotFound, NotReady
from chalicelib.steps import define, predict
from tests import builders
from tests.fakes import FakePorts


def ask(ports: FakePorts, body: bytes = b'{"instances": [{"age": 3}]}', **changes: Any) -> dict[str, Any]:
    given = {"project": "churn", "content_type": "application/json", "accept": "", "request_id": "r1"}
    return predict.run(predict.Predict(body=body, **{**given, **changes}), ports)


def crown(ports: FakePorts) -> None:
    ports.ledger.put_champion(
        Champion("churn", "churn-0001-x", "s3://b/m", "arn", 1, "e1", "c", {}, builders.AT)
    )


def test_an_answer_names_who_gave_it(ports: FakePorts) -> None:
    crown(ports)
    answer = ask(ports)
    assert {name: answer[name] for name in ("project", "model", "variant", "inference_id")} == {
        "project": "churn",
        "model": "churn-0001-x",
        "variant": "live",
        "inference_id": "r1",
    }


@pytest.mark.parametrize(
    ("body", "changes", "status"),
    [
        (b"", {}, 400),
        (b"{", {}, 400),
        (b"[1]", {}, 422),
        (b"\xff\xfe{}", {}, 400),
        (b'{"instances": []}', {}, 400),
        (b'{"instances": {}}', {}, 422),
        (b"<a/>", {"content_type": "application/xml"}, 415),
        (b"1" * (BODY + 1), {"content_type": "text/csv"}, 413),
    ],
)
def test_a_malformed_question_never_reaches_a_model(
    ports: FakePorts, body: bytes, changes: dict[str, str], status: int
) -> None:
    crown(ports)
    with pytest.raises(BadRequest) as caught:
        ask(ports, body, **changes)
    assert caught.value.status == status
    assert ports.predictor.asked == []


@pytest.mark.parametrize(
    ("kind", "accept", "sent"),
    [("text/csv; charset=utf-8", "text/csv", "text/csv"), ("", "*/*", "application/json")],
)
def test_a_model_is_asked_for_json_and_the_caller_gets_what_he_takes(
    ports: FakePorts, kind: str, accept: str, sent: str
) -> None:
    crown(ports)
    answer = ask(ports, b'{"age": 1}', content_type=kind, accept=accept)
    assert ports.predictor.asked[0][1].accept == "application/json"
    assert answer["content_type"].partition(";")[0] == sent


def test_no_project_and_no_model_are_two_things(ports: FakePorts) -> None:
    with pytest.raises(NotFound, match="no such project"):
        ask(ports, project="other")
    with pytest.raises(NotReady, match="no model has been released") as caught:
        ask(ports)
    assert caught.value.status == 409


def test_the_only_project_need_not_be_named(ports: FakePorts) -> None:
    crown(ports)
    assert ask(ports, project=None)["project"] == "churn"
    ports.ledger.put_project(builders.a_spec(project="other"), builders.AT)
    ports.clock.advance(seconds=10)
    with pytest.raises(BadRequest, match="churn, other"):
        ask(ports, project=None)


def test_a_new_champion_is_seen_within_seconds(ports: FakePorts) -> None:
    crown(ports)
    ask(ports)
    ports.ledger.put_champion(
        Champion("churn", "churn-0002-y", "s3://b/m", "arn", 2, "e1", "c", {}, builders.AT)
    )
    ports.clock.advance(seconds=10)
    assert ask(ports)["model"] == "churn-0002-y"


def test_a_missing_endpoint_is_looked_up_again(ports: FakePorts) -> None:
    crown(ports)
    ports.predictor.trouble = NotReady("endpoint e1", "it is not there", "Look.", status=503)
    with pytest.raises(NotReady):
        ask(ports)
    del ports.ledger.champions["churn"]
    with pytest.raises(NotReady, match="no model has been released"):
        ask(ports)


def test_a_models_refusal_keeps_its_words_and_names_the_values() -> None:
    told = '{"error": "not a number", "faults": [{"instance": 2, "column": "age", "problem": "\'x\' is no number"}]}'
    error = refusal(400, told)
    assert error.status == 422
    assert error.faults == [{"where": "instances[2].age", "problem": "'x' is no number"}]
    assert refusal(415, "use JSON").status == 415
    assert "use JSON" in str(refusal(415, "use JSON"))


def test_every_fault_of_a_spec_is_told_at_once(ports: FakePorts) -> None:
    spec = builders.a_spec(task="guess", columns={"a": "numbre"}, gate={"metric": "rmse"}, extra=1)
    with pytest.raises(BadRequest) as caught:
        define.run(define.Define("churn", spec), ports)
    assert caught.value.status == 422
    assert {fault["where"] for fault in caught.value.faults} == {"", "columns.a", "task"}


@pytest.mark.parametrize("name", ["C", "a", "a--b", "a-", "x" * 25, "../x"])
def test_a_bad_name_is_no_project(ports: FakePorts, name: str) -> None:
    with pytest.raises(BadRequest):
        define.run(define.Define(name, builders.a_spec(project=name)), ports)


def test_what_no_job_or_item_has_room_for_is_no_spec(ports: FakePorts) -> None:
    columns = {"age": "number", "churned": "label"}
    learner = {"name": "text_linear", "hyperparameters": {"words": "x" * 2501}}
    for spec in (
        builders.a_spec(learner=learner),
        builders.a_spec(columns={**columns, **{f"{'c' * 60}{number}": "number" for number in range(3000)}}),
    ):
        with pytest.raises(BadRequest, match="1 thing to correct"):
            define.run(define.Define("churn", spec), ports)
