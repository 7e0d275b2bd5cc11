"""A hundred thousand uploads: what is handed from state to state stays small, and nothing is left behind."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from chalicelib.domain.erasure import DONE, Erasure
from chalicelib.domain.ledger import CLAIMED, IGNORED, PENDING, record_of
from chalicelib.domain.run import RunRecord
from chalicelib.steps import batch, erase, look
from tests import builders
from tests.fakes import FakePorts, Machine

MANY = 100_000
STATE_BYTES = 256 * 1024
ANSWER_BYTES = 6 * 1024 * 1024


def filled(ports: FakePorts) -> str:
    """A ledger in which that many wait; answers the execution that is to claim them."""
    for number in range(MANY):
        upload = builders.an_upload(key=f"drop/churn/{number:06d}.csv", version_id=f"v{number}")
        new = record_of(upload, "churn", verdict=PENDING, reason=None)
        ports.ledger.records["churn", new.id] = new
        ports.ledger.markers["churn", new.id] = 0
    assert ports.launcher.when_waiting("churn")
    (name,) = ports.workflow.running()
    return name


@pytest.mark.slow
def test_a_hundred_thousand_uploads_are_claimed_by_one_run(ports: FakePorts, machine: Machine) -> None:
    document = machine.claim(filled(ports))
    assert len(json.dumps(document)) < STATE_BYTES / 8
    assert document["claim"]["objects"] == MANY
    objects = ports.documents.read(document["claim"]["objects_uri"])
    assert objects is not None
    assert len(objects["objects"]) == MANY
    assert ports.ledger.counts("churn", most=MANY).verdicts == {CLAIMED: MANY}
    assert ports.ledger.waiting("churn") == []


def test_a_page_of_the_longest_keys_fits_an_answer(ports: FakePorts) -> None:
    for number in range(look.MOST + 1):
        key = "drop/churn/" + f"{number:04d}" + "\x01" * 1009  # six characters of JSON each
        record = builders.a_record(key=key, version_id="v" * 1024, verdict=IGNORED, reason="r" * 1000)
        ports.ledger.record(record)
    page = look.objects(look.Uploads("churn"), ports)
    assert (len(page["objects"]), page["total"]) == (look.MOST, look.MOST + 1)
    assert len(json.dumps(page)) < ANSWER_BYTES
    rest = look.objects(look.Uploads("churn", after=page["next"]), ports)
    assert (len(rest["objects"]), rest["next"]) == (1, None)


def test_the_story_of_a_key_and_of_many_runs_fits_an_answer(ports: FakePorts) -> None:
    key = "drop/churn/" + "\x01" * 1013
    line = {"at": builders.AT, "from": PENDING, "to": PENDING, "reason": "r" * 1000, "run": "churn-0001-x"}
    for number in range(look.MOST_WHOLE + 5):
        record = builders.a_record(key=key, version_id=f"v{number}", verdict=IGNORED)
        ports.ledger.records["churn", record.id] = replace(record, history=(line,) * 20)
        summary = {"drift": ["d" * 2000] * 20, "learner": str(number)}
        run = RunRecord("churn", f"churn-{number:04d}-x", 1, "FAILED", f"{number:04d}", summary=summary)
        ports.ledger.put_run(run)
    story = look.objects(look.Uploads("churn", key=key), ports)
    assert len(json.dumps(story)) < ANSWER_BYTES
    assert (story["total"], story["objects"][-1]["version_id"]) == (
        look.MOST_WHOLE + 5,
        f"v{look.MOST_WHOLE + 4}",
    )
    page = look.runs("churn", ports)
    assert len(json.dumps(page)) < ANSWER_BYTES
    rest = look.runs("churn", ports, page["next"])
    assert [one["run"] for one in rest["runs"]] == [f"churn-{number:04d}-x" for number in (4, 3, 2, 1, 0)]
    assert rest["next"] is None
    assert look.runs("churn", ports, "nobody")["runs"] == []


def test_many_erasures_and_batches_fit_an_answer(ports: FakePorts) -> None:
    digests = ("d" * 64,) * 1000
    for number in range(300):
        at = f"2026-11-01T00:{number:04d}"
        ports.erasures.put(
            Erasure(
                "churn",
                f"{number:04d}",
                ("age",),
                digests,
                True,
                at,
                state=DONE,
                receipt={"digests": digests},
            )
        )
    told = erase.listed("churn", ports)
    assert len(json.dumps(told)) < ANSWER_BYTES
    assert told["erasures"][0]["erasure"] == "0299"
    assert len(erase.show("churn", "0299", ports)["digests"]) == 1000
    for number in range(1001):
        name = f"churn-{number:012d}"
        ports.documents.bucket.put(f"scores/churn/{name}/batch.json")
    page = batch.known("churn", ports)
    assert (len(page["batches"]), page["next"]) == (1000, "churn-000000000999")
    rest = batch.known("churn", ports, page["next"])
    assert ([one["id"] for one in rest["batches"]], rest["next"]) == (["churn-000000001000"], None)
