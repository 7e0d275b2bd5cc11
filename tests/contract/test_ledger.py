"""One suite for the Ledger port, run on the tests' ledger and on DynamoDB's: what the tests believe, AWS does."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from chalicelib.adapters.dynamodb import DynamoLedger
from chalicelib.adapters.erasures import DynamoErasures
from chalicelib.domain import ledger as ledgers
from chalicelib.domain.erasure import Erasure
from chalicelib.domain.ledger import (
    CLAIMED,
    DELETED,
    IGNORED,
    PENDING,
    PREPARED,
    SUPERSEDED,
    Counts,
    Head,
    Move,
    ObjectRecord,
    record_of,
)
from chalicelib.domain.model_version import Champion
from chalicelib.domain.run import FAILED, RUNNING, Lease, RunRecord
from chalicelib.errors import LeaseLost, Misconfigured
from chalicelib.ports import Erasures, Ledger
from tests import builders
from tests.fakes import InMemoryErasures, InMemoryLedger

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture(params=["memory", "dynamodb"])
def ledger(request: pytest.FixtureRequest) -> Ledger:
    """The two ledgers; DynamoDB's in a table of its own."""
    if request.param == "memory":
        return InMemoryLedger()
    make: Callable[[str], Any] = request.getfixturevalue("client")
    return a_table(make("dynamodb"), f"ledger-{uuid.uuid4().hex}")


def a_table(client: Any, table: str) -> DynamoLedger:
    """A ledger in a table of its own."""
    client.create_table(
        TableName=table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": "S"} for n in ("pk", "sk")],
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    )
    return DynamoLedger(client, table)


def claimed(ledger: Ledger, record: ObjectRecord, run: str = "churn-0001-x") -> ObjectRecord:
    after = record.becomes(CLAIMED, at=builders.AT, run=run)
    assert ledger.move([Move(record, after)]) != []
    return after


def took(ledger: Ledger) -> Lease:
    lease = ledger.take_lease("churn", NOW)
    assert lease is not None
    return lease


def test_a_project_is_kept_as_it_was_given(ledger: Ledger) -> None:
    spec = builders.a_spec(split={"test": 0.15, "seed": 7}, labels=["ja", "nein äöü"])
    assert ledger.project("churn") is None
    ledger.put_project(spec, builders.AT)
    assert ledger.project("churn") == spec
    assert ledger.projects() == ["churn"]


def test_a_record_is_kept_whole(ledger: Ledger) -> None:
    record = builders.a_record(version_id="v1", key="drop/churn/söme #file.csv")
    assert ledger.record(record) == "recorded"
    assert ledger.objects("churn") == [record]
    assert [one.object_id for one in ledger.waiting("churn")] == [record.id]


def test_the_same_upload_twice_changes_nothing(ledger: Ledger) -> None:
    record = builders.a_record()
    ledger.record(record)
    after = claimed(ledger, record)
    assert ledger.record(record) == "known"
    assert ledger.objects("churn") == [after]
    assert ledger.waiting("churn") == []


def test_a_newer_upload_closes_the_older_one(ledger: Ledger) -> None:
    old, new = builders.a_record(etag="old", sequencer="0A"), builders.a_record(etag="new", sequencer="0B")
    ledger.record(old)
    assert ledger.record(new) == "recorded"
    assert [(r.etag, r.verdict) for r in ledger.objects("churn")] == [("old", SUPERSEDED), ("new", PENDING)]
    assert [one.object_id for one in ledger.waiting("churn")] == [new.id]


def test_sequencers_of_different_length_are_compared_as_numbers(ledger: Ledger) -> None:
    ledger.record(builders.a_record(etag="new", sequencer="100"))
    assert ledger.record(builders.a_record(etag="old", sequencer="FF")) == "older"
    assert {r.etag: r.verdict for r in ledger.objects("churn")} == {"new": PENDING, "old": SUPERSEDED}


def test_a_deletion_closes_the_upload_and_outlives_its_late_event(ledger: Ledger) -> None:
    first = builders.a_record(sequencer="01")
    ledger.record(first)
    assert ledger.delete(builders.an_upload(kind="deleted", sequencer="03", etag=""), "churn") == "deleted"
    assert ledger.record(builders.a_record(sequencer="02", etag="e2")) == "older"
    assert [(r.etag, r.verdict) for r in ledger.objects("churn")] == [("e1", SUPERSEDED), ("e2", DELETED)]
    assert ledger.waiting("churn") == []
    assert ledger.record(builders.a_record(sequencer="04", etag="e4")) == "recorded"


