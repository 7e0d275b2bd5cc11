"""An endpoint's life, event by event; nothing runs."""

import dataclasses
import json

import pytest

from penstock.localaws.sagemaker.hosting.lifecycle import (
    Announce,
    Bake,
    Baked,
    Blueprint,
    Created,
    Deleted,
    Endpoint,
    Failed,
    Launch,
    Ready,
    Refused,
    Remove,
    Rescaled,
    Restarted,
    Settle,
    Settled,
    Updated,
    Variant,
    from_document,
    handle,
    to_document,
)


def a_variant(name="live", count=1, weight=1.0, **members):
    return Variant(
        name,
        f"model-{name}",
        "sagemaker-xgboost:3.2-0",
        "s3://b/m.tar.gz",
        {"A": "1"},
        count,
        weight,
        60.0,
        **members,
    )


def after(*events, start=None):
    """The endpoint after those events, and the last one's instructions; SETTLED and BAKED are of the present round."""
    endpoint, instructions = start or Endpoint("e", "Creating", "one"), []
    for event in events:
        now = type(event)(endpoint.round) if event in (SETTLED, BAKED) else event
        endpoint, instructions = handle(endpoint, now)
    return endpoint, instructions


SETTLED, BAKED = Settled(-1), Baked(-1)
CREATED = Created(Blueprint("one", (a_variant(),)))
SERVING = (CREATED, Ready(1), SETTLED)
UPDATING = (*SERVING, Updated(Blueprint("two", (a_variant(count=2),))))


def test_a_created_endpoint_is_launched_and_takes_traffic_once_it_is_ready():
    endpoint, instructions = after(CREATED)
    assert (endpoint.status, endpoint.active) == ("Creating", None)
    assert Launch(endpoint.pending) in instructions

    endpoint, instructions = after(CREATED, Ready(1))
    assert (endpoint.status, endpoint.active.config) == ("InService", "one")
    assert instructions == [Settle(endpoint.round), Announce()]


def test_one_that_cannot_start_is_failed_with_the_reason():
    endpoint, instructions = after(CREATED, Failed(1, "no module"))
    assert (endpoint.status, endpoint.failure) == ("Failed", "no module")
    assert instructions == [Settle(endpoint.round), Announce()]


def test_the_old_fleet_stays_active_until_the_new_one_is_ready_and_has_baked():
    endpoint, _ = after(*UPDATING)
    assert (endpoint.status, endpoint.active.config, endpoint.pending.config) == ("Updating", "one", "two")

    endpoint, instructions = after(Ready(2), SETTLED, start=endpoint)
    assert (endpoint.status, endpoint.active.config) == ("Updating", "one")
    assert Bake(endpoint.round, 0.0, ()) in instructions

    endpoint, instructions = after(BAKED, start=endpoint)
    assert (endpoint.active.config, endpoint.pending) == ("two", None)
    assert Settle(endpoint.round) in instructions
    assert after(SETTLED, start=endpoint)[0].status == "InService"


def test_a_failed_update_rolls_back_silently_but_for_the_event():
    endpoint, instructions = after(*UPDATING, Failed(2, "broken"))
    assert endpoint.status == "RollingBack"
    assert instructions == [Settle(endpoint.round), Announce("broken")]

    endpoint, _ = after(SETTLED, start=endpoint)
    assert (endpoint.status, endpoint.config, endpoint.failure) == ("InService", "one", None)


def test_a_rescaling_keeps_the_generation_so_running_instances_stay():
    endpoint, instructions = after(*SERVING, Rescaled({"live": (3.0, None)}))
    assert (endpoint.status, endpoint.pending.generation) == ("Updating", endpoint.active.generation)
    assert instructions[0].fleet.variants == (a_variant(weight=3.0),)
    assert after(Ready(2), start=endpoint)[0].status == "InService"


def test_a_rescaling_that_cannot_be_launched_goes_back():
    endpoint, _ = after(*SERVING, Rescaled({"live": (None, 3)}), Failed(2, "no room"))
    assert (endpoint.status, endpoint.active.variants[0].count) == ("RollingBack", 1)
    assert after(SETTLED, start=endpoint)[0].status == "InService"


def test_a_serverless_variants_concurrency_changes_and_its_memory_stays():
    created = Created(
        Blueprint("one", (a_variant(serverless={"MemorySizeInMB": 2048, "MaxConcurrency": 1}),))
    )
    asked = Rescaled({"live": (None, None)}, {"live": {"MaxConcurrency": 5}})
    endpoint, _ = after(created, Ready(1), asked, Ready(2))
    assert endpoint.active.variants[0].serverless == {"MemorySizeInMB": 2048, "MaxConcurrency": 5}


def test_word_of_an_overtaken_launch_or_round_changes_nothing():
    endpoint, _ = after(*SERVING)
    assert handle(endpoint, Ready(9)) == (endpoint, [])
    assert handle(endpoint, Failed(9, "late")) == (endpoint, [])
    baking, _ = after(*UPDATING, Ready(2), SETTLED)
    assert handle(baking, Baked(baking.round - 1)) == (baking, [])
    assert handle(baking, Settled(baking.round - 1)) == (baking, [])


