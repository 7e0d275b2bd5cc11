"""A run's execution history as a list of states with their times: pure, from Step Functions' own events."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

# The states in the order a run that goes well takes them, by its way to a model; tests/architecture compares this with
# the machine.
BEFORE, AFTER = ("Claim", "Prepare"), ("Evaluate", "Gate", "Register", "Release", "Report")
WAYS = {
    "Train": (*BEFORE, "Train", *AFTER),
    "Tune": (*BEFORE, "Tune", "Rank", *AFTER),
    "Auto": (*BEFORE, "Auto", "Rank", *AFTER),
}
_KNOWN = {name for way in WAYS.values() for name in way}
RUNNING, DONE, FAILED = "running", "done", "failed"
_ENTERED, _EXITED = ("TaskStateEntered", "MapStateEntered"), ("TaskStateExited", "MapStateExited")
_FAILURES = (
    "MapStateFailed",
    "TaskFailed",
    "TaskTimedOut",
    "TaskSubmitFailed",
    "TaskStartFailed",
    "LambdaFunctionFailed",
)
_TRIED = ("TaskScheduled", "LambdaFunctionScheduled")
_SUCCESSES = ("TaskSucceeded", "LambdaFunctionSucceeded")


@dataclass(frozen=True)
class State:
    """One Task state of a run; `seconds` counts to its end, or to `now` while it runs."""

    name: str
    started: datetime
    ended: datetime | None = None
    status: str = RUNNING

    def seconds(self, now: datetime) -> float:
        """How long it took, or has taken by `now`."""
        return max(0.0, ((self.ended or now) - self.started).total_seconds())


def states(events: Iterable[Mapping[str, Any]]) -> list[State]:
    """The states with work in them entered so far, in order; one entered again (Release, until it serves) stays one.

    What happens within the items of a Map belongs to the Map.
    """
    found: dict[str, State] = {}
    current: str | None = None
    for event in events:
        kind, at = str(event["type"]), event["timestamp"]
        if kind in _ENTERED:
            current = _enter(found, str(event["stateEnteredEventDetails"]["name"]), at)
        elif kind == "MapStateFailed":
            going_on = next(name for name in reversed(found) if found[name].status == RUNNING)
            found[going_on] = replace(found[going_on], ended=at, status=FAILED)
        elif current and kind in _FAILURES:
            found[current] = replace(found[current], ended=at, status=FAILED)
        elif current and kind in _SUCCESSES:
            found[current] = replace(found[current], ended=at, status=DONE)
        elif current and kind in _TRIED:
            found[current] = replace(found[current], ended=None, status=RUNNING)
        elif kind in _EXITED:
            _leave(found, str(event["stateExitedEventDetails"]["name"]), at)
            current = None
    return list(found.values())


def _enter(found: dict[str, State], name: str, at: datetime) -> str | None:
    """A state is begun, or begun again; answers its name, or None for one within the items of a Map."""
    if name not in _KNOWN:
        return None
    found[name] = replace(found.get(name) or State(name, at), ended=None, status=RUNNING)
    return name


def _leave(found: dict[str, State], name: str, at: datetime) -> None:
    """A state that is left is over; it failed if its last attempt did."""
    state = found.get(name)
    if state is not None:
        found[name] = replace(state, ended=at, status=FAILED if state.status == FAILED else DONE)
