"""Deletions: a run makes a dataset without what is gone; one run for many, and again if that run failed."""

from __future__ import annotations

import json
from typing import Any

from chalicelib.domain.ledger import DELETED, PREPARED, SUPERSEDED, ObjectRecord
from chalicelib.domain.upload import Upload
from chalicelib.steps import ingest
from tests.fakes import RELEASED, FakePorts, Machine

A, B, C = (f"drop/churn/{name}.csv" for name in "abc")
DIED = {
    "error": {
        "state": "Prepare",
        "Error": "States.TaskFailed",
        "Cause": json.dumps({"ErrorMessage": "no disk"}),
    }
}


def tell(ports: FakePorts, *events: Upload) -> None:
    for event in events:
        ingest.run(ingest.Ingest(event), ports)


def finish(machine: Machine, **ending: Any) -> int:
    """The running execution comes to its end; answers how many are running then."""
    (name,) = machine.ports.workflow.running()
    machine.claim(name)
    if "error" not in ending and "error" not in machine.documents[name]:
        machine.prepare(name)
    machine.report(name, **(ending or RELEASED))
    return len(machine.ports.workflow.running())


def record(ports: FakePorts, key: str) -> ObjectRecord:
    return ports.ledger.objects("churn", key)[-1]


def dataset(ports: FakePorts) -> set[str]:
    """Keys in the newest run's objects.json."""
    newest = max(run.run for run in ports.ledger.runs("churn"))
    written = ports.documents.read(f"s3://{ports.settings.bucket}/runs/{newest}/objects.json")
    return {one["key"] for one in written["objects"]} if written else set()


def prepared(ports: FakePorts, machine: Machine) -> None:
    """Three files, prepared by one or two runs."""
    tell(ports, *(ports.documents.bucket.put(key) for key in (A, B, C)))
    while ports.workflow.running():
        finish(machine)
    assert dataset(ports) == {A, B, C}


def test_deletions_start_one_run_that_leaves_them_out(ports: FakePorts, machine: Machine) -> None:
    prepared(ports, machine)
    before = len(ports.workflow.executions)
    bucket = ports.documents.bucket
    tell(ports, bucket.delete(A), bucket.delete(B))
    assert len(ports.workflow.executions) == before + 1
    assert finish(machine) == 0
    assert dataset(ports) == {C}
    told = record(ports, A)
    assert (told.verdict, told.leaving, told.reason) == (DELETED, False, "deleted from the bucket")
    assert told.run == max(run.run for run in ports.ledger.runs("churn"))


def test_deleting_what_no_run_has_taken_starts_none(ports: FakePorts, machine: Machine) -> None:
    prepared(ports, machine)
    before = len(ports.workflow.executions)
    bucket = ports.documents.bucket
    upload, deletion = bucket.put("drop/churn/late.csv"), bucket.delete("drop/churn/late.csv")
    tell(ports, deletion, upload, deletion)
    assert len(ports.workflow.executions) == before


def test_a_deletion_during_the_run_that_takes_the_upload_starts_the_next(
    ports: FakePorts, machine: Machine
) -> None:
    bucket = ports.documents.bucket
    tell(ports, bucket.put(A), bucket.put(B))
    (name,) = ports.workflow.running()
    machine.claim(name)
    tell(ports, bucket.delete(A))
    machine.prepare(name)
    machine.report(name, **RELEASED)
    assert finish(machine) == 0
    assert dataset(ports) == {B}


def test_a_run_that_failed_before_its_dataset_leaves_the_deletion_to_the_sweep(
    ports: FakePorts, machine: Machine
) -> None:
    prepared(ports, machine)
    tell(ports, ports.documents.bucket.delete(A))
    assert finish(machine, **DIED) == 0
    assert (record(ports, A).leaving, record(ports, A).tries) == (True, 1)
    assert ports.launcher.when_waiting("churn", retries=True)
    finish(machine)
    assert dataset(ports) == {B, C}
    assert not record(ports, A).leaving


def test_a_run_that_failed_after_its_dataset_has_left_it_out(ports: FakePorts, machine: Machine) -> None:
    prepared(ports, machine)
    tell(ports, ports.documents.bucket.delete(A))
    (name,) = ports.workflow.running()
    machine.claim(name)
    machine.prepare(name)
    machine.report(name, error={**DIED["error"], "state": "Train"})
    assert not record(ports, A).leaving


def test_an_overwrite_deleted_at_once_takes_the_first_upload_out_too(
    ports: FakePorts, machine: Machine
) -> None:
    prepared(ports, machine)
    bucket = ports.documents.bucket
    over, gone = bucket.put(A), bucket.delete(A)
    tell(ports, gone, over)
    while ports.workflow.running():
        finish(machine)
    assert dataset(ports) == {B, C}
    assert [one.verdict for one in ports.ledger.objects("churn", A)] == [SUPERSEDED, DELETED]
    assert ports.ledger.waiting("churn") == []


def test_deleting_everything_ends_as_nothing_to_do_and_not_in_a_circle(
    ports: FakePorts, machine: Machine
) -> None:
    prepared(ports, machine)
    tell(ports, *(ports.documents.bucket.delete(key) for key in (A, B, C)))
    assert finish(machine) == 0
    assert ports.ledger.runs("churn")[0].state == "NOTHING"
    assert ports.ledger.waiting("churn") == []
    tell(ports, ports.documents.bucket.put("drop/churn/d.csv"))
    finish(machine)
    assert [one.verdict for one in ports.ledger.objects("churn") if one.verdict == PREPARED] == [PREPARED]
    assert dataset(ports) == {"drop/churn/d.csv"}


def test_what_an_earlier_attempt_prepared_is_no_word_on_this_one(ports: FakePorts, machine: Machine) -> None:
    """A deletion between the attempts: the second was to leave the upload out, and died before it had a dataset."""
    prepared(ports, machine)
    tell(ports, ports.documents.bucket.put("drop/churn/d.csv"))
    (name,) = ports.workflow.running()
    machine.claim(name)
    machine.prepare(name)
    ports.workflow.executions[name] = "ABORTED"
    tell(ports, ports.documents.bucket.delete(A))
    lease = ports.ledger.lease("churn")
    assert lease is not None
    ports.launcher.again(lease)
    assert finish(machine, **DIED) == 0
    assert record(ports, A).leaving
    assert record(ports, "drop/churn/d.csv").tries == 1
