"""How an update moves from the old fleet (blue) to the new one (green): DeploymentConfig as a rule, and its progress.

Pure: shares of a fleet are numbers from 0 to 1 by variant; who launches, waits and watches is `lifecycle` and `fleets`.

    blue/green   all of green is launched, traffic moves in steps, blue ends after the last baking
    rolling      a batch of green is launched, takes traffic, bakes; as much of blue ends; then the next batch

After each shift but the last the fleet bakes for WaitIntervalInSeconds; after the last one for TerminationWaitInSeconds
(rolling: WaitIntervalInSeconds again), as the messages of AWS's deployment events say.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ALL_AT_ONCE, CANARY, LINEAR, ROLLING = "ALL_AT_ONCE", "CANARY", "LINEAR", "ROLLING"
# What a deployment is doing; RESUMING is CREATING again after a restart of the server, without a further step.
CREATING, ACTIVATING, BAKING, RETIRING = "Creating", "ActivatingTraffic", "Baking", "Deleting"
RESUMING, RESTORING = "Resuming", "Restoring"
_NEARLY = 1e-6
Shares = Mapping[str, float]  # variant → how much of its instances, 0 to 1


@dataclass(frozen=True)
class Size:
    """AWS's CapacitySize: `value` instances, or per cent of them."""

    type: str
    value: int

    def of(self, count: int) -> float:
        """The share of a variant of `count` instances: whole ones, at least one; of a single one, its per cents."""
        if self.type == "INSTANCE_COUNT":
            return min(1.0, self.value / max(count, 1))
        if count <= 1:
            return min(1.0, self.value / 100)
        return min(1.0, max(1, count * self.value // 100) / count)


@dataclass(frozen=True)
class Policy:
    """A DeploymentConfig, read.

    Attributes:
        kind: ALL_AT_ONCE, CANARY, LINEAR or ROLLING.
        size: of the canary, the linear step or the rolling batch.
        wait: seconds of baking between two shifts.
        termination: seconds of baking with all traffic on the new fleet, before the old one ends.
        timeout: seconds the whole deployment may take; None without a limit.
        alarms: names of the CloudWatch alarms that roll it back.
        back: size of a batch when a rolling deployment is rolled back; None: all at once.
    """

    kind: str = ALL_AT_ONCE
    size: Size | None = None
    wait: float = 0.0
    termination: float = 0.0
    timeout: float | None = None
    alarms: tuple[str, ...] = ()
    back: Size | None = None

    @property
    def rolling(self) -> bool:
        """Whether capacity moves in batches, too."""
        return self.kind == ROLLING

    def advanced(self, live: Shares, counts: Mapping[str, int]) -> dict[str, float]:
        """What of the new fleet takes traffic one step after `live`, of variants with `counts` instances."""
        if self.size is None or (self.kind == CANARY and any(live.values())):
            return dict.fromkeys(counts, 1.0)
        return {name: _sum(live.get(name, 0.0), self.size.of(count)) for name, count in counts.items()}

    def restored(self, kept: Shares, counts: Mapping[str, int]) -> dict[str, float]:
        """What of the old fleet is there one step after `kept` when a rolling deployment goes back."""
        if self.back is None:
            return dict.fromkeys(counts, 1.0)
        return {name: _sum(kept.get(name, 0.0), self.back.of(count)) for name, count in counts.items()}


@dataclass(frozen=True)
class Deployment:
    """How far an update has come.

    Attributes:
        live: how much of the new fleet takes traffic.
        made: how much of it is launched, or being launched.
        kept: how much of the old fleet is there, or being brought back.
        ending: instances of the old fleet that are ending now.
        standing: whether the old fleet is known to be up; a restart of the server leaves that open.
        arrived: whether the new fleet is up and waits for word of the old one, after such a restart.
    """

    policy: Policy = Policy()
    phase: str = CREATING
    live: Shares = field(default_factory=dict)
    made: Shares = field(default_factory=dict)
    kept: Shares = field(default_factory=dict)
    ending: Mapping[str, int] = field(default_factory=dict)
    standing: bool = True
    arrived: bool = False

    @property
    def complete(self) -> bool:
        """Whether all of the new fleet takes traffic."""
        return full(self.live)

    @property
    def reversible(self) -> bool:
        """Whether all of the old fleet is still there."""
        return self.standing and full(self.kept)

    @property
    def baking(self) -> tuple[float, str]:
        """Seconds of the baking after the present shift, and the parameter that says so."""
        if self.complete and not self.policy.rolling:
            return self.policy.termination, "TerminationWaitInSeconds"
        return self.policy.wait, "WaitIntervalInSeconds"

    def to(self, phase: str, **changes: Any) -> "Deployment":
        """The same in another phase."""
        return dataclasses.replace(self, phase=phase, **changes)


def begin(policy: Policy, green: Mapping[str, int], kept: Shares) -> Deployment:
    """A deployment before its first launch, to `green` (instances by variant) from what is there of the old fleet."""
    made = policy.advanced({}, green) if policy.rolling else dict.fromkeys(green, 1.0)
    return Deployment(policy, CREATING, dict.fromkeys(green, 0.0), made, kept)


def full(shares: Shares) -> bool:
    """Whether nothing is missing."""
    return all(share >= 1 - _NEARLY for share in shares.values())


def rest(shares: Shares, names: Mapping[str, int]) -> dict[str, float]:
    """What is left of another fleet's variants `names` when `shares` are taken by this one."""
    least = min(shares.values(), default=0.0)
    return {name: max(0.0, 1.0 - shares.get(name, least)) for name in names}


def instances(share: float, count: int) -> int:
    """Whole instances that make up a share of `count`."""
    return min(count, math.ceil(share * count - _NEARLY))


def policy_of(config: Mapping[str, Any] | None) -> Policy:
    """The rule a DeploymentConfig stands for; without one, all traffic moves at once and nothing bakes."""
    config = config or {}
    alarms = config.get("AutoRollbackConfiguration", {}).get("Alarms", [])
    common: dict[str, Any] = {"alarms": tuple(alarm["AlarmName"] for alarm in alarms if "AlarmName" in alarm)}
    if rolling := config.get("RollingUpdatePolicy"):
        return Policy(
            ROLLING,
            _size(rolling["MaximumBatchSize"]),
            wait=float(rolling["WaitIntervalInSeconds"]),
            timeout=rolling.get("MaximumExecutionTimeoutInSeconds"),
            back=_size(rolling.get("RollbackMaximumBatchSize")),
            **common,
        )
    blue_green = config.get("BlueGreenUpdatePolicy", {})
    routing = blue_green.get("TrafficRoutingConfiguration", {})
    kind = routing.get("Type", ALL_AT_ONCE)
    return Policy(
        kind,
        _size(routing.get({CANARY: "CanarySize", LINEAR: "LinearStepSize"}.get(kind, ""))),
        wait=float(routing.get("WaitIntervalInSeconds", 0)),
        termination=float(blue_green.get("TerminationWaitInSeconds", 0)),
        timeout=blue_green.get("MaximumExecutionTimeoutInSeconds"),
        **common,
    )


def from_document(document: Mapping[str, Any] | None) -> Deployment | None:
    """The deployment `dataclasses.asdict` made a JSON object of."""
    if document is None:
        return None
    policy = dict(document["policy"])
    for member in ("size", "back"):
        policy[member] = Size(**policy[member]) if policy[member] else None
    policy["alarms"] = tuple(policy["alarms"])
    return Deployment(**{**document, "policy": Policy(**policy)})


def _size(size: Mapping[str, Any] | None) -> Size | None:
    return Size(size["Type"], size["Value"]) if size else None


def _sum(one: float, other: float) -> float:
    total = one + other
    return 1.0 if total >= 1 - _NEARLY else total
