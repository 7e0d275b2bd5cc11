"""A hundred thousand uploads: what is handed from state to state stays small, and nothing is left behind."""

from __future__ import annotations

import json

import pytest

from chalicelib.domain.ledger import CLAIMED, IGNORED, PENDING, record_of
from chalicelib.steps import look
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
