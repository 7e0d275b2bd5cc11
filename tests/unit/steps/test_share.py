"""Share: which models answer a project, by what weights, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.endpoint import Actual
from chalicelib.domain.model_version import APPROVED, PENDING_APPROVAL, Champion, ModelVersion
from chalicelib.errors import BadRequest, Conflict, NotReady
from chalicelib.steps import look, variants
from tests import builders
from tests.fakes import FakeEndpoints, FakePorts

RUN, OTHER, LATE = "churn-0002-b", "churn-0001-a", "churn-0003-c"


@pytest.fixture
def churn(ports: FakePorts) -> FakePorts:
    """A project with a champion in service, another approved model, and one that waits for approval."""
    champion = Champion(
        "churn", RUN, "s3://b/2", "arn2", 2, "penstock-test-churn", "config-2", {}, builders.AT
    )
    ports.ledger.put_champion(champion)
    ports.endpoints.create("penstock-test-churn", "config-2", [])
    ports.endpoints.settle("penstock-test-churn")
    for number, (run, approval) in enumerate([(OTHER, APPROVED), (LATE, PENDING_APPROVAL)]):
        ports.registry.packages[run] = ModelVersion(run, number, run, f"s3://b/{run}", approval)
    return ports


def put(ports: FakePorts, wanted: Any) -> dict[str, Any]:
    """As the API asks for it, through function share."""
    return variants.put("churn", wanted, ports)


def test_two_models_get_a_configuration_of_their_own(churn: FakePorts) -> None:
    told = put(churn, {"variants": {RUN: 0.9, OTHER: 0.1}})
    served = {one.variant: one for one in churn.endpoints.served[told["config"]]}
    assert {name: one.weight for name, one in served.items()} == {"live": 0.9, OTHER: 0.1}
    assert (served["live"].model, served["live"].container) == ("config-2", None)
    assert served[OTHER].container is not None
    champion = churn.ledger.champion("churn")
    assert champion is not None
    assert (champion.model_of("live"), champion.model_of(OTHER), champion.config) == (RUN, OTHER, "config-2")


def test_asked_for_twice_is_asked_for_once_and_nothing_goes_back(churn: FakePorts) -> None:
    first = put(churn, {"variants": {RUN: 1, OTHER: 1}})
    with pytest.raises(Conflict, match="Updating"):
        put(churn, {"variants": {RUN: 1, OTHER: 1}})
    churn.endpoints.settle("penstock-test-churn")
    assert put(churn, {"variants": {RUN: 1, OTHER: 1}})["config"] == first["config"]
    assert put(churn, {})["config"] == "config-2"
    champion = churn.ledger.champion("churn")
    assert champion is not None
    assert champion.variants == {}


def test_other_weights_of_the_same_models_move_no_endpoint(churn: FakePorts) -> None:
    """No new configuration and no new instances: SageMaker changes the shares in place. Callers are pinned by them."""
    first = put(churn, {"variants": {RUN: 0.9, OTHER: 0.1}})["config"]
    churn.endpoints.settle("penstock-test-churn")
    assert put(churn, {"variants": {RUN: 0.4, OTHER: 0.6}})["config"] == first
    actual = churn.endpoints.describe("penstock-test-churn")
    assert actual is not None
    assert (actual.status, actual.config, actual.weights) == ("InService", first, {"live": 0.4, OTHER: 0.6})
    assert churn.champions.of("churn").variants == {"live": 0.4, OTHER: 0.6}
    assert put(churn, {"shadow": {"model": OTHER}})["config"] != first


def test_after_an_update_that_was_rolled_back_the_endpoint_is_moved_again(churn: FakePorts) -> None:
    """The ledger says two models; SageMaker went back to one."""
    wanted = {"variants": {RUN: 0.9, OTHER: 0.1}}
    first = put(churn, wanted)["config"]
    churn.endpoints.roll_back("penstock-test-churn")
    assert put(churn, wanted)["config"] == first
    churn.endpoints.settle("penstock-test-churn")
    actual = churn.endpoints.describe("penstock-test-churn")
    assert actual is not None
    assert actual.config == first


def test_requests_go_on_being_captured_while_models_share_them(churn: FakePorts) -> None:
    """Without their answers there would be nothing to compare."""
    churn.ledger.put_project(builders.a_spec(watch={"capture_percent": 40}), builders.AT)
    for wanted in ({"variants": {RUN: 1, OTHER: 1}}, {"shadow": {"model": OTHER}}):
        told = put(churn, wanted)
        assert churn.endpoints.configs[told["config"]]["capture"] == 40
        churn.endpoints.settle("penstock-test-churn")


def test_an_answer_of_another_model_alone_bears_its_name(churn: FakePorts) -> None:
    put(churn, {"variants": {OTHER: 1}})
    champion = churn.champions.of("churn")
    assert (champion.variants, champion.model_of(OTHER), champion.run) == ({OTHER: 1.0}, OTHER, RUN)


def test_a_shadow_gets_a_share_of_the_requests(churn: FakePorts) -> None:
    told = put(churn, {"shadow": {"model": OTHER, "sample": 0.25}})
    live, shadow = churn.endpoints.served[told["config"]]
    assert (live.weight, shadow.weight, shadow.shadow) == (1.0, 0.25, True)


def test_a_champion_released_with_a_shadow_can_answer_alone(churn: FakePorts) -> None:
    """Its own configuration has the shadow in it; so there is another one without."""
    champion = churn.ledger.champion("churn")
    assert champion is not None
    churn.ledger.put_champion(replace(champion, shadow=OTHER, released_shadow=OTHER))
    config = put(churn, {})["config"]
    assert config != "config-2"
    (live,) = churn.endpoints.served[config]
    assert (live.variant, live.model, live.shadow) == ("live", "config-2", False)
    assert churn.champions.of("churn").shadow is None


def test_an_endpoint_is_taken_away_and_brought_back(churn: FakePorts) -> None:
    assert variants.remove("churn", churn)["removed"]
    assert churn.endpoints.describe("penstock-test-churn") is None
    put(churn, {})
    actual = churn.endpoints.describe("penstock-test-churn")
    assert actual is not None
    assert actual.config == "config-2"


@pytest.mark.parametrize(
    ("wanted", "where"),
    [
        (5, ""),
        ({"weights": {}}, "weights"),
        ({"variants": []}, "variants"),
        ({"variants": {RUN: -1}}, f"variants.{RUN}"),
        ({"variants": {RUN: True}}, f"variants.{RUN}"),
        ({"variants": {RUN: 0}}, "variants"),
        ({"variants": {f"r{number}": 1 for number in range(11)}}, "variants"),
        ({"variants": {"nobody": 1}}, "variants.nobody"),
        ({"variants": {LATE: 1}}, f"variants.{LATE}"),
        ({"shadow": OTHER}, "shadow"),
        ({"shadow": {"model": OTHER, "sample": 2}}, "shadow.sample"),
        ({"shadow": {"model": OTHER}, "variants": {RUN: 1, OTHER: 1}}, "shadow"),
    ],
)
def test_what_cannot_be_is_refused_by_its_path(churn: FakePorts, wanted: Any, where: str) -> None:
    with pytest.raises(BadRequest) as caught:
        put(churn, wanted)
    assert caught.value.status == 422
    assert caught.value.faults[0]["where"] == where


def test_before_the_first_release_there_is_nothing_to_share(ports: FakePorts) -> None:
    with pytest.raises(NotReady):
        put(ports, {})


def releasing(ports: FakePorts) -> None:
    """A release has moved the endpoint to its own model and has not entered it yet."""
    ports.endpoints.update("penstock-test-churn", "config-3")
    ports.endpoints.settle("penstock-test-churn")


def test_a_release_that_is_going_on_is_let_finish(churn: FakePorts) -> None:
    assert churn.ledger.take_lease("churn", churn.clock.now()) is not None
    releasing(churn)
    for ask in (lambda: put(churn, {}), lambda: variants.remove("churn", churn)):
        with pytest.raises(Conflict, match="a release is going on"):
            ask()
    actual = churn.endpoints.describe("penstock-test-churn")
    assert actual is not None
    assert (actual.status, actual.config) == ("InService", "config-3")


def test_an_endpoint_that_somebody_moved_by_hand_is_brought_back(churn: FakePorts) -> None:
    releasing(churn)  # but no run has the project
    assert put(churn, {})["config"] == "config-2"


def test_a_model_released_meanwhile_stays_the_champion(churn: FakePorts) -> None:
    """Between what Share has read and what it writes."""
    old = churn.ledger.champion("churn")
    assert old is not None
    new = replace(old, run=LATE, config="config-3", released_at="2026-11-02T00:00:00+00:00")

    class Quick(FakeEndpoints):
        def update(self, name: str, config: str) -> None:
            super().update(name, config)
            churn.ledger.put_champion(new)

    quick = Quick()
    quick.__dict__ |= churn.endpoints.__dict__
    churn.endpoints = quick
    with pytest.raises(Conflict, match="another model has been released"):
        put(churn, {"variants": {RUN: 1, OTHER: 1}})
    assert churn.ledger.champion("churn") == new


@pytest.mark.parametrize("status", ["Failed", "UpdateRollbackFailed"])
def test_an_endpoint_that_failed_is_removed_then_made_anew(churn: FakePorts, status: str) -> None:
    churn.endpoints.actual["penstock-test-churn"] = Actual("penstock-test-churn", status, "")
    with pytest.raises(Conflict, match="is being removed"):
        put(churn, {})
    assert churn.endpoints.describe("penstock-test-churn") is None
    put(churn, {})
    actual = churn.endpoints.describe("penstock-test-churn")
    assert actual is not None
    assert (actual.status, actual.config) == ("Creating", "config-2")


def test_an_endpoint_tells_of_its_shares(churn: FakePorts) -> None:
    put(churn, {"variants": {RUN: 0.9, OTHER: 0.1}})
    churn.endpoints.settle("penstock-test-churn")
    told = look.endpoint("churn", churn)
    assert (told["as_released"], told["variants"], told["shadow"]) == (False, {"live": 0.9, OTHER: 0.1}, None)
