"""Sweep: every loss it must find, made here one at a time."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from chalicelib import inbound
from chalicelib.adapters.transforms import LambdaBackground
from chalicelib.domain.ledger import DELETED, PENDING, PREPARED, SUPERSEDED, record_of
from chalicelib.domain.upload import Upload
from chalicelib.steps import ingest, score, sweep
from tests import builders
from tests.fakes import RELEASED, TROUBLE, FakePorts, Machine

KEY = "drop/churn/rows.csv"


def swept(ports: FakePorts) -> dict[str, Any]:
    return dict(sweep.run(sweep.Sweep(), ports)["repaired"].get("churn", {}))


def enter(ports: FakePorts, key: str = KEY) -> str:
    tell(ports, ports.documents.bucket.put(key, modified=ports.clock.now()))
    (name,) = ports.workflow.running()
    return name


def tell(ports: FakePorts, upload: Upload) -> None:
    ingest.run(ingest.Ingest(upload), ports)


def dropped(ports: FakePorts, key: str, *, minutes: float = 10) -> Upload:
    """A file in the bucket of which no event has come (yet)."""
    return ports.documents.bucket.put(key, modified=ports.clock.now() - timedelta(minutes=minutes))


def waiting(ports: FakePorts) -> None:
    """An upload that was entered, and no run started for it."""
    upload = ports.documents.bucket.put(KEY)
    ports.ledger.record(record_of(upload, "churn", verdict=PENDING, reason=None))


def verdicts(ports: FakePorts) -> list[str]:
    return [record.verdict for record in ports.ledger.objects("churn")]


def test_a_sound_stage_is_left_as_it_is(ports: FakePorts) -> None:
    enter(ports)
    before = dict(ports.ledger.records)
    assert swept(ports) == {}
    assert ports.ledger.records == before


def test_an_upload_whose_event_was_lost_is_entered_and_run(ports: FakePorts) -> None:
    dropped(ports, "drop/churn/lost.csv")
    dropped(ports, "drop/churn/folder/")
    found = swept(ports)
    assert (found["entered"], found["started"] is not None) == (1, True)
    assert [record.key for record in ports.ledger.objects("churn")] == ["drop/churn/lost.csv"]
    assert swept(ports) == {}


def test_a_young_object_is_left_to_its_event(ports: FakePorts) -> None:
    dropped(ports, "drop/churn/young.csv", minutes=1)
    assert swept(ports) == {}


def test_what_stands_in_the_queue_behind_a_late_event_is_left_to_its_own(ports: FakePorts) -> None:
    """A burst of ten thousand takes longer than two minutes: its last events are late, not lost."""
    lost = dropped(ports, "drop/churn/lost.csv", minutes=12)
    late = [dropped(ports, f"drop/churn/{number}.csv", minutes=10 - number) for number in range(8)]
    for event in late[:3]:
        tell(ports, event)
    assert swept(ports)["entered"] == 1
    assert {one.key for one in ports.ledger.objects("churn")} == {lost.key, *(one.key for one in late[:3])}
    ports.clock.advance(minutes=3)  # nothing comes any more: so the rest is lost
    assert swept(ports)["entered"] == 5
    assert len(ports.ledger.objects("churn")) == 9


def test_many_lost_uploads_cost_one_listing_and_a_write_each(ports: FakePorts) -> None:
    for number in range(300):
        dropped(ports, f"drop/churn/{number}.csv")
    assert swept(ports)["entered"] == 300
    assert ports.documents.listed == ["drop/churn/"]


def test_a_lost_upload_of_a_key_whose_deletion_is_known_lives(ports: FakePorts) -> None:
    """Nothing in the listing tells of what was removed for good, but the ledger's news of the key do."""
    bucket = ports.documents.bucket
    bucket.put(KEY)
    removed = bucket.remove(KEY)  # told of before the upload it takes away
    tell(ports, removed)
    dropped(ports, KEY)
    swept(ports)
    assert verdicts(ports) == [PENDING]
    assert swept(ports) == {}


def test_a_lost_overwrite_becomes_the_newest_upload(ports: FakePorts) -> None:
    enter(ports)
    dropped(ports, KEY)
    dropped(ports, KEY)
    assert swept(ports)["entered"] == 2
    assert verdicts(ports) == [SUPERSEDED, SUPERSEDED, PENDING]


def test_a_lost_deletion_is_found(ports: FakePorts) -> None:
    enter(ports)
    ports.documents.bucket.delete(KEY)
    swept(ports)
    assert verdicts(ports) == [DELETED]


def test_a_deletion_that_was_undone_brings_the_upload_back(ports: FakePorts) -> None:
    enter(ports)
    tell(ports, ports.documents.bucket.delete(KEY))
    assert verdicts(ports) == [DELETED]
    ports.documents.bucket.remove(KEY)
    swept(ports)
    (record,) = ports.ledger.objects("churn")
    assert (record.verdict, record.reason) == (PENDING, "the bucket shows it as the current version again")
    assert swept(ports) == {}


