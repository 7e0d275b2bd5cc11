"""Predict against a model with a request schema: every fault by its path, every shape of question and answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chalicelib.domain import limits
from chalicelib.domain.model_version import Champion
from chalicelib.domain.routing import pinned
from chalicelib.errors import BadRequest, JobFailed, NotFound
from chalicelib.steps import predict
from tests import builders
from tests.fakes import FakePorts

RUN = "churn-0001-x"
FEATURES = [
    {"name": "age", "role": "number", "null_values": ["?"]},
    {"name": "plan", "role": "category", "categories": ["basic", "pro"]},
    {"name": "since", "role": "date", "format": "%d-%m-%Y"},
    {"name": "note", "role": "text"},
]
TWO = {
    "predictions": [
        {"prediction": "yes", "score": 0.9, "probabilities": {"no": 0.1, "yes": 0.9}},
        {"prediction": "no", "score": 0.6, "probabilities": {"no": 0.6, "yes": 0.4}},
    ]
}
ONE = {"predictions": TWO["predictions"][:1]}


@pytest.fixture
def churn(ports: FakePorts) -> FakePorts:
    """A project whose model reads a column of every role."""
    champion = Champion("churn", RUN, "s3://b/m", "arn", 1, "e1", "c", {}, builders.AT)
    ports.ledger.put_champion(champion)
    uri = f"s3://{builders.BUCKET}/runs/{RUN}/evaluate/request.schema.json"
    ports.documents.write(uri, {"x-features": FEATURES, "x-classes": ["no", "yes"]})
    ports.predictor.answer = ONE
    return ports


def ask(ports: FakePorts, body: Any, **changes: Any) -> dict[str, Any]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"project": "churn", "content_type": "application/json", "accept": "", "request_id": "r1"}
    return predict.run(predict.Predict(body=raw, **{**given, **changes}), ports)


def refused(ports: FakePorts, body: Any, **changes: Any) -> BadRequest:
    with pytest.raises(BadRequest) as caught:
        ask(ports, body, **changes)
    assert ports.predictor.asked == []
    return caught.value


def test_the_workshops_question_gets_the_workshops_answer(churn: FakePorts) -> None:
    answer = ask(churn, {"text": "That was a great experience!"})
    assert json.loads(answer["body"]) == {"prediction": "yes", "score": 0.9}


def test_a_list_of_records_gets_a_list_and_probabilities_on_request(churn: FakePorts) -> None:
    churn.predictor.answer = TWO
    body = {"instances": [{"age": 3}, {"plan": "pro"}]}
    bare = [{"prediction": "yes", "score": 0.9}, {"prediction": "no", "score": 0.6}]
    assert json.loads(ask(churn, body)["body"]) == {"predictions": bare}
    assert json.loads(ask(churn, body, probabilities=True)["body"]) == TWO


def test_csv_in_and_out(churn: FakePorts) -> None:
    churn.predictor.answer = TWO
    given = {"content_type": "text/csv", "accept": "text/csv"}
    answer = ask(churn, b"plan,age\npro,3\nbasic,?\n", **given)
    assert (answer["body"], answer["content_type"]) == (b"yes,0.9\nno,0.6\n", "text/csv; header=absent")
    answer = ask(churn, b"3,pro,,\n4,basic,31-01-2026,hello\n", probabilities=True, **given)
    assert answer["body"] == b"prediction,score,no,yes\nyes,0.9,0.1,0.9\nno,0.6,0.6,0.4\n"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("text/*", "text/csv; header=absent"),
        ("text/csv;q=0.5, application/json;q=0.9", "application/json"),
        ("text/html, application/xhtml+xml, */*;q=0.8", "application/json"),
        ("application/json;q=0, text/csv", "text/csv; header=absent"),
    ],
)
def test_the_caller_gets_the_type_it_likes_best(churn: FakePorts, accept: str, kind: str) -> None:
    assert ask(churn, {"age": 1}, accept=accept)["content_type"] == kind


@pytest.mark.parametrize("accept", ["text/html", "image/png;q=1", "application/json;q=0", "text/csv;q=x"])
def test_a_type_we_do_not_speak_is_a_406(churn: FakePorts, accept: str) -> None:
    assert refused(churn, {"age": 1}, accept=accept).status == 406


def test_every_fault_is_told_with_its_path(churn: FakePorts) -> None:
    body = {
        "instances": [
            {"age": "old", "plan": ["pro"], "since": "yesterday", "note": 5},
            {"age": 3, "anything": "else"},
            7,
            {"years": 3},
            {"age": 1e400},
        ]
    }
    error = refused(churn, json.dumps(body).replace("Infinity", "1e999").encode())
    assert error.status == 422
    assert [fault["where"] for fault in error.faults] == [
        "instances[0].age",
        "instances[0].plan",
        "instances[0].since",
        "instances[0].note",
        "instances[2]",
        "instances[3]",
        "instances[4].age",
    ]


def test_a_single_record_is_told_its_columns(churn: FakePorts) -> None:
    assert refused(churn, {"age": "x"}).faults[0]["where"] == "age"
    assert refused(churn, {"text": 5}).faults[0]["where"] == "note"
    assert refused(churn, {"tekst": "hello"}).status == 422


@pytest.mark.parametrize(
    "record",
    [
        {"age": "3.5"},
        {"age": "?"},
        {"age": None},
        {"plan": True},
        {"plan": 7},
        {"since": "2026-01-31"},
        {"note": ""},
    ],
)
def test_what_the_model_takes_is_taken(churn: FakePorts, record: dict[str, Any]) -> None:
    assert json.loads(ask(churn, record)["body"])["prediction"] == "yes"


def test_csv_lines_are_held_to_the_schema_too(churn: FakePorts) -> None:
    error = refused(churn, b"age,plan\nold,pro\n1\n", content_type="text/csv")
    assert [fault["where"] for fault in error.faults] == ["instances[0].age", "instances[1]"]
    assert refused(churn, b"age,plan\n", content_type="text/csv").status == 400
    assert refused(churn, b'age\n"3', content_type="text/csv").status == 400


@pytest.mark.parametrize("text", ["", "  \n"])
def test_an_empty_text_is_a_400_in_the_workshops_words(churn: FakePorts, text: str) -> None:
    error = refused(churn, {"text": text})
    assert (error.status, error.members) == (400, {"error": "Invalid input. The text key can not be empty."})


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff{}", 400),
        (b'{"age": NaN}', 400),
        (b'{"note": "\\ud800"}', 400),
        (b"[" * 100_000, 400),
        (b'{"age": 1, "x": ' + b"[" * 40 + b"]" * 40 + b"}", 400),
        (b'{"instances": []}', 400),
        (b"5", 422),
        (b'"text"', 422),
        (b"null", 422),
        (b'{"instances": {"age": 1}}', 422),
        (json.dumps({"instances": [{}] * (limits.INSTANCES + 1)}).encode(), 413),
        (b'{"note": "' + b"x" * limits.BODY + b'"}', 413),
        (b'{"age": 1' + b"0" * 5000 + b"}", 400),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_no_request_never_reaches_the_model(churn: FakePorts, body: bytes, status: int) -> None:
    assert refused(churn, body).status == status


def test_what_does_not_fit_is_told_the_way_that_does(churn: FakePorts) -> None:
    assert "/uploads" in str(refused(churn, b" " * limits.BODY + b"{}"))


def test_many_faults_are_counted_and_the_first_listed(churn: FakePorts) -> None:
    error = refused(churn, {"instances": [{"age": "x"}] * 1000})
    assert len(error.faults) == limits.FAULTS
    assert "1000 values" in str(error)


@pytest.mark.parametrize(
    "answer",
    ["garbage", {"predictions": "x"}, [1], TWO, {"predictions": [{"prediction": float("nan")}]}],
    ids=str,
)
def test_garbage_is_the_models_failure(churn: FakePorts, answer: Any) -> None:
    churn.predictor.answer = answer
    with pytest.raises(JobFailed, match="the model answered") as caught:
        ask(churn, {"age": 1})
    assert caught.value.status == 502


def test_an_answer_too_large_for_lambda_is_a_413(churn: FakePorts) -> None:
    churn.predictor.answer = {"predictions": [{"prediction": "x" * limits.ANSWER}]}
    with pytest.raises(BadRequest) as caught:
        ask(churn, {"age": 1})
    assert caught.value.status == 413


# ── Variants ──────────────────────────────────────────────────────────────────────────────────────────────────────
def share(ports: FakePorts, **weights: float) -> None:
    champion = Champion("churn", RUN, "s3://b/m", "arn", 1, "e1", "c", {}, builders.AT, weights)
    ports.ledger.put_champion(champion)


def test_a_caller_keeps_its_variant_and_shares_follow_the_weights(churn: FakePorts) -> None:
    callers = [f"caller-{number}" for number in range(2000)]
    weights = {"live": 0.8, "churn-0002-y": 0.2}
    first = {caller: pinned(caller, weights) for caller in callers}
    assert 0.17 < sum(name != "live" for name in first.values()) / len(callers) < 0.23
    moved = {caller: pinned(caller, {"live": 0.7, "churn-0002-y": 0.3}) for caller in callers}
    back = [caller for caller in callers if first[caller] != "live" and moved[caller] == "live"]
    assert back == []  # a raised weight takes callers over and sends none back


def test_a_pinned_caller_is_sent_to_its_variant(churn: FakePorts) -> None:
    share(churn, **{"live": 0.0, "churn-0002-y": 1.0})
    ask(churn, {"age": 1}, caller="me")
    assert churn.predictor.asked[0][1].variant == "churn-0002-y"


def test_without_a_caller_or_with_one_model_the_weights_decide(churn: FakePorts) -> None:
    ask(churn, {"age": 1}, caller="me")
    share(churn, live=0.5, other=0.5)
    churn.clock.advance(seconds=10)
    ask(churn, {"age": 1})
    assert [question.variant for _, question in churn.predictor.asked] == [None, None]


def test_a_tester_names_a_variant_that_is_there(churn: FakePorts) -> None:
    share(churn, live=0.9, other=0.1)
    ask(churn, {"age": 1}, variant="other")
    assert churn.predictor.asked[0][1].variant == "other"
    churn.predictor.asked.clear()
    with pytest.raises(NotFound, match="live, other"):
        ask(churn, {"age": 1}, variant="third")
    assert refused(churn, {"age": 1}, caller="a b").status == 400