def test_an_event_after_the_sweep_met_its_object_is_the_same_upload(ledger: Ledger) -> None:
    upload = builders.an_upload(sequencer="01", version_id="v1")
    ledger.record(record_of(upload, "churn", verdict=PENDING, reason=None, source="sweep"))
    assert ledger.record(builders.a_record(sequencer="99", version_id="v1")) == "known"
    assert ledger.record(builders.a_record(sequencer="50", version_id="v0")) == "older"
    assert {r.version_id: r.sequencer for r in ledger.objects("churn")} == {"v1": "99", "v0": "50"}


def test_a_move_from_what_was_no_longer_so_is_left_out(ledger: Ledger) -> None:
    one, two = builders.a_record(key="drop/churn/1"), builders.a_record(key="drop/churn/2")
    ledger.record(one)
    ledger.record(two)
    claimed(ledger, one)
    moves = [Move(r, r.becomes(CLAIMED, at=builders.AT, run="churn-0002-y")) for r in (one, two)]
    assert [move.before.key for move in ledger.move(moves)] == ["drop/churn/2"]
    assert [r.run for r in ledger.objects("churn")] == ["churn-0001-x", "churn-0002-y"]


def test_hundreds_of_uploads_are_claimed_and_their_markers_go(ledger: Ledger) -> None:
    records = [builders.a_record(key=f"drop/churn/{i:03d}.csv") for i in range(120)]
    for record in records:
        ledger.record(record)
    lease = took(ledger)
    moves = [Move(r, r.becomes(CLAIMED, at=builders.AT, run=lease.run)) for r in records]
    assert len(ledger.move(moves, fence=lease)) == 120
    assert ledger.waiting("churn") == []


def test_going_back_to_waiting_brings_the_marker_and_the_tries_back(ledger: Ledger) -> None:
    record = builders.a_record()
    ledger.record(record)
    held = claimed(ledger, record)
    ledger.move([Move(held, held.becomes(PENDING, at=builders.AT, reason="job died", run=None, tries=1))])
    (waiting,) = ledger.waiting("churn")
    assert (waiting.tries, waiting.fresh, waiting.parked) == (1, False, False)
    (stored,) = ledger.objects("churn")
    assert [line["to"] for line in stored.history] == [PENDING, CLAIMED, PENDING]


def test_rows_and_verdict_are_kept(ledger: Ledger) -> None:
    record = builders.a_record()
    ledger.record(record)
    held = claimed(ledger, record)
    rows = {"good": 4, "refused": 1, "unlabelled": 0}
    ledger.move([Move(held, held.becomes(PREPARED, at=builders.AT, rows=rows))])
    (stored,) = ledger.objects("churn", record.key)
    assert (stored.verdict, stored.rows) == (PREPARED, rows)
    assert ledger.objects("churn", "drop/churn/other") == []


def test_only_one_holds_the_lease(ledger: Ledger) -> None:
    lease = took(ledger)
    assert ledger.take_lease("churn", NOW) is None
    assert ledger.lease("churn") == lease
    run = ledger.run(lease.run)
    assert run is not None
    assert run.state == RUNNING
    assert ledger.release(lease)
    assert ledger.lease("churn") is None
    assert not ledger.release(lease)


def test_numbers_of_leases_only_count_up(ledger: Ledger) -> None:
    first = took(ledger)
    ledger.release(first)
    second = took(ledger)
    resumed = ledger.resume(second, NOW)
    assert resumed is not None
    ledger.release(resumed)
    assert [first.number, second.number, resumed.number, took(ledger).number] == [1, 2, 3, 4]
    assert (resumed.run, resumed.attempt) == (second.run, 2)


def test_a_run_is_resumed_once(ledger: Ledger) -> None:
    lease = took(ledger)
    assert ledger.resume(lease, NOW) is not None
    assert ledger.resume(lease, NOW) is None
    assert not ledger.release(lease)


def test_a_lease_given_back_leaves_no_run(ledger: Ledger) -> None:
    lease = took(ledger)
    ledger.give_back(lease)
    assert ledger.runs("churn") == []
    assert ledger.lease("churn") is None


def test_who_lost_the_lease_changes_nothing(ledger: Ledger) -> None:
    record = builders.a_record()
    ledger.record(record)
    lease = took(ledger)
    ledger.resume(lease, NOW)
    with pytest.raises(LeaseLost):
        ledger.move([Move(record, record.becomes(CLAIMED, at=builders.AT, run=lease.run))], fence=lease)
    assert ledger.objects("churn") == [record]


