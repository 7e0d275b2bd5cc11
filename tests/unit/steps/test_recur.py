"""Schedules: what a spec asks for is made, changed and removed with it, and starts runs when it comes round."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.errors import BadRequest
from chalicelib.steps import define, ingest, recur
from tests import builders
from tests.fakes import RELEASED, TROUBLE, FakePorts, Machine

DAILY = {"schedule": "rate(1 day)"}


def put(ports: FakePorts, **changes: Any) -> None:
    define.run(define.Define("churn", builders.a_spec(**changes)), ports)


def test_schedules_come_change_and_go_with_the_spec(ports: FakePorts) -> None:
    put(ports, retrain=DAILY, schedule={"prepare": "cron(0 2 * * ? *)"})
    assert ports.schedules.entries == {
        ("churn", "retrain"): "rate(1 day)",
        ("churn", "prepare"): "cron(0 2 * * ? *)",
    }
    put(ports, retrain={"schedule": "rate(2 hours)"})
    assert ports.schedules.entries == {("churn", "retrain"): "rate(2 hours)"}
    put(ports)
    assert ports.schedules.entries == {}


def test_a_spec_whose_schedule_cannot_be_made_is_not_kept(ports: FakePorts) -> None:
    put(ports)
    ports.schedules.trouble = TROUBLE
    with pytest.raises(type(TROUBLE)):
        put(ports, retrain=DAILY)
    assert "retrain" not in (ports.ledger.project("churn") or {})


def test_of_a_refused_spec_no_schedule_stays(ports: FakePorts) -> None:
    put(ports, schedule={"prepare": "rate(5 hours)"})
    ports.schedules.unreadable = "rate(9 days)"
    with pytest.raises(BadRequest):
        put(ports, schedule={"prepare": "rate(1 hour)"}, retrain={"schedule": "rate(9 days)"})
    assert ports.schedules.entries == {("churn", "prepare"): "rate(5 hours)"}


@pytest.mark.parametrize("words", ["daily", "rate(0 days)", "rate(1 week)", "cron(0 2 * *)", "rate(1 day) "])
def test_what_is_no_schedule_is_refused_where_it_stands(ports: FakePorts, words: str) -> None:
    with pytest.raises(BadRequest) as caught:
        put(ports, retrain={"schedule": words})
    assert [fault["where"] for fault in caught.value.faults] == ["retrain.schedule"]


def test_retraining_runs_over_what_there_is(ports: FakePorts, machine: Machine) -> None:
    put(ports, retrain=DAILY)
    ingest.run(ingest.Ingest(builders.an_upload()), ports)
    (first,) = ports.workflow.running()
    machine.claim(first)
    machine.prepare(first)
    busy = recur.run(recur.Recur("churn", "retrain"), ports)
    assert busy["run"] is None
    assert first.rpartition("-")[0] in busy["why"]
    machine.report(first, **RELEASED)
    started = recur.run(recur.Recur("churn", "retrain"), ports)["run"]
    document = machine.claim(f"{started}-1")
    assert (document["claim"]["objects"], document["claim"]["claimed_now"]) == (1, 0)


def test_preparing_by_the_clock_runs_only_when_something_waits(ports: FakePorts, machine: Machine) -> None:
    put(ports, schedule={"prepare": "rate(1 day)"})
    asked = recur.Recur("churn", "prepare")
    assert recur.run(asked, ports)["run"] is None
    ports.ledger.record(builders.a_record())
    assert recur.run(asked, ports)["run"] is not None


def test_a_schedule_the_spec_no_longer_has_starts_nothing(ports: FakePorts) -> None:
    put(ports)
    ports.ledger.record(builders.a_record())
    for project, kind in (("churn", "retrain"), ("gone", "retrain")):
        assert "no longer" in recur.run(recur.Recur(project, kind), ports)["why"]
    assert ports.workflow.running() == []
