"""Erasures: asked for once, a run's first work, every upload in its place, and a receipt without a key."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.erasure import DONE, FAILED, RUNNING, WAITING, digest, keys_of
from chalicelib.domain.ledger import PENDING, PREPARED, SUPERSEDED
from chalicelib.domain.run import RunRecord
from chalicelib.errors import BadRequest, NotFound
from chalicelib.steps import erase, ingest
from tests import builders
from tests.fakes import RELEASED, FakePorts, Machine

A, B = "drop/churn/a.csv", "drop/churn/b.csv"
DIED = {
    "error": {
        "state": "Erase",
        "Error": "States.TaskFailed",
        "Cause": json.dumps({"ErrorMessage": "no disk"}),
    }
}


@pytest.fixture
def churn(ports: FakePorts) -> FakePorts:
    """A project whose rows have keys, with two uploads prepared by one run."""
    ports.ledger.put_project(builders.a_spec(key="age"), builders.AT)
    for key in (A, B):
        ingest.run(ingest.Ingest(builders.an_upload(key=key, version_id=f"{key}-1", etag="e1")), ports)
    machine = Machine(ports)
    while names := ports.workflow.running():
        machine.claim(names[0])
        machine.prepare(names[0])
        machine.report(names[0], **RELEASED)
    return ports


def ask(ports: FakePorts, *keys: Any, dry_run: bool = False) -> dict[str, Any]:
    """Ask for an erasure."""
    return erase.run(erase.Erase("churn", list(keys), dry_run), ports)


def place(ports: FakePorts, asked: dict[str, Any], name: str) -> str:
    """The address of one of its documents."""
    return f"s3://{ports.settings.bucket}/runs/erasures/churn/{asked['erasure']}/{name}"


def job_does(ports: FakePorts, asked: dict[str, Any], *, complete: bool = True, **changes: Any) -> None:
    """What the job leaves."""
    result = {
        "dry_run": False, "zones": {}, "datasets": [], "unsearched": [], "unsearched_count": 0, "rewritten": [],
        "removed": [], "complete": complete, **changes,
    }  # fmt: skip
    ports.documents.write(place(ports, asked, "result.json"), result)


def rewritten(key: str) -> dict[str, Any]:
    """An upload that was put again."""
    return {"key": key, "was": f"{key}-1", "version_id": f"{key}-2", "etag": "e2", "size": 90}


def test_the_keys_are_in_one_document_and_nowhere_else(churn: FakePorts) -> None:
    told = ask(churn, "person-1", 42)
    assert (told["state"], told["keys"]) == (WAITING, 2)
    assert churn.documents.read(place(churn, told, "keys.json")) == {
        "columns": ["age"], "keys": [["person-1"], ["42"]], "dry_run": False,
    }  # fmt: skip
    assert "person-1" not in json.dumps(
        [told, *map(repr, churn.erasures.all("churn")), churn.workflow.inputs]
    )
    assert told["digests"] == [digest("5a" * 32, ["person-1"]), digest("5a" * 32, ["42"])]


def test_the_same_keys_are_the_same_erasure_until_it_is_done(churn: FakePorts) -> None:
    first = ask(churn, "a", "b")
    assert ask(churn, "b", "a", " a ")["erasure"] == first["erasure"]
    assert ask(churn, "a")["erasure"] != first["erasure"]
    assert ask(churn, "a", "b", dry_run=True)["erasure"] != first["erasure"]
    assert len(churn.workflow.running()) == 1


def test_it_is_a_runs_first_work_and_the_run_goes_on(churn: FakePorts) -> None:
    told = ask(churn, "a")
    [name] = churn.workflow.running()
    machine = Machine(churn)
    job = machine.claim(name)["claim"]["erase"]
    assert job["JobName"] == "penstock-test-erase"
    assert job["Arguments"]["--work_prefix"] == f"runs/erasures/churn/{told['erasure']}/"
    assert job["Arguments"]["--capture_prefix"] == "capture/penstock-test-churn/"
    assert erase.show("churn", told["erasure"], churn)["state"] == RUNNING
    job_does(churn, told, rewritten=[rewritten(A)])
    document = machine.claim(name)
    assert "erase" not in document["claim"]
    assert document["claim"]["claimed_now"] == 1
    machine.prepare(name)
    machine.report(name, **RELEASED)
    assert churn.workflow.running() == []
    told = erase.show("churn", told["erasure"], churn)
    assert told["state"] == DONE
    assert told["receipt"]["uploads_rewritten"] == 1
    assert churn.documents.read(place(churn, told, "receipt.json"))["keys"] == 1  # type: ignore[index]


@pytest.mark.parametrize("event_first", [True, False])
def test_a_rewritten_upload_keeps_its_place(churn: FakePorts, event_first: bool) -> None:
    told = ask(churn, "a")
    [name] = churn.workflow.running()
    machine = Machine(churn)
    machine.claim(name)
    old = churn.ledger.objects("churn", A)[0]
    event = ingest.Ingest(builders.an_upload(key=A, version_id=f"{A}-2", etag="e2"))
    if event_first:
        ingest.run(event, churn)
    job_does(churn, told, rewritten=[rewritten(A)])
    document = machine.claim(name)
    if not event_first:
        ingest.run(event, churn)
    by_version = {one.version_id: one for one in churn.ledger.objects("churn", A)}
    assert by_version[f"{A}-1"].verdict == SUPERSEDED
    assert by_version[f"{A}-2"].sequencer == old.sequencer
    written = churn.documents.read(document["claim"]["objects_uri"])
    assert written
    assert [(one["key"], one["version_id"]) for one in written["objects"]] == [(A, f"{A}-2"), (B, f"{B}-1")]
    machine.prepare(name)
    machine.report(name, **RELEASED)
    assert churn.workflow.running() == []
    ingest.run(event, churn)  # told again, late
    assert churn.workflow.running() == []
    newer = builders.an_upload(key=A, version_id="mine", etag="e3")
    assert ingest.run(ingest.Ingest(newer), churn)["outcome"] == "recorded"


def test_an_upload_that_came_over_it_meanwhile_is_the_one_that_counts(churn: FakePorts) -> None:
    told = ask(churn, "a")
    [name] = churn.workflow.running()
    machine = Machine(churn)
    machine.claim(name)
    ingest.run(ingest.Ingest(builders.an_upload(key=A, version_id="mine", etag="e3")), churn)
    job_does(churn, told, rewritten=[rewritten(A)])
    machine.claim(name)
    verdicts = {one.version_id: one.verdict for one in churn.ledger.objects("churn", A)}
    assert verdicts == {f"{A}-1": SUPERSEDED, f"{A}-2": SUPERSEDED, "mine": "claimed"}


def test_nothing_in_use_has_changed(churn: FakePorts) -> None:
    """A look, or a key that nobody has: the run makes no dataset and no model of the same rows."""
    told = ask(churn, "a", dry_run=True)
    [name] = churn.workflow.running()
    machine = Machine(churn)
    machine.claim(name)
    job_does(churn, told, dry_run=True)
    assert machine.claim(name)["error"]["Error"] == "NothingWaiting"
    assert machine.report(name)["outcome"] == "nothing"
    assert erase.show("churn", told["erasure"], churn)["state"] == DONE
    assert churn.workflow.running() == []


def test_it_waits_for_the_run_that_is_going(churn: FakePorts) -> None:
    churn.launcher.now("churn")
    [name] = churn.workflow.running()
    machine = Machine(churn)
    assert "erase" not in machine.claim(name)["claim"]
    told = ask(churn, "a")
    assert told["run"] is None
    machine.prepare(name)
    following = machine.report(name, **RELEASED)["next"]
    [name] = churn.workflow.running()
    assert name == f"{following}-1"
    assert "erase" in machine.claim(name)["claim"]
    assert erase.show("churn", told["erasure"], churn)["run"] == following


def test_a_job_that_dies_is_started_again_three_times_then_by_a_person(churn: FakePorts) -> None:
    told = ask(churn, "a")
    machine = Machine(churn)
    for _ in range(3):
        [name] = churn.workflow.running()
        machine.claim(name)
        job_does(churn, told, complete=False)  # what it worked with is still there
        machine.report(name, **DIED)
        assert churn.workflow.running() == []
        churn.launcher.when_waiting("churn", retries=True)  # as the sweep does
    assert churn.workflow.running() == []
    assert erase.show("churn", told["erasure"], churn)["state"] == FAILED
    again = ask(churn, "a")
    assert again["erasure"] == told["erasure"]
    assert len(churn.workflow.running()) == 1


def test_a_job_that_dies_parks_no_upload_that_has_nothing_to_do_with_it(churn: FakePorts) -> None:
    ask(churn, "a")
    ingest.run(ingest.Ingest(builders.an_upload(key="drop/churn/new.csv", version_id="n1")), churn)
    ingest.run(ingest.Ingest(builders.an_upload(kind="deleted", key=B)), churn)
    machine = Machine(churn)
    for _ in range(3):
        [name] = churn.workflow.running()
        machine.claim(name)
        assert machine.report(name, **DIED)["next"] is None
        churn.launcher.when_waiting("churn", retries=True)
    [name] = churn.workflow.running()  # the erasure waits for a person, the upload does not
    assert [one.fresh for one in churn.ledger.waiting("churn") if "erasure#" not in one.object_id] == [
        True
    ] * 2
    assert "erase" not in machine.claim(name)["claim"]
    machine.prepare(name)
    machine.report(name, **RELEASED)
    records = {one.key: (one.verdict, one.tries, one.leaving) for one in churn.ledger.objects("churn")}
    assert records["drop/churn/new.csv"] == (PREPARED, 0, False)
    assert records[B] == ("deleted", 0, False)


def test_models_that_have_seen_it_are_named(churn: FakePorts) -> None:
    summary = {"dataset_version": 71, "model_package_arn": "arn:one"}
    churn.ledger.put_run(RunRecord("churn", "churn-0001-x", 1, "SUCCEEDED", builders.AT, summary=summary))
    others = {"dataset_version": 72, "model_package_arn": "arn:two"}
    churn.ledger.put_run(RunRecord("churn", "churn-0002-x", 1, "SUCCEEDED", builders.AT, summary=others))
    told = ask(churn, "a")
    [name] = churn.workflow.running()
    Machine(churn).claim(name)
    job_does(churn, told, datasets=[{"version": 71, "run": "churn-0001-x", "rows": {"train": 2, "test": 1}}])
    Machine(churn).claim(name)
    [model] = erase.show("churn", told["erasure"], churn)["receipt"]["models"]
    assert (model["model_package_arn"], model["learnt_from_rows"], model["judged_by_rows"]) == (
        "arn:one",
        2,
        1,
    )


def test_a_project_without_a_key_says_what_to_do(ports: FakePorts) -> None:
    ports.ledger.put_project(builders.a_spec(), builders.AT)
    with pytest.raises(BadRequest, match="Name the columns in key") as caught:
        ask(ports, "a")
    assert caught.value.status == 422
    with pytest.raises(NotFound):
        erase.run(erase.Erase("nobody", ["a"]), ports)
    with pytest.raises(NotFound):
        erase.show("churn", "none", ports)


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("", "is empty"), ("  ", "is empty"), (True, "neither text nor"), (1.5, "neither text nor"), (None, "neither"),
        (["a", "b"], "has 2 parts"), ([], "has 0 parts"), ("x" * 1025, "longer than 1,024 bytes"),
        ("ü" * 513, "longer than"), ("a\x1fb", "control character"), ({"a": 1}, "neither text nor"),
    ],
)  # fmt: skip
def test_keys_that_cannot_be_meant(key: Any, problem: str) -> None:
    _, faults = keys_of(["fine", key], ["who"])
    assert [fault["where"] for fault in faults] == ["keys.1"]
    assert problem in faults[0]["problem"]


def test_hostile_keys_are_keys() -> None:
    hostile = ["a/b", 'a"b', "a'b", "ü\u202e", "x" * 1024, "%2F", "-- drop", "[1]"]
    assert keys_of(hostile, ["who"]) == ([[key] for key in hostile], [])
    assert keys_of([["a,b", 7]], ["who", "day"]) == ([["a,b", "7"]], [])
    assert keys_of([], ["who"])[1]
    assert keys_of(["a"] * 1001, ["who"])[1]
    assert keys_of("a", ["who"])[1]


def test_an_erasure_waits_among_the_uploads(churn: FakePorts) -> None:
    told = ask(churn, "a")
    assert churn.ledger.any_waiting("churn", retries=False)
    kept = churn.erasures.all("churn")[0]
    churn.erasures.put(replace(kept, state=DONE))
    assert not churn.ledger.any_waiting("churn", retries=True)
    assert erase.listed("churn", churn)["erasures"][0]["erasure"] == told["erasure"]
    assert {one.verdict for one in churn.ledger.objects("churn")} == {PREPARED}
    assert PENDING not in {one.verdict for one in churn.ledger.objects("churn")}