def test_runs_come_newest_first_and_whole(ledger: Ledger) -> None:
    first = took(ledger)
    ledger.release(first)
    later = datetime(2026, 11, 2, tzinfo=UTC)
    second = ledger.take_lease("churn", later)
    assert second is not None
    assert [record.run for record in ledger.runs("churn")] == [second.run, first.run]
    ended = RunRecord(
        "churn", first.run, 1, FAILED, builders.AT, builders.AT, "why", "JobFailed", True, {"value": 0.25}
    )
    ledger.put_run(ended)
    assert ledger.run(first.run) == ended
    assert ledger.run("churn-0099-zz") is None


def test_a_champion_is_kept(ledger: Ledger) -> None:
    metrics = {"macro_f1": 0.912345678901, "auc": None}
    champion = Champion("churn", "churn-0001-x", "s3://b/m.tar.gz", "arn", 3, "e", "c", metrics, builders.AT)
    assert ledger.champion("churn") is None
    ledger.put_champion(champion)
    assert ledger.champion("churn") == champion


def test_objects_of_no_project_and_long_keys_are_kept(ledger: Ledger) -> None:
    record = builders.a_record(project="-", verdict=IGNORED, reason="why", key="drop/" + "x" * 1019)
    assert ledger.record(record) == "recorded"
    assert ledger.record(record) == "known"
    assert ledger.objects("-") == [record]


def test_many_at_once_still_give_one_holder_and_one_newest(
    client: Callable[[str], Any], ledger: Ledger
) -> None:
    records = [builders.a_record(etag=f"e{i}", sequencer=f"{i:X}") for i in range(1, 9)]
    gate = threading.Barrier(len(records))
    lock = threading.Lock()  # each method of the tests' ledger is one atomic step; Python's threads are not

    def work(record: ObjectRecord) -> Lease | None:
        gate.wait(10)
        if isinstance(ledger, InMemoryLedger):
            with lock:
                ledger.record(record)
                return ledger.take_lease("churn", NOW)
        ledger.record(record)
        return ledger.take_lease("churn", NOW)

    with ThreadPoolExecutor(len(records)) as pool:
        leases = [lease for lease in pool.map(work, records) if lease]
    assert len(leases) == 1
    assert [r.etag for r in ledger.objects("churn") if r.verdict == PENDING] == ["e8"]
    assert len(ledger.waiting("churn")) == 1


def test_a_missing_table_is_a_misconfiguration(client: Callable[[str], Any]) -> None:
    with pytest.raises(Misconfigured, match="no-such-table"):
        DynamoLedger(client("dynamodb"), "no-such-table").project("churn")


@pytest.mark.parametrize(
    "key",
    [
        "drop/churn/a b+c%20d%.csv",
        "drop/churn/#1##.csv",
        "drop/churn/caf\u00e9.csv",
        "drop/churn/cafe\u0301.csv",
        "drop/churn/\x01\t\x7f\n.csv",
        "drop/churn/\U0001f600.csv",
        "drop/churn/" + "k" * 1013,
        "drop/churn/" + "é" * 506 + "k",
    ],
)
def test_any_key_of_s3_is_kept_and_told_from_its_neighbours(ledger: Ledger, key: str) -> None:
    others = [key[:-1], key[:-1] + "#", key[:-5] + "#v1", "drop/churn/e.csv"]
    for name in (key, *others):
        ledger.record(builders.a_record(key=name, version_id="v1"))
    newer = builders.a_record(key=key, version_id="v" * 1024)
    assert ledger.record(newer) == "recorded"
    assert [r.version_id for r in ledger.objects("churn", key)] == ["v1", "v" * 1024]
    assert len(ledger.objects("churn")) == 6
    assert [one.key for one in ledger.objects("churn") if one.verdict == SUPERSEDED] == [key]
    assert ledger.head("churn", key) == Head(key, newer.sequencer, newer.id)


def test_a_closed_upload_of_a_dataset_waits_until_a_run_leaves_it_out(ledger: Ledger) -> None:
    record = builders.a_record()
    ledger.record(record)
    held = claimed(ledger, record)
    ledger.move([Move(held, held.becomes(PREPARED, at=builders.AT, rows={"good": 1}))])
    assert not ledger.any_waiting("churn", retries=True)
    assert ledger.delete(builders.an_upload(kind="deleted"), "churn") == "deleted"
    assert ledger.any_waiting("churn", retries=False)
    (stored,) = ledger.objects("churn")
    assert (stored.verdict, stored.leaving) == (DELETED, True)
    move = ledgers.claimed(stored, "churn-0002-y", builders.AT)
    assert move is not None
    assert len(ledger.move([move])) == 1
    assert ledger.waiting("churn") == []
    (stored,) = ledger.objects("churn")
    assert (stored.verdict, stored.run, stored.leaving) == (DELETED, "churn-0002-y", False)


