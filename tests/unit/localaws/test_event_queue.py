"""Events on their way to functions: a few at a time, each until it is taken, at most three times."""

from __future__ import annotations

import threading
from typing import Any

from penstock.localaws.extension.event_queue import ATTEMPTS, Deliveries

_PATIENCE = 20


class Function:
    """Counts who is inside it at once, and ends when told to."""

    def __init__(self, failing: int = 0) -> None:
        self.failing = failing
        self.seen: list[Any] = []
        self.inside = self.most = 0
        self.go, self.changed = threading.Event(), threading.Condition()

    def __call__(self, record: dict[str, Any], event: Any) -> dict[str, Any]:
        with self.changed:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.changed.notify_all()
        assert self.go.wait(_PATIENCE)
        with self.changed:
            self.inside -= 1
            self.seen.append(event)
            self.changed.notify_all()
            if len(self.seen) <= self.failing:
                raise RuntimeError("not yet")
        return {"error": record["error"]}

    def until(self, count: int) -> bool:
        """Wait until it was called so often."""
        with self.changed:
            return self.changed.wait_for(lambda: len(self.seen) >= count, _PATIENCE)


def test_all_events_come_a_few_at_a_time() -> None:
    function = Function()
    deliveries = Deliveries(function, at_once=3)
    for number in range(50):
        deliveries.put("f", {"error": False}, number)
    with function.changed:
        assert function.changed.wait_for(lambda: function.inside == 3, _PATIENCE)
    function.go.set()
    assert function.until(50)
    assert sorted(function.seen) == list(range(50))
    assert function.most == 3


def test_one_function_does_not_wait_for_another() -> None:
    slow, quick = Function(), Function()
    quick.go.set()
    deliveries = Deliveries(lambda record, event: record["f"](record, event), at_once=1)
    deliveries.put("slow", {"f": slow, "error": False}, 1)
    deliveries.put("quick", {"f": quick, "error": False}, 2)
    assert quick.until(1)
    slow.go.set()
    assert slow.until(1)


def test_what_failed_is_tried_again() -> None:
    function = Function(failing=2)
    function.go.set()
    Deliveries(function, pause=0).put("f", {"error": False}, "event")
    assert function.until(3)


def test_what_fails_always_is_given_up() -> None:
    function = Function()
    function.go.set()
    deliveries = Deliveries(function, at_once=1, pause=0)
    deliveries.put("f", {"error": True}, "bad")
    assert function.until(ATTEMPTS)
    deliveries.put("f", {"error": False}, "good")
    assert function.until(ATTEMPTS + 1)
    assert function.seen == ["bad"] * ATTEMPTS + ["good"]
