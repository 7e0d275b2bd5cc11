"""An endpoint: what it should serve, what it serves, and the one next step from here to there.

SageMaker rolls a failed update back by itself and then says InService again, with the old configuration: only a
comparison of the configuration's name tells a release from a roll-back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CREATE, UPDATE, WAIT, PROBE, ROLLED_BACK, DISCARD = (
    "create",
    "update",
    "wait",
    "probe",
    "rolled back",
    "discard",
)
VARIANT, SHADOW = "live", "shadow"


@dataclass(frozen=True, slots=True)
class Actual:
    """An endpoint as SageMaker describes it; `weights` by production variant, as they are now."""

    name: str
    status: str
    config: str
    reason: str | None = None
    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Served:
    """One variant of a configuration: its model (made of `container` unless it is there), weight and machine."""

    variant: str
    model: str
    container: Mapping[str, Any] | None
    weight: float
    instance: str
    shadow: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """The next thing to do, and why."""

    action: str
    reason: str = ""


def endpoint_name(stage: str, project: str) -> str:
    """The endpoint of a project."""
    return f"penstock-{stage}-{project}"


def config_name(stage: str, run: str, attempt: int) -> str:
    """Model and endpoint configuration of a run; a later attempt's model is another model."""
    return f"penstock-{stage}-{run}" + (f"-{attempt}" if attempt > 1 else "")


def plan(wanted: str, actual: Actual | None, *, requested: bool) -> Step:
    """One step towards the wanted configuration; `requested`: whether we have asked for it before."""
    if actual is None:
        return Step(ROLLED_BACK, "the endpoint is gone") if requested else Step(CREATE)
    if actual.status == "InService":
        if actual.config == wanted:
            return Step(PROBE)
        reason = f"it serves {actual.config} again" + (f": {actual.reason}" if actual.reason else "")
        return Step(ROLLED_BACK, reason) if requested else Step(UPDATE)
    if actual.status in {"Failed", "UpdateRollbackFailed"}:
        # One that failed before us is in the way; one that failed with our model is the answer.
        return Step(
            ROLLED_BACK if requested else DISCARD, actual.reason or "the endpoint failed and gave no reason"
        )
    return Step(WAIT, actual.status)


def wait_seconds(looks: int) -> int:
    """Short at first, longer as the endpoint takes its time."""
    return min(1 << (looks - 1), 15)