def test_the_same_upload_is_taken_back_when_the_bucket_shows_it_again(ledger: Ledger) -> None:
    ledger.record(builders.a_record(sequencer="01", version_id="v1"))
    ledger.record(builders.a_record(sequencer="02", version_id="v2"))
    back = builders.an_upload(sequencer="03", version_id="v1")
    assert ledger.restore(back, "churn", PENDING) == "restored"
    assert ledger.restore(back, "churn", PENDING) == "known"
    assert {r.version_id: r.verdict for r in ledger.objects("churn")} == {"v1": PENDING, "v2": DELETED}
    late = builders.an_upload(kind="deleted", sequencer="02")
    assert ledger.delete(late, "churn") == "known"
    assert ledger.restore(builders.an_upload(sequencer="09", version_id="v9"), "churn", PENDING) == "known"


def test_records_are_paged_and_counted(ledger: Ledger) -> None:
    for number in range(60):
        ledger.record(builders.a_record(key=f"drop/churn/{number:03d}.csv", version_id="v1"))
    ledger.record(builders.a_record(project="other", key="drop/other/1.csv"))
    ledger.delete(builders.an_upload(kind="deleted", key="drop/churn/007.csv"), "churn")
    pages, after = [], ""
    while page := ledger.some_objects("churn", after, 25):
        pages.append(page)
        after = page[-1].id
    assert [len(page) for page in pages] == [25, 25, 10]
    assert [record for page in pages for record in page] == ledger.objects("churn")
    assert ledger.counts("churn") == Counts({PENDING: 59, DELETED: 1})
    assert ledger.counts("churn", most=60).more is None
    assert ledger.counts("nobody") == Counts({})


def test_uploads_can_be_counted_a_part_at_a_time(ledger: Ledger) -> None:
    for number in range(25):
        ledger.record(builders.a_record(key=f"drop/churn/{number:03d}.csv", version_id="v1"))
    ledger.delete(builders.an_upload(kind="deleted", key="drop/churn/007.csv"), "churn")
    parts = [ledger.counts("churn", most=10)]
    while parts[-1].more:
        parts.append(ledger.counts("churn", parts[-1].more, most=10))
    assert [part.verdicts for part in parts] == [{PENDING: 9, DELETED: 1}, {PENDING: 10}, {PENDING: 5}]


def test_any_waiting_looks_past_what_failed(ledger: Ledger) -> None:
    records = [builders.a_record(key=f"drop/churn/{number:02d}.csv") for number in range(40)]
    for record in records:
        ledger.record(record)
    for tries, retried in ((1, True), (3, False)):
        held = [claimed(ledger, one) for one in ledger.objects("churn")]
        ledger.move([Move(one, one.becomes(PENDING, at=builders.AT, tries=tries)) for one in held])
        assert not ledger.any_waiting("churn", retries=False)
        assert ledger.any_waiting("churn", retries=True) is retried
    ledger.record(builders.a_record(key="drop/churn/99.csv"))
    assert ledger.any_waiting("churn", retries=False)


def test_only_the_first_may_tell_of_a_stage(ledger: Ledger) -> None:
    with ThreadPoolExecutor(4) as pool:
        said = list(pool.map(lambda _: ledger.first_to_tell("churn", "churn-0001-x", "gate"), range(8)))
    assert sorted(said) == [False] * 7 + [True]
    assert ledger.first_to_tell("churn", "churn-0001-x", "release")
    assert ledger.first_to_tell("churn", "churn-0002-x", "gate")


@pytest.mark.parametrize("event_first", [True, False])
def test_an_upload_written_anew_takes_its_place(ledger: Ledger, event_first: bool) -> None:
    old = claimed(ledger, recorded(ledger, builders.a_record(version_id="v1", sequencer="05")))
    new = builders.an_upload(version_id="v2", etag="e2", sequencer="09")
    told = record_of(new, "churn", verdict=PENDING, reason=None)
    if event_first:
        assert ledger.record(told) == "recorded"
    assert ledger.rewrite(replace(new, sequencer=old.sequencer), old) == "rewritten"
    if not event_first:
        assert ledger.record(told) == "known"
    for _ in range(2):
        found = {r.version_id: (r.verdict, r.sequencer) for r in ledger.objects("churn")}
        assert found == {"v1": (SUPERSEDED, "05"), "v2": (PENDING, "05")}
        head = ledger.head("churn", new.key)
        assert head is not None
        assert (head.sequencer, head.object_id) == ("05", told.id)
        assert (
            ledger.rewrite(replace(new, sequencer=old.sequencer), old) == "rewritten"
        )  # once more, for a retry