@pytest.mark.parametrize("asked", [Updated(Blueprint("three", ())), Rescaled({}), Deleted()])
def test_an_endpoint_on_its_way_is_left_alone(asked):
    with pytest.raises(Refused) as refused:
        after(*UPDATING, asked)
    assert refused.value.in_progress


def test_a_failed_endpoint_can_only_be_deleted():
    failed, _ = after(CREATED, Failed(1, "x"))
    with pytest.raises(Refused) as refused:
        handle(failed, Updated(Blueprint("two", ())))
    assert not refused.value.in_progress
    assert handle(failed, Deleted())[0].status == "Deleting"


def test_deleting_twice_removes_once():
    endpoint, instructions = after(*SERVING, Deleted())
    assert instructions == [Remove(), Announce()]
    assert handle(endpoint, Deleted()) == (endpoint, [])


@pytest.mark.parametrize("late", [Ready(1), Failed(1, "it was stopped"), Settled(1), Baked(1)])
def test_word_of_a_launch_does_not_bring_a_deleted_endpoint_back(late):
    endpoint, _ = after(*SERVING, Restarted(), Deleted())
    assert handle(endpoint, late) == (endpoint, [])


def test_after_a_restart_an_endpoint_is_in_service_only_when_it_answers():
    endpoint, instructions = after(*SERVING, Restarted())
    assert endpoint.status == "SystemUpdating"
    assert instructions == [Launch(endpoint.active), Announce()]
    assert handle(endpoint, Ready(1))[0].status == "InService"
    assert handle(endpoint, Failed(1, "gone"))[0].status == "Failed"


def test_an_update_goes_on_after_a_restart():
    endpoint, instructions = after(*UPDATING, Restarted())
    assert instructions == [Launch(endpoint.active), Launch(endpoint.pending)]
    same, routed = handle(endpoint, Ready(1))
    assert (same.status, routed) == ("Updating", [Settle(endpoint.round)])
    done, _ = after(Ready(2), SETTLED, BAKED, SETTLED, start=same)
    assert (done.status, done.active.config) == ("InService", "two")


def test_an_update_whose_old_fleet_did_not_come_back_may_still_succeed_or_fail():
    endpoint, _ = after(*UPDATING, Restarted(), Failed(1, "old is gone"))
    assert (endpoint.status, endpoint.active) == ("Updating", None)
    assert after(Ready(2), SETTLED, BAKED, SETTLED, start=endpoint)[0].status == "InService"
    assert handle(endpoint, Failed(2, "new too"))[0].failure == "new too"


def test_an_update_that_fails_before_the_old_fleet_is_back_waits_for_it():
    endpoint, instructions = after(*UPDATING, Restarted(), Failed(2, "broken"))
    assert endpoint.status == "RollingBack"
    assert Launch(endpoint.active) in instructions
    assert after(Ready(1), SETTLED, start=endpoint)[0].status == "InService"
    stuck, _ = handle(endpoint, Failed(1, "old is gone"))
    assert (stuck.status, stuck.failure) == ("UpdateRollbackFailed", "old is gone")
    assert handle(stuck, Failed(1, "again")) == (stuck, [])
    assert handle(stuck, Updated(Blueprint("three", (a_variant(),))))[0].status == "Updating"
    assert handle(stuck, Deleted())[0].status == "Deleting"


@pytest.mark.parametrize("status", ["RollingBack", "UpdateRollbackFailed"])
def test_a_restart_amid_a_roll_back_tries_it_again(status):
    endpoint, _ = after(*SERVING)
    again, instructions = handle(dataclasses.replace(endpoint, status=status), Restarted())
    assert again.status == "RollingBack"
    assert Launch(endpoint.active) in instructions
    assert after(Ready(1), SETTLED, start=again)[0].status == "InService"
    assert after(Failed(1, "x"), start=again)[0].status == "UpdateRollbackFailed"


def test_a_restart_while_the_old_fleet_ends_brings_up_the_new_one_only():
    endpoint, _ = after(*UPDATING, Ready(2), SETTLED, BAKED)
    again, instructions = handle(endpoint, Restarted())
    assert again.status == "SystemUpdating"
    assert instructions == [Launch(endpoint.active), Announce()]
    assert endpoint.active.config == "two"
    assert handle(again, Ready(2))[0].status == "InService"


def test_a_restart_finishes_a_deletion():
    endpoint, _ = after(*SERVING, Deleted())
    assert handle(endpoint, Restarted())[1] == [Remove()]


@pytest.mark.parametrize("events", [SERVING, UPDATING, (*UPDATING, Ready(2), SETTLED)])
def test_what_is_stored_comes_back_the_same(events):
    endpoint, _ = after(*events)
    assert from_document(json.loads(json.dumps(to_document(endpoint)))) == endpoint
