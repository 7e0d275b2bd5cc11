"""Ingest: what each kind of event leaves in the ledger, and when it starts a run."""

from __future__ import annotations

import pytest

from chalicelib.domain.ledger import DELETED, IGNORED, PENDING, SUPERSEDED
from chalicelib.domain.upload import Upload
from chalicelib.errors import AwsTrouble
from chalicelib.steps import define, ingest
from tests import builders
from tests.fakes import TROUBLE, FakePorts

KEY = "drop/churn/rows.csv"


def enter(ports: FakePorts, **upload: object) -> dict[str, object]:
    return ingest.run(ingest.Ingest(builders.an_upload(**upload)), ports)


def tell(ports: FakePorts, *uploads: Upload) -> None:
    for upload in uploads:
        ingest.run(ingest.Ingest(upload), ports)


def verdicts(ports: FakePorts, project: str = "churn") -> list[str]:
    return [record.verdict for record in ports.ledger.objects(project)]


def test_a_first_upload_starts_a_run(ports: FakePorts) -> None:
    answer = enter(ports)
    assert answer["outcome"] == "recorded"
    assert ports.workflow.inputs == {
        f"{answer['run']}-1": {"project": "churn", "run": answer["run"], "attempt": 1}
    }


def test_an_upload_during_a_run_waits(ports: FakePorts) -> None:
    enter(ports)
    assert enter(ports, key="drop/churn/more.csv")["run"] is None
    assert len(ports.workflow.executions) == 1
    assert len(ports.ledger.waiting("churn")) == 2


def test_an_older_event_after_a_newer_one_is_superseded(ports: FakePorts) -> None:
    newer = {"sequencer": "00B1", "etag": "new"}
    enter(ports, **newer)
    assert enter(ports, sequencer="A1", etag="old")["outcome"] == "older"
    assert {r.etag: r.verdict for r in ports.ledger.objects("churn")} == {"new": PENDING, "old": SUPERSEDED}


def test_a_newer_upload_supersedes_the_waiting_one(ports: FakePorts) -> None:
    enter(ports, etag="old")
    enter(ports, etag="new")
    assert {r.etag: r.verdict for r in ports.ledger.objects("churn")} == {"old": SUPERSEDED, "new": PENDING}
    assert len(ports.ledger.waiting("churn")) == 1


def test_a_deletion_takes_the_waiting_upload_out(ports: FakePorts) -> None:
    enter(ports)
    enter(ports, kind="deleted", etag="")
    assert verdicts(ports) == [DELETED]
    assert ports.ledger.waiting("churn") == []


def test_news_of_a_deletion_before_the_upload_it_deletes(ports: FakePorts) -> None:
    enter(ports, kind="deleted", sequencer="02")
    enter(ports, sequencer="01")
    assert verdicts(ports) == [DELETED]
    assert ports.workflow.executions == {}


def test_deleting_an_old_version_for_good_leaves_the_new_one(ports: FakePorts) -> None:
    bucket = ports.documents.bucket
    tell(ports, bucket.put(KEY), bucket.put(KEY), bucket.remove(KEY, 0))
    assert verdicts(ports) == [SUPERSEDED, PENDING]


def test_removing_the_newest_version_for_good_brings_the_one_before_back(ports: FakePorts) -> None:
    bucket = ports.documents.bucket
    tell(ports, bucket.put(KEY), bucket.put(KEY), bucket.remove(KEY))
    assert verdicts(ports) == [PENDING, DELETED]


def test_removing_the_marker_of_a_deletion_brings_the_upload_back(ports: FakePorts) -> None:
    bucket = ports.documents.bucket
    tell(ports, bucket.put(KEY), bucket.delete(KEY))
    assert verdicts(ports) == [DELETED]
    tell(ports, bucket.remove(KEY))
    assert verdicts(ports) == [PENDING]


def test_a_version_removed_for_good_before_its_event_comes_is_deleted(ports: FakePorts) -> None:
    bucket = ports.documents.bucket
    upload, removal = bucket.put(KEY), bucket.remove(KEY)
    tell(ports, removal, upload)
    assert verdicts(ports) == [DELETED]
    assert ports.workflow.executions == {}


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("runs/churn-0001-x/objects.json", "own output"),
        ("drop/rows.csv", "no project in the key"),
        ("drop/Churn!/rows.csv", "no project name"),
        ("drop/churn/folder/", "folder marker"),
        ("drop/churn/", "folder marker"),
    ],
)
def test_what_belongs_to_no_project_is_ignored_with_a_reason(ports: FakePorts, key: str, words: str) -> None:
    assert enter(ports, key=key)["outcome"] == "ignored"
    (record,) = ports.ledger.objects("-")
    assert record.verdict == IGNORED
    assert words in str(record.reason)
    assert ports.workflow.executions == {}


def test_the_bucket_of_another_stage_is_left_alone(ports: FakePorts) -> None:
    assert enter(ports, bucket="penstock-prod-000000000000-us-east-1")["outcome"] == "not ours"
    assert ports.ledger.records == {}


def test_an_upload_before_its_project_is_taken_up_when_it_is_created() -> None:
    ports = FakePorts()
    assert enter(ports)["outcome"] == "ignored"
    answer = define.run(define.Define("churn", builders.a_spec()), ports)
    assert (answer["created"], answer["taken_up"]) == (True, 1)
    assert len(ports.workflow.executions) == 1


def test_a_run_that_cannot_be_started_gives_the_lease_back(ports: FakePorts) -> None:
    ports.workflow.trouble = TROUBLE
    with pytest.raises(AwsTrouble):
        enter(ports)
    assert ports.ledger.lease("churn") is None
    assert ports.ledger.runs("churn") == []
    ports.workflow.trouble = None
    assert enter(ports, key="drop/churn/other.csv")["run"] is not None
