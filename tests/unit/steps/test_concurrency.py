"""Functions that run at once: whatever happens between two calls of the ledger, nothing is lost or doubled."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.domain.ledger import PREPARED, SUPERSEDED
from chalicelib.errors import LeaseLost
from chalicelib.steps import claim, ingest
from tests import builders
from tests.fakes import RELEASED, FakePorts, InMemoryLedger, Machine
from tests.unit.steps.turns import Actor, TurningLedger


class Stage:
    """Ingests and executions as actors; an execution becomes one when it is started."""

    def __init__(self) -> None:
        self.ledger = InMemoryLedger()
        self.ledger.put_project(builders.a_spec(), builders.AT)
        self.ports = FakePorts(ledger=TurningLedger(self.ledger))  # type: ignore[arg-type]
        self.machine = Machine(self.ports)
        self.actors: list[Actor] = []
        self.executions: set[str] = set()

    def deliver(self, key: str, sequencer: int) -> Actor:
        upload = builders.an_upload(
            key=f"drop/churn/{key}.csv", sequencer=f"{sequencer:X}", etag=f"e{sequencer}"
        )
        self.actors.append(Actor(partial(ingest.run, ingest.Ingest(upload), self.ports)))
        return self.actors[-1]

    def finish(self) -> None:
        """Let the one running execution come to its end."""
        (name,) = self.ports.workflow.running()
        self.executions.add(name)
        self._execute(name)

    def turn(self, choice: int) -> bool:
        """One turn of one actor; False when all are done."""
        for name in set(self.ports.workflow.executions) - self.executions:
            self.executions.add(name)
            self.actors.append(Actor(partial(self._execute, name)))
        going = [actor for actor in self.actors if not actor.done]
        if going:
            going[choice % len(going)].step()
        return bool(going)

    def _execute(self, name: str) -> None:
        document = self.machine.claim(name)
        assert "error" not in document, document["error"]
        self.machine.prepare(name)
        self.machine.report(name, **RELEASED)


choices = st.lists(st.integers(0, 11), max_size=150)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.integers(0, 3), min_size=1, max_size=8), choices)
def test_every_newest_upload_is_used_once_and_no_claim_is_lost(keys: list[int], order: list[int]) -> None:
    stage = Stage()
    for number, key in enumerate(keys):
        stage.deliver(str(key), number + 1)
    for choice in order:
        stage.turn(choice)
    while stage.turn(0):
        pass
    records = stage.ledger.objects("churn")
    assert len(records) == len(keys)
    newest = {
        f"drop/churn/{key}.csv": f"e{max(n + 1 for n, k in enumerate(keys) if k == key)}" for key in keys
    }
    assert all(r.verdict == (PREPARED if newest[r.key] == r.etag else SUPERSEDED) for r in records)
    assert stage.ledger.waiting("churn") == []
    assert stage.ledger.lease("churn") is None


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(choices)
def test_one_event_delivered_many_times_at_once_is_one_run(order: list[int]) -> None:
    stage = Stage()
    for _ in range(6):
        stage.deliver("same", 1)
    for choice in order:
        stage.turn(choice)
    while stage.turn(0):
        pass
    assert len(stage.executions) == 1
    assert [record.verdict for record in stage.ledger.objects("churn")] == [PREPARED]


def test_a_wake_up_that_comes_too_late_starts_no_idle_run() -> None:
    stage = Stage()
    late = stage.deliver("a", 1)  # it sees the upload wait and nobody hold the project, and is held up
    late.until("take_lease")
    stage.deliver("a", 1).finish()  # the same event again
    stage.finish()
    late.finish()
    assert len(stage.ports.workflow.executions) == 1
    assert stage.ledger.lease("churn") is None
    assert len(stage.ledger.runs("churn")) == 1


def test_an_upload_that_met_that_wake_ups_lease_is_run_by_it() -> None:
    stage = Stage()
    late = stage.deliver("a", 1)
    late.until("take_lease")
    stage.deliver("a", 1).finish()
    stage.finish()
    late.until("give_back")
    stage.deliver("b", 2).finish()  # finds the lease taken, and leaves
    late.finish()
    stage.finish()
    assert {record.verdict for record in stage.ledger.objects("churn")} == {PREPARED}


def test_a_claim_that_was_given_up_while_it_ran_takes_nothing() -> None:
    stage = Stage()
    stage.deliver("a", 1).finish()
    lease = stage.ledger.lease("churn")
    assert lease is not None
    slow = Actor(partial(claim.run, claim.Claim(lease.project, lease.run, lease.attempt), stage.ports))
    slow.until("move")
    assert stage.ledger.resume(lease, stage.ports.clock.now()) is not None
    with pytest.raises(LeaseLost):
        slow.finish()
    assert len(stage.ledger.waiting("churn")) == 1
