"""Gate, Register and Release: a model's way to its endpoint, and every way back."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.model_version import Champion
from chalicelib.errors import JobFailed, PipelineError, ProbeFailed, ReleaseRolledBack
from chalicelib.steps import gate, ingest, register, release
from tests import builders
from tests.fakes import RELEASED, TROUBLE, FakePorts, Machine

ENDPOINT = "penstock-test-churn"
PROBE = {
    "content_type": "application/json",
    "body": {"instances": [{"age": 3}]},
    "predictions": [{"prediction": "yes", "score": 0.9}],
}


@pytest.fixture
def document(ports: FakePorts, machine: Machine) -> dict[str, Any]:
    """A run document after Evaluate."""
    return evaluated(ports, machine)


def evaluated(ports: FakePorts, machine: Machine, key: str = "drop/churn/rows.csv") -> dict[str, Any]:
    ingest.run(ingest.Ingest(builders.an_upload(key=key)), ports)
    (name,) = ports.workflow.running()
    document = machine.claim(name)
    claim = document["claim"]
    ports.documents.write(claim["scorecard_uri"], builders.a_scorecard())
    ports.documents.write(claim["probe_uri"], PROBE)
    document["train"] = {
        "job": claim["train"]["TrainingJobName"],
        "artifact": claim["artifact_uri"],
        "seconds": 1,
    }
    document["evaluate"] = {
        "job": "e",
        "scorecard_uri": claim["scorecard_uri"],
        "report_uri": claim["report_uri"],
    }
    return document


def registered(ports: FakePorts, document: dict[str, Any]) -> dict[str, Any]:
    gated = {**document, "gate": gate.run(gate.Gate(document), ports)}
    return {**gated, "register": register.run(register.Register(gated), ports)}


def step(ports: FakePorts, document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "release": release.run(release.Release(document), ports)}


def released(ports: FakePorts, document: dict[str, Any]) -> dict[str, Any]:
    begun = step(ports, registered(ports, document))
    ports.endpoints.settle(ENDPOINT)
    return step(ports, begun)


def second(ports: FakePorts, machine: Machine, first: dict[str, Any]) -> dict[str, Any]:
    """A second run, up to Register, with the first one's model released."""
    done = released(ports, first)
    machine.report(ports.workflow.running()[0], **RELEASED)
    document = evaluated(ports, machine, "drop/churn/more.csv")
    champion = {"metrics": {"macro_f1": 0.8}}
    ports.documents.write(document["claim"]["scorecard_uri"], builders.a_scorecard(champion=champion))
    assert done["release"]["status"] == "released"
    return registered(ports, document)


def test_a_good_model_passes_with_numbers(ports: FakePorts, document: dict[str, Any]) -> None:
    answer = gate.run(gate.Gate(document), ports)
    assert answer["passed"]
    assert answer["reason"] == "macro_f1 0.9 beats the baseline (majority class, 0.4)"


def test_a_scorecard_that_was_not_written_is_a_failure(ports: FakePorts, document: dict[str, Any]) -> None:
    del ports.documents.texts[document["claim"]["scorecard_uri"]]
    with pytest.raises(JobFailed, match="Evaluate ended without writing it"):
        gate.run(gate.Gate(document), ports)


def test_registering_twice_makes_one_version(ports: FakePorts, document: dict[str, Any]) -> None:
    first = registered(ports, document)["register"]
    assert first == registered(ports, document)["register"]
    assert (len(ports.registry.packages), first["approved"], first["version"]) == (1, True, 1)


def test_another_attempts_model_replaces_the_one_never_released(
    ports: FakePorts, document: dict[str, Any]
) -> None:
    registered(ports, document)
    later = {
        **document,
        "attempt": 2,
        "train": {**document["train"], "artifact": "s3://b/second/model.tar.gz"},
    }
    answer = registered(ports, later)["register"]
    assert (len(ports.registry.packages), answer["artifact"]) == (1, "s3://b/second/model.tar.gz")


def test_a_released_version_is_never_replaced(ports: FakePorts, document: dict[str, Any]) -> None:
    first = released(ports, document)["register"]
    later = {
        **document,
        "attempt": 2,
        "train": {**document["train"], "artifact": "s3://b/second/model.tar.gz"},
    }
    assert registered(ports, later)["register"] == first


def test_a_version_waits_for_a_person_when_the_project_says_so(ports: FakePorts, machine: Machine) -> None:
    ports.ledger.put_project(builders.a_spec(release={"approval": "manual"}), builders.AT)
    waiting = registered(ports, evaluated(ports, machine))
    assert waiting["register"]["approved"] is False
    assert step(ports, waiting)["release"]["status"] == "awaiting approval"
    assert ports.endpoints.actual == {}


