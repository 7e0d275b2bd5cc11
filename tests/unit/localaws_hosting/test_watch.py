"""What a baking and a time limit say, and when: on a clock of the test's own, with alarms it sets."""

import queue

import pytest

from penstock.localaws.sagemaker.clock import Clock
from penstock.localaws.sagemaker.hosting.lifecycle import Bake, Baked, Expired, Limit, Tripped
from penstock.localaws.sagemaker.hosting.watch import Watch


class CloudWatch:
    """Alarms by name; asked once it was told the metrics."""

    def __init__(self, **states):
        self.states, self.asked, self.broken, self.flushed = states, 0, False, False

    def describe_alarms(self, AlarmNames, AlarmTypes):  # noqa: N803  boto3's names
        assert self.flushed, "metrics first"
        self.asked, self.flushed = self.asked + 1, False
        if self.broken:
            raise ConnectionError("busy")
        found = [{"AlarmName": name, "StateValue": self.states[name]} for name in AlarmNames]
        return {"MetricAlarms": found, "CompositeAlarms": []}

    def flush(self):
        self.flushed = True


class World:
    """A plane, metrics and the hosting that is told."""

    def __init__(self, **states):
        self.clock, self.cloudwatch = Clock(lambda: 1000.0), CloudWatch(**states)
        self.said, self.is_over = queue.Queue(), False
        self.watch = Watch(
            self, self.cloudwatch, lambda name, event: self.said.put((name, event)), lambda *_: self.is_over
        )

    def client(self, _service):
        return self.cloudwatch

    def word(self):
        return self.said.get(timeout=20)


def test_a_baking_ends_when_its_time_has_passed():
    world = World()
    world.watch.begin("e", Bake(7, 300.0, ()), 1000.0)
    world.clock.advance(299)
    assert world.said.empty()
    world.clock.advance(1)
    assert world.word() == ("e", Baked(7))


def test_time_that_passed_before_the_watch_began_counts():
    world = World()
    world.clock.advance(301)
    world.watch.begin("e", Bake(7, 300.0, ()), 1000.0)
    assert world.word() == ("e", Baked(7))


def test_an_alarm_trips_it_with_a_reason_that_names_it():
    world = World(calm="OK", errors="ALARM", unknown="INSUFFICIENT_DATA")
    world.watch.begin("e", Bake(7, 0.0, ("calm", "errors", "unknown")), 1000.0)
    name, event = world.word()
    assert (name, event.round) == ("e", 7)
    assert isinstance(event, Tripped)
    assert event.reason.endswith(": errors.")


def test_an_alarm_that_goes_off_at_the_very_end_still_counts():
    world = World(errors="OK")
    world.watch.begin("e", Bake(7, 300.0, ("errors",)), 1000.0)
    world.cloudwatch.states["errors"] = "ALARM"
    world.clock.advance(301)
    assert isinstance(world.word()[1], Tripped)


def test_a_cloudwatch_that_cannot_be_asked_trips_nothing():
    world = World(errors="ALARM")
    world.cloudwatch.broken = True
    world.watch.begin("e", Bake(7, 0.0, ("errors",)), 1000.0)
    assert world.word()[1] == Baked(7)


@pytest.mark.parametrize("what", [Bake(7, 300.0, ()), Limit(2, 600.0)])
def test_nobody_is_told_what_is_of_the_past(what):
    world = World()
    world.watch.begin("e", what, 1000.0)
    world.is_over = True
    world.clock.advance(10_000)
    with pytest.raises(queue.Empty):
        world.said.get(timeout=0.1)


def test_a_time_limit_counts_from_the_begin_of_the_deployment():
    world = World()
    world.clock.advance(599)
    world.watch.begin("e", Limit(2, 600.0), 1000.0)
    assert world.said.empty()
    world.clock.advance(1)
    assert world.word() == ("e", Expired(2))