def test_the_event_that_comes_after_all_is_the_same_upload(ports: FakePorts) -> None:
    event = dropped(ports, KEY)
    swept(ports)
    tell(ports, event)
    (record,) = ports.ledger.objects("churn")
    assert (record.source, record.sequencer) == ("event", event.sequencer)


def test_a_deletion_that_comes_late_leaves_what_the_sweep_found_after_it(ports: FakePorts) -> None:
    bucket = ports.documents.bucket
    tell(ports, bucket.put(KEY))
    deletion, again = bucket.delete(KEY), dropped(ports, KEY)
    swept(ports)
    tell(ports, deletion)  # the sweep could not know that it was before the second upload
    tell(ports, again)
    assert verdicts(ports) == [SUPERSEDED, PENDING]


def test_a_dead_execution_is_given_its_next_attempt(ports: FakePorts, machine: Machine) -> None:
    name = enter(ports)
    machine.claim(name)
    ports.workflow.executions[name] = "FAILED"
    assert swept(ports)["restarted"] == name.removesuffix("-1")
    (again,) = ports.workflow.running()
    assert again == name.removesuffix("-1") + "-2"
    document = machine.claim(again)
    assert document["claim"]["version"] == 2
    assert document["claim"]["train"]["TrainingJobName"].endswith("-2-train")
    machine.prepare(again)
    machine.report(again, **RELEASED)
    assert [record.verdict for record in ports.ledger.objects("churn")] == [PREPARED]


def test_a_run_that_dies_three_times_is_reported_as_failed(ports: FakePorts) -> None:
    enter(ports)
    for _ in range(3):
        (name,) = ports.workflow.running()
        ports.workflow.executions[name] = "TIMED_OUT"
        swept(ports)
    assert ports.workflow.running() == []
    assert ports.ledger.lease("churn") is None
    (record,) = ports.ledger.runs("churn")
    assert (record.state, record.attempt) == ("FAILED", 3)
    assert "TIMED_OUT" in str(record.reason)
    assert len(ports.notices.sent) == 1


def test_a_lease_taken_but_never_used_is_started_under_the_same_name(ports: FakePorts) -> None:
    waiting(ports)
    lease = ports.ledger.take_lease("churn", ports.clock.now())
    assert lease is not None
    swept(ports)
    assert ports.workflow.running() == [lease.execution]


def test_a_report_that_died_before_it_let_go_is_completed(ports: FakePorts, machine: Machine) -> None:
    name = enter(ports)
    machine.claim(name)
    machine.prepare(name)
    lease = ports.ledger.lease("churn")
    assert lease is not None
    machine.report(name, **RELEASED)
    ports.ledger.leases["churn"] = lease  # as if the last write had not been made
    swept(ports)
    assert ports.ledger.lease("churn") is None
    assert ports.workflow.running() == []


def test_waiting_uploads_without_a_run_are_started(ports: FakePorts) -> None:
    waiting(ports)
    assert swept(ports)["started"] is not None


def test_one_project_in_trouble_does_not_keep_the_others_from_being_swept(ports: FakePorts) -> None:
    ports.ledger.put_project(builders.a_spec(project="other"), builders.AT)
    waiting(ports)
    ports.workflow.trouble = TROUBLE
    answer = sweep.run(sweep.Sweep(), ports)
    assert answer["projects"] == 2
    assert list(answer["troubles"]) == ["churn"]


class Called:
    """What Lambda is asked for."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def invoke(self, *, Payload: bytes, **_: Any) -> None:  # noqa: N803 - as boto3 has it
        self.events.append(json.loads(Payload))


def test_a_file_to_be_scored_whose_event_was_lost_is_scored_once(ports: FakePorts) -> None:
    key = "drop/churn/score/lost.csv"
    upload = dropped(ports, key, minutes=30)
    ports.files.put(key, b"age\n3\n")
    assert swept(ports)["scored"] == 1
    called = Called()
    for one in ports.background.told:
        LambdaBackground(called, "test", builders.BUCKET).dropped(one)
    answers = [score.run(inbound.score(event), ports) for event in called.events]
    assert [one["status"] for one in answers] == ["refused"]  # no model yet: said once, not at every sweep
    assert swept(ports) == {}
    event = builders.an_s3_event(key=key, **{"version-id": upload.version_id})
    assert score.run(inbound.score(event), ports)["status"] == "known"
    dropped(ports, key, minutes=25)
    assert swept(ports)["scored"] == 1


@pytest.mark.parametrize(
    ("key", "minutes"),
    [
        ("drop/churn/score/young.csv", 15),
        ("drop/churn/score/old.csv", 5 * 24 * 60),
        ("drop/churn/score/folder/", 30),
    ],
)
def test_a_file_to_be_scored_is_left_to_its_event_and_not_tried_for_ever(
    ports: FakePorts, key: str, minutes: float
) -> None:
    dropped(ports, key, minutes=minutes)
    assert swept(ports) == {}


def test_a_file_to_be_scored_that_was_deleted_is_left_alone(ports: FakePorts) -> None:
    dropped(ports, "drop/churn/score/gone.csv", minutes=30)
    ports.documents.bucket.delete("drop/churn/score/gone.csv")
    assert swept(ports) == {}
