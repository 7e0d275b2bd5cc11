"""The choice between an old and a new fleet of one variant, while an update moves its traffic."""

from collections import Counter

import pytest

from penstock.localaws.sagemaker.hosting.routing import Route
from tests.unit.localaws_hosting.test_routing import AnInstance, chosen, routed


def split(blue_ready=True, green_ready=True):
    """A variant of two fleets, a quarter of its traffic to the new one."""
    blue, green = (routed("live", 1, [AnInstance(ready)]) for ready in (blue_ready, green_ready))
    blue.share, blue.part, blue.config = 0.75, 0.75, "one"
    green.share, green.part, green.config = 0.25, 0.25, "two"
    return Route([blue, green])


def test_two_fleets_of_one_variant_share_its_traffic_also_when_it_is_asked_for_by_name():
    route = split()
    assert Counter(route.choose().config for _ in range(100)) == {"one": 75, "two": 25}
    assert Counter(route.named("live").config for _ in range(100)) == {"one": 75, "two": 25}


@pytest.mark.parametrize(("down", "up"), [({"green_ready": False}, "one"), ({"blue_ready": False}, "two")])
def test_the_other_fleet_stands_in_for_one_that_is_down(down, up):
    route = split(**down)
    assert {route.choose().config for _ in range(20)} == {up}
    assert {route.named("live").config for _ in range(20)} == {up}


def test_another_variant_does_not_stand_in():
    route = Route([routed("a", 1, [AnInstance(ready=False)]), routed("b", 1, [AnInstance()])])
    assert Counter(route.choose().name for _ in range(20)) == {"a": 10, "b": 10}


def test_a_variant_without_weight_is_not_chosen_for_being_first():
    assert chosen({"a": 0, "b": 1, "c": 1}, 10) == {"b": 5, "c": 5}
