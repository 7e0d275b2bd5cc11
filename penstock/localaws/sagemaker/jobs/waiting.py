"""The queue of jobs that have no place yet: names only, first in first out. Pure.

What a waiting job is, the store knows: two hundred of them take no more memory than their names.
"""

from dataclasses import dataclass

from penstock.localaws.sagemaker.jobs.lifecycle import Secondary
from penstock.localaws.sagemaker.jobs.work import Kind

Key = tuple[str, str]  # kind and name


@dataclass(frozen=True)
class Waiting:
    """A job in the queue; after `deadline` (epoch seconds) it waits no more and ends as `ending`."""

    kind: Kind
    name: str
    deadline: float | None = None
    ending: Secondary = Secondary.STOPPED


class Line:
    """Who waits, in order. The caller keeps threads apart."""

    def __init__(self) -> None:
        self._waiting: dict[Key, Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, key: Key) -> bool:
        return key in self._waiting

    def join(self, one: Waiting) -> None:
        """Stand at the end."""
        self._waiting[one.kind.name, one.name] = one

    def first(self) -> Waiting | None:
        """Whose turn it is."""
        return next(iter(self._waiting.values()), None)

    def leave(self, key: Key) -> Waiting | None:
        """Go, from wherever one stands; None for one who does not wait."""
        return self._waiting.pop(key, None)

    def impatient(self, now: float) -> list[Waiting]:
        """Those whose time has come."""
        return [one for one in self._waiting.values() if one.deadline is not None and one.deadline <= now]

    def next_deadline(self) -> float | None:
        """When the next one's time comes; None when all have time."""
        return min((one.deadline for one in self._waiting.values() if one.deadline is not None), default=None)
