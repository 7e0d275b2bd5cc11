"""The fair choice among variants and instances."""

import dataclasses
from collections import Counter

import pytest

from penstock.localaws.sagemaker.hosting.lifecycle import Variant
from penstock.localaws.sagemaker.hosting.routing import Route, RoutedVariant


def routed(name, weight, instances):
    variant = Variant(name, "model", "sagemaker-xgboost:3.2-0", None, {}, 1, weight, 60.0)
    return RoutedVariant(variant, instances)


class AnInstance:
    """What routing looks at of an instance."""

    def __init__(self, ready=True):
        self.ready = ready


def chosen(weights, requests):
    route = Route([routed(name, weight, []) for name, weight in weights.items()])
    return Counter(route.choose().name for _ in range(requests))


@pytest.mark.parametrize(
    ("weights", "shares"),
    [({"a": 9, "b": 1}, {"a": 900, "b": 100}), ({"a": 1, "b": 1, "c": 2}, {"a": 250, "b": 250, "c": 500})],
)
def test_requests_are_shared_by_weight(weights, shares):
    assert chosen(weights, 1000) == shares


def test_a_variant_without_weight_is_never_chosen():
    assert chosen({"a": 0, "b": 0.5}, 10) == {"b": 10}
    assert Route([routed("a", 0, [])]).choose() is None


def test_the_small_variant_is_not_starved_within_ten():
    route = Route([routed("a", 9, []), routed("b", 1, [])])
    order = [route.choose().name for _ in range(20)]
    assert order[:10].count("b") == order[10:].count("b") == 1


def test_instances_take_turns_and_those_not_ready_are_passed_over():
    one, two, dead = AnInstance(), AnInstance(), AnInstance(ready=False)
    variant = routed("a", 1, [one, dead, two])
    assert Counter(variant.next_instance() for _ in range(10)) == {one: 5, two: 5}
    assert variant.next_instance([one]) is two
    assert routed("a", 1, [dead]).next_instance() is None


def test_the_least_busy_instance_is_asked_where_the_configuration_says_so():
    busy, idle, dead = AnInstance(), AnInstance(), AnInstance(ready=False)
    busy.busy, idle.busy, dead.busy = 2, 0, 0
    variant = routed("a", 1, [busy, dead, idle])
    variant.variant = dataclasses.replace(variant.variant, routing="LEAST_OUTSTANDING_REQUESTS")
    assert variant.next_instance() is idle
    assert variant.next_instance([idle]) is busy
    assert variant.next_instance([idle, busy]) is None
    busy.busy = 0
    assert Counter(variant.next_instance() for _ in range(10))[busy] >= 3  # equals take turns
