"""Destroy goes on until nothing is left, whatever takes its time, and never says done while something stands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
from botocore.exceptions import ClientError

from penstock.deploy import teardown
from penstock.deploy.belongings import Part
from penstock.deploy.target import DeployError, Target

NOBODY = cast(Target, None)


class Things:
    """Things of one kind; each is there for as many looks as it was given after its removal."""

    def __init__(self, code: str = "ResourceInUseException", **looks: int) -> None:
        self.looks, self.code, self.asked = dict(looks), code, list[str]()

    def find(self, _: Any) -> Iterator[str]:
        """What is still there."""
        return iter(list(self.looks))

    def remove(self, _: Any, name: str) -> None:
        """Ask for its removal: the first time it is accepted, later it is under way."""
        known = name in self.asked
        self.asked.append(name)
        self.looks[name] -= 1
        if self.looks[name] <= 0:
            del self.looks[name]
        elif known:
            raise ClientError({"Error": {"Code": self.code, "Message": "on its way"}}, "Delete")

    @property
    def part(self) -> Part:
        """As destroy takes it."""
        return Part("thing", self.find, self.remove)


def test_waits_for_what_takes_its_time() -> None:
    """An endpoint that is going is asked again and again, and named once."""
    things, removed = Things(quick=1, slow=3), list[str]()
    teardown._until_gone(NOBODY, (things.part,), removed, lambda name, state: None)
    assert removed == ["thing quick", "thing slow"]
    assert things.asked == ["quick", "slow", "slow", "slow"]


def test_says_what_it_may_not_remove() -> None:
    """A refusal that is neither "gone" nor "busy" ends it, with AWS's own words."""
    things = Things(code="AccessDeniedException", locked=9)
    with pytest.raises(DeployError, match=r"thing locked: .*AccessDenied"):
        teardown._until_gone(NOBODY, (things.part,), [], lambda name, state: None)


def test_a_second_time_finds_nothing() -> None:
    """Nothing there, nothing said."""
    removed: list[str] = []
    teardown._until_gone(NOBODY, (Things().part,), removed, lambda name, state: None)
    assert removed == []
