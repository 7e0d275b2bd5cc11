"""A deployment's plan: sizes, steps, who gets how much traffic; and its way there and back, event by event."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.localaws.sagemaker.hosting import shifting
from penstock.localaws.sagemaker.hosting.deployment import Size, instances, policy_of
from penstock.localaws.sagemaker.hosting.lifecycle import (
    Bake,
    Baked,
    Blueprint,
    Created,
    Deleted,
    Endpoint,
    Expired,
    Failed,
    Launch,
    Limit,
    Ready,
    Refused,
    Rescaled,
    Restarted,
    Settle,
    Settled,
    Tripped,
    Updated,
    Variant,
    from_document,
    handle,
    to_document,
)
from penstock.localaws.sagemaker.hosting.shown import pending as shown_pending


def blue_green(kind, size=None, type_="CAPACITY_PERCENT", wait=300, termination=60, **more):
    routing = {"Type": kind, "WaitIntervalInSeconds": wait}
    if size:
        routing["CanarySize" if kind == "CANARY" else "LinearStepSize"] = {"Type": type_, "Value": size}
    return {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": routing,
            "TerminationWaitInSeconds": termination,
            **more,
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "errors"}]},
    }


def rolling(batch, back=None, wait=30):
    policy = {
        "MaximumBatchSize": {"Type": "INSTANCE_COUNT", "Value": batch},
        "WaitIntervalInSeconds": wait,
    }
    if back:
        policy["RollbackMaximumBatchSize"] = {"Type": "INSTANCE_COUNT", "Value": back}
    return {"RollingUpdatePolicy": policy}


def blueprint(config, count=4):
    return Blueprint(config, (Variant("live", "m", "image", None, {}, count, 1.0, 60.0),))


def serving(count=4):
    endpoint, _ = handle(Endpoint("e", "Creating", "one"), Created(blueprint("one", count)))
    return handle(endpoint, Ready(1))[0]


def steps(endpoint):
    """Carry on until nothing is to be done: (new fleet's share, seconds baked) of each baking, and the endpoint."""
    seen = []
    endpoint, todo = handle(endpoint, Ready(endpoint.serial))
    while todo:
        one = todo.pop(0)
        if isinstance(one, Bake):
            seen.append((round(share(endpoint, "two"), 3), one.seconds))
            endpoint, todo = handle(endpoint, Baked(one.round))
        elif isinstance(one, Settle):
            endpoint, todo = handle(endpoint, Settled(one.round))
        elif isinstance(one, Launch):
            endpoint, todo = handle(endpoint, Ready(one.fleet.serial))
    return seen, endpoint


def share(endpoint, config):
    return sum(part.share for part in shifting.traffic(endpoint) if part.fleet.config == config)


def running(endpoint):
    """Instances that must run, by configuration."""
    return {fleet.config: instances(shares["live"], 4) for fleet, shares in shifting.capacity(endpoint)}


@pytest.mark.parametrize(
    ("config", "count", "expected"),
    [
        (blue_green("ALL_AT_ONCE"), 4, [(1.0, 60)]),
        (blue_green("CANARY", 30), 4, [(0.25, 300), (1.0, 60)]),
        (blue_green("CANARY", 1, "INSTANCE_COUNT"), 3, [(0.333, 300), (1.0, 60)]),
        (blue_green("CANARY", 10), 1, [(0.1, 300), (1.0, 60)]),
        (blue_green("LINEAR", 25), 4, [(0.25, 300), (0.5, 300), (0.75, 300), (1.0, 60)]),
        (blue_green("LINEAR", 33), 3, [(0.333, 300), (0.667, 300), (1.0, 60)]),
        (blue_green("LINEAR", 2, "INSTANCE_COUNT"), 4, [(0.5, 300), (1.0, 60)]),
        (rolling(1), 4, [(0.25, 30), (0.5, 30), (0.75, 30), (1.0, 30)]),
        (rolling(2), 4, [(0.5, 30), (1.0, 30)]),
        (None, 4, [(1.0, 0)]),
    ],
)
def test_traffic_moves_in_the_steps_that_were_asked_for(config, count, expected):
    endpoint, _ = handle(serving(count), Updated(blueprint("two", count), config))
    seen, endpoint = steps(endpoint)
    assert seen == expected
    assert (endpoint.status, endpoint.active.config, endpoint.pending) == ("InService", "two", None)
    assert endpoint.last_deployment == config


def test_a_rolling_deployment_never_runs_more_than_a_batch_too_many():
    endpoint, todo = handle(serving(), Updated(blueprint("two"), rolling(1)))
    most = []
    while todo:
        one = todo.pop(0)
        most.append(sum(running(endpoint).values()))
        match one:
            case Bake():
                endpoint, todo = handle(endpoint, Baked(one.round))
            case Settle():
                endpoint, todo = handle(endpoint, Settled(one.round))
            case Launch():
                endpoint, todo = handle(endpoint, Ready(one.fleet.serial))
    assert max(most) == 5
    assert running(endpoint) == {"two": 4}


def at_baking(config, bakings=1, count=4):
    """An update in its baking of that number, and the Bake."""
    endpoint, todo = handle(serving(count), Updated(blueprint("two", count), config))
    while True:
        one = todo.pop(0)
        match one:
            case Bake():
                bakings -= 1
                if not bakings:
                    return endpoint, one
                endpoint, todo = handle(endpoint, Baked(one.round))
            case Settle():
                endpoint, todo = handle(endpoint, Settled(one.round))
            case Launch():
                endpoint, todo = handle(endpoint, Ready(one.fleet.serial))


def test_what_describe_shows_of_a_canary():
    endpoint, bake = at_baking(blue_green("CANARY", 25))
    assert bake.alarms == ("errors",)
    summary = shown_pending(endpoint, {"stage": 0.0, "deploying": 0.0, "modified": 0.0})
    (variant,) = summary["ProductionVariants"]
    assert (variant["CurrentInstanceCount"], variant["DesiredInstanceCount"]) == (1, 4)
    (status,) = variant["VariantStatus"]
    assert (status["Status"], status["StatusMessage"]) == (
        "Baking",
        "Baking for 300 seconds (WaitIntervalInSeconds) with traffic enabled on canary capacity of 1 instance(s).",
    )


def test_an_alarm_sends_all_traffic_back_at_once():
    endpoint, bake = at_baking(blue_green("LINEAR", 25), bakings=3)
    assert share(endpoint, "two") == 0.75
    back, todo = handle(endpoint, Tripped(bake.round, "errors is in ALARM"))
    assert (back.status, back.config, share(back, "one")) == ("RollingBack", "one", 1.0)
    assert [type(one).__name__ for one in todo] == ["Settle", "Announce"]
    assert handle(back, Settled(back.round))[0].status == "InService"


def test_a_rolling_roll_back_launches_the_old_fleet_before_it_takes_traffic_from_the_new():
    endpoint, bake = at_baking(rolling(1), bakings=3)
    assert running(endpoint) == {"one": 2, "two": 3}
    back, todo = handle(endpoint, Tripped(bake.round, "errors"))
    assert (back.status, running(back), share(back, "two")) == ("RollingBack", {"one": 4, "two": 3}, 0.75)
    assert todo[0] == Launch(back.active)
    restored, _ = handle(back, Ready(back.active.serial))
    assert (running(restored), share(restored, "one")) == ({"one": 4}, 1.0)
    assert handle(restored, Settled(restored.round))[0].status == "InService"


def test_a_rolling_roll_back_in_batches():
    endpoint, bake = at_baking(rolling(1, back=1), bakings=4)
    back, todo = handle(endpoint, Tripped(bake.round, "errors"))
    seen = []
    while todo:
        one = todo.pop(0)
        if isinstance(one, Settle):
            seen.append(share(back, "one"))
            back, todo = handle(back, Settled(one.round))
        elif isinstance(one, Launch):
            back, todo = handle(back, Ready(one.fleet.serial))
    assert seen == [0.5, 0.75, 1.0]
    assert (back.status, back.active.config, back.pending) == ("InService", "one", None)


def test_a_roll_back_that_fails_leaves_a_mix_until_the_next_update():
    endpoint, bake = at_baking(rolling(1), bakings=3)
    back, _ = handle(endpoint, Tripped(bake.round, "errors"))
    stuck, _ = handle(back, Failed(back.active.serial, "no such file"))
    assert (stuck.status, stuck.failure) == ("UpdateRollbackFailed", "no such file")
    assert (share(stuck, "one"), share(stuck, "two")) == (0.25, 0.75)
    again, _ = handle(stuck, Updated(blueprint("three")))
    assert (again.active.config, again.pending.config, again.failure) == ("two", "three", None)
    lost, todo = handle(
        again, Failed(again.serial, "x")
    )  # what is missing of the larger part is launched now
    assert (lost.status, todo[0]) == ("RollingBack", Launch(again.active))


def test_a_deployment_that_takes_too_long_is_rolled_back():
    config = blue_green("CANARY", 25, MaximumExecutionTimeoutInSeconds=600)
    endpoint, todo = handle(serving(), Updated(blueprint("two"), config))
    assert Limit(endpoint.serial, 600) in todo
    assert handle(endpoint, Expired(endpoint.serial))[0].status == "RollingBack"
    assert handle(endpoint, Expired(endpoint.serial - 1)) == (endpoint, [])


def test_a_failed_roll_back_is_not_tried_again_by_late_word():
    endpoint, bake = at_baking(rolling(1), bakings=3)
    back, _ = handle(endpoint, Tripped(bake.round, "errors"))
    stuck, _ = handle(back, Failed(back.active.serial, "x"))
    assert handle(stuck, Settled(stuck.round)) == (stuck, [])


def test_a_rolling_deployment_whose_old_fleet_is_lost_in_a_restart_goes_on_with_what_there_is_of_the_new():
    endpoint, _ = at_baking(rolling(1), bakings=2)
    again, _ = handle(endpoint, Restarted())
    lost, _ = handle(again, Failed(again.active.serial, "x"))
    (part,) = shifting.traffic(lost)
    assert (part.fleet.config, part.share, part.live) == ("two", 1.0, {"live": 0.5})


def test_a_restart_amid_a_baking_begins_it_anew_with_the_same_traffic():
    endpoint, _ = at_baking(blue_green("LINEAR", 25), bakings=2)
    again, todo = handle(from_document(to_document(endpoint)), Restarted())
    assert todo[:2] == [Launch(endpoint.active), Launch(endpoint.pending)]
    assert share(again, "two") == 0.5
    seen, done = steps(handle(again, Ready(endpoint.active.serial))[0])
    assert [part for part, _ in seen] == [0.5, 0.75, 1.0]
    assert done.status == "InService"


@pytest.mark.parametrize("blue", [Ready(1), Failed(1, "lost")])
def test_after_a_restart_the_new_fleet_waits_for_word_of_the_old_one(blue):
    endpoint, _ = at_baking(blue_green("LINEAR", 25), bakings=2)
    again, _ = handle(endpoint, Restarted())
    waiting, todo = handle(again, Ready(endpoint.serial))
    assert (todo, waiting.deployment.phase) == ([], "Resuming")
    going, todo = handle(waiting, blue)
    assert going.deployment.phase == "ActivatingTraffic"
    assert Settle(going.round) in todo


def test_a_fleet_of_two_variants_moves_both():
    two = (
        Variant("a", "m", "image", None, {}, 4, 3.0, 60.0),
        Variant("b", "m", "image", None, {}, 2, 1.0, 60.0),
    )
    endpoint, _ = handle(Endpoint("e", "Creating", "one"), Created(Blueprint("one", two)))
    endpoint, _ = handle(endpoint, Ready(1))
    config = blue_green("CANARY", 50)
    endpoint, _ = handle(endpoint, Updated(Blueprint("two", two), config))
    endpoint, _ = handle(endpoint, Ready(2))
    blue, green = shifting.traffic(endpoint)
    assert (green.share, green.live, blue.share, blue.parts) == (
        0.5,
        {"a": 0.5, "b": 0.5},
        0.5,
        {"a": 0.5, "b": 0.5},
    )


@given(st.integers(1, 50), st.integers(1, 10_000))
def test_a_share_is_made_of_whole_instances(percent, count):
    of = Size("CAPACITY_PERCENT", percent).of(count)
    assert 0 < of <= (1 if count == 1 else max(percent / 100, 1 / count) + 1e-9)
    assert 1 <= instances(of, count) <= count
    assert instances(0.0, count) == 0


@given(
    st.sampled_from(["CANARY", "LINEAR", "ROLLING", "ALL_AT_ONCE"]), st.integers(10, 50), st.integers(1, 40)
)
def test_every_policy_comes_to_an_end(kind, percent, count):
    size = {"Type": "CAPACITY_PERCENT", "Value": percent}
    config = (
        {"RollingUpdatePolicy": {"MaximumBatchSize": size, "WaitIntervalInSeconds": 1}}
        if kind == "ROLLING"
        else blue_green(kind, percent)
    )
    policy = policy_of(config)
    live, taken = {}, 0
    while not live or live["v"] < 1:
        before = live.get("v", 0.0)
        live = policy.advanced(live, {"v": count})
        taken += 1
        assert before < live["v"] <= 1.0
    assert taken <= (40 if percent < 20 else 12) + 1


# The diagram of statuses, as AWS documents it: what may follow what.
DIAGRAM = {
    "Creating": {"InService", "Failed"},
    "InService": {"Updating", "SystemUpdating", "Deleting", "Failed"},
    "Updating": {"InService", "RollingBack", "SystemUpdating", "Failed"},
    "RollingBack": {"InService", "UpdateRollbackFailed"},
    "UpdateRollbackFailed": {"Updating", "RollingBack", "Deleting"},
    "SystemUpdating": {"InService", "Failed", "Deleting"},
    "Failed": {"Deleting"},
    "Deleting": set(),
}
CONFIGS = [
    None,
    blue_green("ALL_AT_ONCE"),
    blue_green("CANARY", 25),
    blue_green("LINEAR", 25),
    rolling(1),
    rolling(2, 1),
]


class World:
    """An endpoint and what is under way for it; `step` lets any of that happen, or somebody ask for something."""

    def __init__(self):
        self.endpoint, todo = handle(Endpoint("e", "Creating", "c1"), Created(blueprint("c1")))
        self.waiting = list(todo)
        self.updates, self.began = 1, 1.0

    def step(self, choice, word):
        before = self.endpoint
        asked = self.event(choice, word)
        if asked is None:
            return
        try:
            self.endpoint, todo = handle(before, asked)
        except Refused:
            return
        self.waiting = ([] if isinstance(asked, Restarted) else self.waiting) + todo
        self.check(before, asked)

    def event(self, choice, word):
        """One of what is under way comes to an end (well, or not), or a request, or a restart."""
        if choice < 12 and self.waiting:
            return self.word_of(self.waiting.pop(choice % len(self.waiting)), bad=word == 0)
        if choice < 16:
            self.updates += 1
            return Updated(blueprint(f"c{self.updates}"), CONFIGS[word % len(CONFIGS)])
        if choice == 16:
            return Rescaled({"live": (2.0, 1 + word % 4)})
        return {17: Restarted(), 18: Deleted() if word == 1 else None}.get(choice)

    @staticmethod
    def word_of(one, bad):
        match one:
            case Launch(fleet):
                return Failed(fleet.serial, "x") if bad else Ready(fleet.serial)
            case Settle():
                return Settled(one.round)
            case Bake():
                return Tripped(one.round, "alarm") if bad else Baked(one.round)
            case Limit():
                return Expired(one.serial)
        return None

    def check(self, before, asked):
        now = self.endpoint
        assert now.status == before.status or now.status in DIAGRAM[before.status], (
            before.status,
            asked,
            now.status,
        )
        parts = shifting.traffic(now)
        if parts:
            assert abs(sum(part.share for part in parts) - 1) < 1e-9
        for part in parts:  # nobody gets traffic who need not run
            made = dict(
                next(shares for fleet, shares in shifting.capacity(now) if fleet.serial == part.fleet.serial)
            )
            assert part.share == 0 or made["live"] > 0
            assert part.live["live"] <= made["live"] + 1e-9
        if now.status == "Updating" and now.deployment and now.active and now.pending:
            there, live = now.deployment.kept["live"], now.deployment.live["live"]
            if isinstance(asked, Updated):
                self.began = there  # less than 1 after a roll-back that failed
            assert there >= min(self.began, 1 - live) - 1e-9  # blue ends only as far as green has taken over
        if now.status == "InService":
            assert now.active is not None
            assert now.pending is None
            assert [part.share for part in parts] == [1.0]

    def finish(self):
        """Let everything under way end well."""
        for _ in range(200):
            if not self.waiting:
                return
            self.step(0, 1)
        raise AssertionError(f"no end: {self.endpoint}")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 18), st.integers(0, 11)), max_size=60))
def test_whatever_happens_in_whatever_order_statuses_follow_the_diagram_and_one_fleet_ends_with_all_traffic(
    events,
):
    world = World()
    for choice, word in events:
        world.step(choice, word)
        restored = from_document(to_document(world.endpoint))
        assert restored == world.endpoint
    world.finish()
    assert world.endpoint.status in ("InService", "Failed", "UpdateRollbackFailed", "Deleting")
    if world.endpoint.status == "InService":
        assert [part.share for part in shifting.traffic(world.endpoint)] == [1.0]
