"""Uploads, batches and feedback: what is taken, what becomes of each row, and what is refused."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from chalicelib.domain import limits
from chalicelib.domain.batch import sort
from chalicelib.domain.model_version import Champion
from chalicelib.domain.request_schema import RequestSchema
from chalicelib.errors import BadRequest, BadUpload, Misconfigured, NotFound, NotReady
from chalicelib.steps import batch, feedback, score, upload
from tests import builders
from tests.fakes import FakePorts

RUN = "churn-0001-x"
KEY = "drop/churn/score/rows.csv"
FEATURES = [{"name": "age", "role": "number"}, {"name": "plan", "role": "category"}]


@pytest.fixture
def churn(ports: FakePorts) -> FakePorts:
    """A project with a released model."""
    ports.ledger.put_champion(
        Champion("churn", RUN, "s3://b/m", "arn", 1, "e1", "penstock-test-m", {}, builders.AT)
    )
    uri = f"s3://{builders.BUCKET}/runs/{RUN}/evaluate/request.schema.json"
    ports.documents.write(uri, {"x-features": FEATURES, "x-classes": ["no", "yes"]})
    return ports


def drop(ports: FakePorts, body: bytes, key: str = KEY) -> dict[str, Any]:
    ports.files.put(key, body)
    stored = ports.files.head(key)
    assert stored is not None
    return score.run(score.Score(builders.BUCKET, key, stored.etag), ports)


def accept(ports: FakePorts, **changes: Any) -> dict[str, Any]:
    given = {"project": "churn", "key": None, "body": b"", "content_type": "text/csv", "request_id": "r1"}
    return batch.accept(batch.Accept(**{**given, **changes}), ports)


def take_up(ports: FakePorts) -> dict[str, Any]:
    """What function score does once it is called."""
    ((_, key),) = ports.background.asked
    ports.background.asked.clear()
    return score.run(score.Score(builders.BUCKET, key, batch="b"), ports)


def lines(ports: FakePorts, key: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in ports.files.contents[key].splitlines()]


def test_a_drop_is_sorted_counted_and_scored(churn: FakePorts) -> None:
    answer = drop(churn, b"plan,age\npro,3\nbasic,old\n\npro\nbasic,\n")
    assert answer["rows"] == {"read": 4, "refused": 2, "sent": 2}
    folder = f"scores/churn/{answer['batch']}/"
    sent = [{"_row": 1, "plan": "pro", "age": "3"}, {"_row": 4, "plan": "basic", "age": ""}]
    assert lines(churn, f"{folder}input/rows.jsonl") == sent
    refused = lines(churn, f"{folder}errors.jsonl")
    assert [(one["row"], one["errors"][0]["where"]) for one in refused] == [(2, "age"), (3, "")]
    (request,) = churn.transforms.requests.values()
    assert (request["ModelName"], request["DataProcessing"]) == ("penstock-test-m", {"JoinSource": "Input"})
    again = drop(churn, b"plan,age\npro,3\nbasic,old\n\npro\nbasic,\n")
    assert again == {"status": "known", "batch": answer["batch"], "rows": {}}
    assert len(churn.transforms.requests) == 1


def test_a_batch_tells_how_far_it_is_and_counts_its_answers(churn: FakePorts) -> None:
    name = drop(churn, b"plan,age\npro,3\nbasic,x\n")["batch"]
    assert batch.look(name, churn)["status"] == "scoring"
    churn.files.put(f"scores/churn/{name}/output/rows.jsonl.out", b"{}\n")
    churn.transforms.statuses[f"penstock-test-{name}"] = ("Completed", None)
    told = batch.look(name, churn)
    assert (told["status"], told["rows"]) == ("done", {"read": 2, "refused": 1, "sent": 1, "answered": 1})
    assert told["links"].keys() == {"answers", "errors"}
    assert [one["id"] for one in batch.known("churn", churn)["batches"]] == [name]


def test_a_failed_job_is_a_failed_batch_with_its_reason(churn: FakePorts) -> None:
    name = drop(churn, b"age\n3\n")["batch"]
    churn.transforms.statuses[f"penstock-test-{name}"] = ("Failed", "the container said no")
    told = batch.look(name, churn)
    assert (told["status"], told["reason"], told["links"]) == ("failed", "the container said no", {})


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("rows.csv", b"age\nold\n", "none of its 1 rows"),
        ("rows.csv", b'age\n"3', "not CSV"),
        ("rows.parquet", b"PAR1", "neither CSV"),
        ("rows.json", b"{", "not JSON"),
        ("rows.json", b'{"instances": 5}', "no list of records"),
    ],
)
def test_what_cannot_be_scored_is_refused_with_the_reason(
    churn: FakePorts, name: str, body: bytes, reason: str
) -> None:
    answer = drop(churn, body, f"drop/churn/score/{name}")
    assert answer["status"] == "refused"
    assert reason in batch.look(answer["batch"], churn)["reason"]
    assert churn.transforms.requests == {}


def test_json_lines_and_json_are_read_row_by_row(churn: FakePorts) -> None:
    assert drop(churn, b'{"age": 1}\n{\n\n{"age": "x"}\n', "drop/churn/score/a.jsonl")["rows"]["refused"] == 2
    assert drop(churn, b'{"instances": [{"age": 1}, 5]}', "drop/churn/score/b.json")["rows"]["sent"] == 1


def test_rows_sent_with_the_request_are_accepted_then_scored(churn: FakePorts) -> None:
    accepted = accept(churn, body=b"age,plan\n3,pro\n")
    assert (accepted["status"], accepted["status_url"]) == ("accepted", f"/batch/{accepted['id']}")
    assert batch.look(accepted["id"], churn)["status"] == "accepted"
    assert take_up(churn)["rows"]["sent"] == 1
    assert batch.look(accepted["id"], churn)["status"] == "scoring"


def test_a_file_that_lies_there_is_accepted_once(churn: FakePorts) -> None:
    churn.files.put(KEY, b"age\n3\n")
    first = accept(churn, key=KEY)
    assert accept(churn, key=KEY)["id"] == first["id"]
    assert len(churn.background.asked) == 1


def test_a_drop_before_there_is_a_model_can_be_asked_for_later(ports: FakePorts) -> None:
    answer = drop(ports, b"age\n3\n")
    assert "no model has been released" in batch.look(answer["batch"], ports)["reason"]
    with pytest.raises(NotReady):
        accept(ports, key=KEY)


def test_only_files_below_the_projects_own_folder_are_scored(churn: FakePorts) -> None:
    for key in ("drop/churn/rows.csv", "drop/other/score/rows.csv", "runs/x", KEY + "/"):
        with pytest.raises(NotFound, match="not below"):
            accept(churn, key=key)
    with pytest.raises(NotFound):
        accept(churn, key=KEY)


@pytest.mark.parametrize(
    "name", ["nothing", "../../x", "churn-..", "churn-0123456789ab", "churn-0123456789a/"]
)
def test_a_batch_that_is_none(churn: FakePorts, name: str) -> None:
    with pytest.raises(NotFound):
        batch.look(name, churn)


def test_drops_of_other_stages_and_of_no_project_are_left_alone(churn: FakePorts) -> None:
    assert score.run(score.Score("penstock-else", KEY), churn)["status"] == "not ours"
    assert drop(churn, b"age\n3\n", "drop/nobody/score/rows.csv")["status"] == "ignored"
    for key in ("data/score/rows.csv", "score/_SUCCESS", "score/_temporary/0/part-0.csv", "score/folder/"):
        assert drop(churn, b"age\n3\n", f"drop/churn/{key}")["status"] == "ignored"


# ── Uploads ───────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_link_signs_the_key_the_size_and_the_type(ports: FakePorts) -> None:
    asked = {"name": "day 1/rows ö.csv", "size": 12, "content_type": "text/csv", "folder": "score"}
    told = upload.run(upload.Upload("churn", asked), ports)
    assert told["key"] == "drop/churn/score/day 1/rows ö.csv"
    assert "size=12" in told["url"]
    assert told["headers"] == {"Content-Type": "text/csv", "Content-Length": "12"}


def test_null_is_left_out(ports: FakePorts) -> None:
    told = upload.run(
        upload.Upload("churn", {"name": "a", "size": 1, "folder": None, "content_type": None}), ports
    )
    assert (told["key"], told["headers"]["Content-Type"]) == ("drop/churn/a", "application/octet-stream")


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ([], {""}),
        ({}, {"name", "size"}),
        ({"name": "../x.csv", "size": 1}, {"name"}),
        ({"name": "/x.csv", "size": 1}, {"name"}),
        ({"name": "a\n.csv", "size": 1}, {"name"}),
        ({"name": "a\\b", "size": 1}, {"name"}),
        ({"name": "x" * 701, "size": 1}, {"name"}),
        ({"name": "_SUCCESS", "size": 1}, {"name"}),
        ({"name": "score/x.csv", "size": 1}, {"name"}),
        (
            {"name": "x", "size": 0, "folder": "x", "content_type": "x", "more": 1},
            {"size", "folder", "content_type", "more"},
        ),
        ({"name": "x", "size": True}, {"size"}),
        ({"name": "x", "size": 5 * 1024**3 + 1}, {"size"}),
    ],
)
def test_a_link_is_given_for_safe_keys_only(ports: FakePorts, asked: Any, where: set[str]) -> None:
    with pytest.raises(BadRequest) as caught:
        upload.run(upload.Upload("churn", asked), ports)
    assert caught.value.status == 422
    assert {fault["where"] for fault in caught.value.faults} == where


def test_no_project_no_link(ports: FakePorts) -> None:
    with pytest.raises(NotFound):
        upload.run(upload.Upload("nobody", {"name": "x", "size": 1}), ports)


# ── Feedback ──────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_last_truth_of_a_prediction_is_kept(churn: FakePorts) -> None:
    for truth in ("no", "yes"):
        feedback.run(feedback.Feedback("churn", {"inference_id": "i-1", "truth": truth}), churn)
    (kept,) = [json.loads(text) for uri, text in churn.documents.texts.items() if "/feedback/churn/" in uri]
    assert (kept["inference_id"], kept["truth"], kept["model"]) == ("i-1", "yes", RUN)


def test_a_truth_is_of_the_model_that_predicted_though_another_is_released_by_now(churn: FakePorts) -> None:
    lease = churn.ledger.take_lease("churn", churn.clock.now())
    assert lease is not None
    earlier = lease.run
    uri = f"s3://{builders.BUCKET}/runs/{earlier}/evaluate/request.schema.json"
    churn.documents.write(uri, {"x-features": FEATURES, "x-classes": ["stays", "leaves"]})
    told = {"inference_id": "i-1", "truth": "leaves", "model": earlier}
    assert feedback.run(feedback.Feedback("churn", told), churn)["model"] == earlier


@pytest.mark.parametrize(
    ("told", "where"),
    [
        (5, {""}),
        ({"inference_id": "i", "truth": "yes", "model": "nobody-0001-x"}, {"model"}),
        ({"inference_id": "i", "truth": "yes", "model": 7}, {"model"}),
        ({}, {"inference_id", "truth"}),
        ({"inference_id": "i", "truth": "maybe"}, {"truth"}),
        ({"inference_id": "i", "truth": 1}, {"truth"}),
        ({"inference_id": "", "truth": "yes", "x": 1}, {"inference_id", "x"}),
        ({"inference_id": "i" * 65, "truth": "yes"}, {"inference_id"}),
    ],
)
def test_a_truth_that_cannot_be_one_is_refused(churn: FakePorts, told: Any, where: set[str]) -> None:
    with pytest.raises(BadRequest) as caught:
        feedback.run(feedback.Feedback("churn", told), churn)
    assert {fault["where"] for fault in caught.value.faults} == where


def test_a_failed_job_is_started_again_under_another_name(churn: FakePorts) -> None:
    name = drop(churn, b"age\n3\n")["batch"]
    churn.transforms.statuses[f"penstock-test-{name}"] = ("Failed", "no capacity")
    assert batch.look(name, churn)["status"] == "failed"
    assert accept(churn, key=KEY)["status"] == "accepted"
    assert take_up(churn)["status"] == "scoring"
    assert set(churn.transforms.requests) == {f"penstock-test-{name}", f"penstock-test-{name}-1"}
    churn.transforms.statuses[f"penstock-test-{name}-1"] = ("Completed", None)
    assert batch.look(name, churn)["status"] == "done"


def test_a_job_that_cannot_be_created_is_a_failed_batch_that_may_be_tried_again(churn: FakePorts) -> None:
    churn.transforms.trouble = Misconfigured(
        "transform job", "ResourceLimitExceeded: quota 0", "Ask for more."
    )
    accepted = accept(churn, body=b"age\n3\n")
    with pytest.raises(Misconfigured):
        take_up(churn)
    told = batch.look(accepted["id"], churn)
    assert (told["status"], "quota 0" in told["reason"]) == ("failed", True)
    churn.transforms.trouble = None
    assert accept(churn, body=b"age\n3\n")["status"] == "accepted"
    assert take_up(churn)["status"] == "scoring"


def test_a_batch_nobody_has_taken_up_is_given_out_again(churn: FakePorts) -> None:
    churn.files.put(KEY, b"age\n3\n")
    accept(churn, key=KEY)
    churn.background.asked.clear()  # the function that was to be called died before it could be
    accept(churn, key=KEY)
    assert churn.background.asked == []
    churn.clock.advance(minutes=21)
    accept(churn, key=KEY)
    assert take_up(churn)["status"] == "scoring"


def test_a_batch_without_a_good_row_links_to_what_is_wrong_with_them(churn: FakePorts) -> None:
    name = drop(churn, b"age\nold\nolder\n")["batch"]
    told = batch.look(name, churn)
    assert (told["status"], told["rows"]) == ("refused", {"read": 2, "refused": 2, "sent": 0})
    assert told["links"].keys() == {"errors"}


def test_rows_that_fill_the_disk_as_json_are_refused_before_they_do() -> None:
    rows = ((number, {"a" * 100: number}, None) for number in range(1000))
    good, bad = io.BytesIO(), io.BytesIO()
    with pytest.raises(BadUpload, match="Split the file"):
        sort(rows, RequestSchema({}), good, bad, most=10_000)
    assert 9_000 < len(good.getvalue()) <= 10_000
    assert limits.BATCH + limits.SORTED < 512 * limits.MB


def test_what_an_erasure_put_is_not_scored_again(churn: FakePorts) -> None:
    drop(churn, b"age\n3\n4\n")
    churn.files.by_erasure.add(KEY)
    for _ in range(2):
        assert drop(churn, b"age\n4\n")["status"] == "known"
    assert len(churn.transforms.requests) == 1


def test_a_number_that_is_no_number_of_ours_is_no_truth(churn: FakePorts) -> None:
    uri = f"s3://{builders.BUCKET}/runs/{RUN}/evaluate/request.schema.json"
    churn.documents.write(uri, {"x-features": FEATURES})
    for truth in (10**400, float("inf"), float("nan"), True):
        with pytest.raises(BadRequest) as caught:
            feedback.run(feedback.Feedback("churn", {"inference_id": "i", "truth": truth}), churn)
        assert [one["where"] for one in caught.value.faults] == ["truth"]
