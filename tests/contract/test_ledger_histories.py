"""The histories of tests/unit/steps on both ledgers: what holds in memory holds in DynamoDB's transactions."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.test_ledger import a_table
from tests.fakes import FakePorts
from tests.unit.steps.histories import WITH_REMOVALS, World


@pytest.mark.parametrize("sweeps", [False, True])
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=WITH_REMOVALS, seed=st.integers(0, 2**32))
def test_both_ledgers_judge_a_history_alike(
    client: Callable[[str], Any], sweeps: bool, history: list[tuple[str, int]], seed: int
) -> None:
    """Shuffled, every third event twice, every fourth lost, swept or not, with runs in between."""
    memory = World.after(history)
    dynamo = World.after(
        history,
        FakePorts(ledger=a_table(client("dynamodb"), f"history-{uuid.uuid4().hex}")),  # type: ignore[arg-type]
    )
    for world in (memory, dynamo):
        order = list(enumerate(world.events))
        Random(seed).shuffle(order)
        for place, event in order:
            if not (sweeps and place % 4 == 3):
                world.deliver(event)
            if place % 3 == 2:
                world.deliver(event)
                world.runs()
        if sweeps:
            world.sweep()
        world.runs()
    assert dynamo.verdicts() == memory.verdicts()
    mine, theirs = memory.ports.ledger, dynamo.ports.ledger
    assert [r.id for r in theirs.objects("churn")] == [r.id for r in mine.objects("churn")]
    assert theirs.counts("churn") == mine.counts("churn")
    assert theirs.waiting("churn") == mine.waiting("churn")
    for key in memory.ports.documents.bucket.keys:
        assert theirs.head("churn", key) == mine.head("churn", key)
        assert theirs.objects("churn", key) == mine.objects("churn", key)