def test_a_first_release_creates_probes_and_crowns(ports: FakePorts, document: dict[str, Any]) -> None:
    begun = step(ports, registered(ports, document))
    assert (begun["release"]["status"], begun["release"]["wait_seconds"]) == ("updating", 1)
    assert step(ports, begun)["release"]["status"] == "updating"
    ports.endpoints.settle(ENDPOINT)
    assert step(ports, begun)["release"]["status"] == "released"
    champion = ports.ledger.champion("churn")
    assert champion is not None
    assert (champion.run, champion.metrics["macro_f1"]) == (document["run"], 0.9)


def test_a_second_release_updates_and_remembers_the_way_back(
    ports: FakePorts, machine: Machine, document: dict[str, Any]
) -> None:
    begun = step(ports, second(ports, machine, document))
    assert begun["release"]["previous"] == f"penstock-test-{document['run']}"
    ports.endpoints.settle(ENDPOINT)
    assert step(ports, begun)["release"]["status"] == "released"


def test_the_model_before_goes_on_as_a_shadow_where_the_spec_says_so(
    ports: FakePorts, machine: Machine
) -> None:
    spec = builders.a_spec(release={"shadow": {"sample": 0.2}})
    ports.ledger.put_project(spec, builders.AT)
    first = evaluated(ports, machine)
    begun = step(ports, second(ports, machine, first))
    config = begun["release"]["requested"]
    live, shadow = ports.endpoints.served[config]
    assert (live.model, live.shadow) == (config, False)
    assert (shadow.model, shadow.container, shadow.weight) == (f"penstock-test-{first['run']}", None, 0.2)
    assert len(ports.endpoints.served[shadow.model]) == 1  # before the first release there was none
    ports.endpoints.settle(ENDPOINT)
    for _ in range(2):  # the answer may be lost on its way to the machine
        assert step(ports, begun)["release"]["status"] == "released"
        champion = ports.ledger.champion("churn")
        assert champion is not None
        assert champion.shadow == champion.released_shadow == first["run"]


def test_a_silent_roll_back_is_noticed(ports: FakePorts, machine: Machine, document: dict[str, Any]) -> None:
    begun = step(ports, second(ports, machine, document))
    ports.endpoints.roll_back(ENDPOINT, "the container did not pass its ping")
    with pytest.raises(ReleaseRolledBack, match="did not pass its ping"):
        step(ports, begun)
    champion = ports.ledger.champion("churn")
    assert champion is not None
    assert champion.run == document["run"]


def test_a_first_endpoint_that_fails_is_taken_away(ports: FakePorts, document: dict[str, Any]) -> None:
    begun = step(ports, registered(ports, document))
    ports.endpoints.roll_back(ENDPOINT, "no such image")
    with pytest.raises(ReleaseRolledBack, match="no such image"):
        step(ports, begun)
    assert ports.endpoints.actual == {}


def test_a_failed_endpoint_in_the_way_is_replaced(ports: FakePorts, document: dict[str, Any]) -> None:
    ready = registered(ports, document)
    ports.endpoints.create(ENDPOINT, "old", [])
    ports.endpoints.roll_back(ENDPOINT)
    cleared = step(ports, ready)
    assert ports.endpoints.actual == {}
    assert step(ports, cleared)["release"]["requested"] == f"penstock-test-{document['run']}"


@pytest.mark.parametrize(
    "answer",
    [
        {"predictions": [{"prediction": "no", "score": 0.9}]},
        {"predictions": [{"prediction": "yes", "score": 0.900002}]},
        {"predictions": []},
        {"error": "?"},
        "nonsense",
    ],
)
def test_a_first_endpoint_that_answers_otherwise_is_deleted(
    ports: FakePorts, document: dict[str, Any], answer: Any
) -> None:
    ports.predictor.answer = answer
    with pytest.raises(ProbeFailed):
        released(ports, document)
    assert ports.endpoints.actual == {}
    assert ports.ledger.champion("churn") is None


def test_a_second_one_that_answers_otherwise_goes_back(
    ports: FakePorts, machine: Machine, document: dict[str, Any]
) -> None:
    begun = step(ports, second(ports, machine, document))
    ports.endpoints.settle(ENDPOINT)
    ports.predictor.answer = {"predictions": [{"prediction": "no", "score": 0.9}]}
    with pytest.raises(ProbeFailed, match="evaluated 'yes', answered 'no'"):
        step(ports, {**begun, "release": {**begun["release"], "previous": None}})  # even if the note was lost
    ports.endpoints.settle(ENDPOINT)
    assert ports.endpoints.actual[ENDPOINT].config == f"penstock-test-{document['run']}"


def test_a_probe_that_could_not_be_asked_is_tried_again(ports: FakePorts, document: dict[str, Any]) -> None:
    ports.predictor.trouble = TROUBLE
    with pytest.raises(PipelineError, match="away") as caught:
        released(ports, document)
    assert caught.value.retryable
    assert ENDPOINT in ports.endpoints.actual


def test_the_champion_is_compared_on_the_same_rows(
    ports: FakePorts, machine: Machine, document: dict[str, Any]
) -> None:
    later = second(ports, machine, document)
    assert "beats the released model (0.8 on the same rows)" in later["gate"]["reason"]
    assert isinstance(ports.ledger.champion("churn"), Champion)