def test_an_upload_written_anew_does_not_come_over_a_newer_one_or_a_deletion(ledger: Ledger) -> None:
    old = recorded(ledger, builders.a_record(version_id="v1", sequencer="05"))
    ledger.record(builders.a_record(version_id="v3", sequencer="08"))
    new = builders.an_upload(version_id="v2", sequencer="05")
    assert ledger.rewrite(new, old) == "older"
    assert {r.version_id: r.verdict for r in ledger.objects("churn")} == {
        "v1": SUPERSEDED,
        "v2": SUPERSEDED,
        "v3": PENDING,
    }
    other = recorded(ledger, builders.a_record(key="drop/churn/b.csv", version_id="v1", sequencer="05"))
    ledger.delete(builders.an_upload(kind="deleted", key="drop/churn/b.csv", sequencer="07"), "churn")
    ledger.rewrite(replace(new, key="drop/churn/b.csv"), other)
    assert {r.verdict for r in ledger.objects("churn", "drop/churn/b.csv")} == {DELETED}


def recorded(ledger: Ledger, record: ObjectRecord) -> ObjectRecord:
    """An upload that was entered."""
    assert ledger.record(record) == "recorded"
    return record


def test_erasures_are_kept_and_wait(ledger: Ledger) -> None:
    kept: Erasures = InMemoryErasures(ledger) if isinstance(ledger, InMemoryLedger) else _beside(ledger)
    asked = Erasure("churn", "e1", ("who", "day"), ("d1", "d2"), dry_run=False, requested_at=builders.AT)
    kept.put(asked)
    assert kept.get("churn", "e1") == asked
    assert kept.get("churn", "e2") is None
    assert ledger.any_waiting("churn", retries=False)
    kept.put(replace(asked, tries=1))
    assert not ledger.any_waiting("churn", retries=False)
    assert ledger.any_waiting("churn", retries=True)
    done = replace(asked, state="done", receipt={"models": [{"run": "r"}], "keys": 2})
    kept.put(done)
    assert kept.all("churn") == [done]
    assert not ledger.any_waiting("churn", retries=True)
    assert kept.secret("churn") == kept.secret("churn")
    assert len(bytes.fromhex(kept.secret("churn"))) == 32


def _beside(ledger: Ledger) -> DynamoErasures:
    """Erasures in the same table."""
    assert isinstance(ledger, DynamoLedger)
    table = ledger._table
    return DynamoErasures(table._client, table.name)


def test_what_is_kept_of_a_champion_changes_only_while_it_is_the_champion(ledger: Ledger) -> None:
    old = Champion("churn", "churn-0001-x", "s3://b/m", "arn", 1, "e", "c", {}, builders.AT)
    new = replace(old, run="churn-0002-x", released_at="2026-11-02T00:00:00+00:00")
    assert not ledger.keep_champion(old)
    ledger.put_champion(old)
    assert ledger.keep_champion(replace(old, variants={"live": 1.0, "churn-0000-x": 1.0}))
    ledger.put_champion(new)
    assert not ledger.keep_champion(replace(old, variants={}))
    assert ledger.champion("churn") == new


def test_what_waits_for_a_person_is_told_from_the_rest(ledger: Ledger) -> None:
    for number, tries in enumerate((0, 1, 3)):
        ledger.record(replace(builders.a_record(key=f"drop/churn/{number}.csv"), tries=tries))
    ledger.record(builders.a_record(key="drop/churn/ignored.csv", verdict=IGNORED))
    assert [one.key for one in ledger.parked("churn")] == ["drop/churn/2.csv"]
    assert [one.key for one in ledger.with_verdict("churn", IGNORED)] == ["drop/churn/ignored.csv"]
    assert len(ledger.with_verdict("churn", PENDING)) == 3


def test_a_burst_that_waits_for_a_person_is_passed_over_in_two_questions(
    client: Callable[[str], Any],
) -> None:
    made, asked = client("dynamodb"), []
    ledger = a_table(made, f"ledger-{uuid.uuid4().hex}")
    for number in range(90):
        ledger.record(replace(builders.a_record(key=f"drop/churn/{number:02d}.csv"), tries=3))
    made.meta.events.register("before-call.dynamodb.Query", lambda **_: asked.append(1))
    assert not ledger.any_waiting("churn", retries=True)
    assert len(asked) == 2
    ledger.record(builders.a_record(key="drop/churn/99.csv"))
    assert ledger.any_waiting("churn", retries=False)
