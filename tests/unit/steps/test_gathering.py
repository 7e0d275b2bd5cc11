"""A burst is waited for before it is claimed; a file by itself is not, and a stream that never ends not for ever."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib import inbound
from chalicelib.domain.gathering import FEW, MOST_SECONDS, wait_seconds
from chalicelib.domain.ledger import PENDING, PREPARED
from chalicelib.steps import claim, ingest
from tests import builders
from tests.fakes import RELEASED, FakePorts, Machine

SCHEMA = json.loads(
    (Path(__file__).parents[3] / "statemachine" / "contracts" / "run.schema.json").read_text()
)
BAD_DATA = {"error": {"state": "Prepare", "Error": "States.TaskFailed", "Cause": "BadUpload: 3 good rows"}}


def drop(ports: FakePorts, first: int, last: int) -> None:
    for number in range(first, last):
        upload = builders.an_upload(
            key=f"drop/churn/{number}.csv", version_id=f"v{number}", sequencer=f"{number + 1:X}"
        )
        ingest.run(ingest.Ingest(upload), ports)


def look(ports: FakePorts, document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "claim": claim.run(inbound.claim(document), ports)}


def running(ports: FakePorts) -> dict[str, Any]:
    (name,) = ports.workflow.running()
    return ports.workflow.inputs[name]


def test_a_few_files_are_claimed_at_once(ports: FakePorts) -> None:
    drop(ports, 0, FEW - 1)
    assert look(ports, running(ports))["claim"]["claimed_now"] == FEW - 1


def test_a_burst_is_claimed_when_a_wait_has_brought_nothing_more(ports: FakePorts) -> None:
    drop(ports, 0, 20)
    document = look(ports, running(ports))
    jsonschema.validate(document["claim"], SCHEMA["$defs"]["gathering"])
    drop(ports, 20, 50)
    document = look(ports, document)
    assert (document["claim"]["waiting"], document["claim"]["waited"]) == (50, 4)
    assert {record.verdict for record in ports.ledger.objects("churn")} == {PENDING}
    assert look(ports, document)["claim"]["claimed_now"] == 50


def test_a_first_run_that_is_refused_at_once_does_not_make_a_third(
    ports: FakePorts, machine: Machine
) -> None:
    drop(ports, 0, 3)
    (first,) = ports.workflow.running()
    machine.claim(first)
    drop(ports, 3, 30)
    machine.report(first, **BAD_DATA)
    document = look(ports, running(ports))
    while document["claim"].get("status") == "gathering":  # the rest of the burst comes while it waits
        known = len(ports.ledger.objects("churn"))
        drop(ports, known, min(known + 40, 100))
        document = look(ports, document)
    (second,) = ports.workflow.running()
    machine.claim(second)
    machine.prepare(second)
    machine.report(second, **RELEASED)
    assert len(ports.workflow.executions) == 2
    records = ports.ledger.objects("churn")
    assert len(records) == 100
    # The first three failed with the first run; they wait for the sweep, or came with the second.
    assert {record.verdict for record in records if record.tries == 0} == {PREPARED}


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(FEW, 30_000), min_size=500, max_size=500))
def test_no_stream_is_waited_for_for_ever(more: list[int]) -> None:
    waiting, before, waited = 0, None, 0
    for come in more:
        before, waiting = waiting or None, waiting + come
        seconds = wait_seconds(waiting, before, waited)
        if not seconds:
            break
        assert seconds <= 20
        waited += seconds
    assert MOST_SECONDS <= waited < MOST_SECONDS + 20


def test_the_wait_grows_with_what_waits() -> None:
    waits = [wait_seconds(waiting, None, 0) for waiting in (1, FEW - 1, FEW, 1_000, 10_000, 100_000)]
    assert waits == sorted(waits)
    assert waits[:2] == [0, 0]
    assert 0 < waits[2] <= 2 < waits[-1]
