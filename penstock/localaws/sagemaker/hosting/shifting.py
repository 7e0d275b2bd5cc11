"""An update's way from the old fleet to the new one, and back: pure reactions, used by `lifecycle`.

    Creating ──Ready──► ActivatingTraffic ──Settled──► Baking ──Baked──► … ──► Deleting (blue) ──Settled──► InService
         blue/green: the next step is ActivatingTraffic again; rolling: Deleting (as much of blue), then Creating
    any of them ──Failed/Tripped/Expired──► RollingBack: blue takes all traffic again ──► InService
         rolling: what of blue has ended is launched first; if that fails: UpdateRollbackFailed, both stay as they are

While two fleets are there `traffic` says who answers how much, and `capacity` what must run.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from penstock.localaws.sagemaker.hosting import deployment as progress
from penstock.localaws.sagemaker.hosting.deployment import (
    ACTIVATING,
    BAKING,
    RESTORING,
    RESUMING,
    RETIRING,
    Deployment,
)
from penstock.localaws.sagemaker.hosting.states import (
    IN_SERVICE,
    ROLLING_BACK,
    UPDATE_ROLLBACK_FAILED,
    Announce,
    Bake,
    Endpoint,
    Fleet,
    Instruction,
    Launch,
    Outcome,
    Progress,
    Settle,
)


@dataclass(frozen=True)
class Part:
    """A fleet's part in the traffic.

    Attributes:
        share: of all requests, 0 to 1.
        live: by variant, how much of its instances take requests.
        parts: by variant, the share of the requests sent to that variant by name.
    """

    fleet: Fleet
    share: float
    live: Mapping[str, float]
    parts: Mapping[str, float]


def traffic(endpoint: Endpoint) -> list[Part]:
    """Who answers. Blue alone, until green has its first share; green alone, once blue is gone."""
    blue, green, deployment = endpoint.active, endpoint.pending, endpoint.deployment
    if green is None or deployment is None or not any(deployment.live.values()):
        whole = dict.fromkeys(blue.counts, 1.0) if blue else {}
        there = deployment.kept if deployment and green else whole
        return [Part(blue, 1.0, there, whole)] if blue is not None else []
    if blue is None:
        return [Part(green, 1.0, deployment.live, dict.fromkeys(green.counts, 1.0))]
    live = deployment.live
    weights = {variant.name: variant.weight for variant in green.variants}
    total = sum(weights.values()) or 1.0
    share = sum(weights[name] / total * live.get(name, 0.0) for name in weights)
    left = progress.rest(live, blue.counts)
    return [
        Part(blue, 1 - share, deployment.kept, left),
        Part(green, share, live, {name: live.get(name, 0.0) for name in weights}),
    ]


def capacity(endpoint: Endpoint) -> list[tuple[Fleet, Mapping[str, float]]]:
    """What must run: every fleet there is, and how much of each of its variants."""
    deployment = endpoint.deployment
    wanted: list[tuple[Fleet, Mapping[str, float]]] = []
    if endpoint.active is not None:
        kept = deployment.kept if deployment and endpoint.pending else None
        wanted.append((endpoint.active, kept or dict.fromkeys(endpoint.active.counts, 1.0)))
    if endpoint.pending is not None:
        made = deployment.made if deployment else dict.fromkeys(endpoint.pending.counts, 1.0)
        wanted.append((endpoint.pending, made))
    return wanted


def green_ready(endpoint: Endpoint, green: Fleet, deployment: Deployment) -> Outcome:
    """What was launched of the new fleet is healthy: it gets its share of the traffic."""
    if deployment.phase not in (progress.CREATING, RESUMING):
        return endpoint, []
    if endpoint.active is not None and not deployment.standing:
        waiting = dataclasses.replace(deployment, arrived=True)  # or all its share would go to green
        return dataclasses.replace(endpoint, deployment=waiting), []
    live = deployment.live
    if deployment.phase == progress.CREATING or not any(live.values()):
        live = (
            deployment.made if deployment.policy.rolling else deployment.policy.advanced(live, green.counts)
        )
    return _settling(endpoint, deployment.to(ACTIVATING, live=live, arrived=False), Progress())


def settled(endpoint: Endpoint, deployment: Deployment) -> Outcome:
    """What the present phase asked of routes and instances is done: the next phase begins."""
    blue, green, policy = endpoint.active, endpoint.pending, deployment.policy
    if deployment.phase == ACTIVATING:
        seconds, _ = deployment.baking
        baking = dataclasses.replace(endpoint, deployment=deployment.to(BAKING), round=endpoint.round + 1)
        return baking, [Bake(baking.round, seconds, policy.alarms), Progress()]
    if deployment.phase == RETIRING and green is None:
        return dataclasses.replace(endpoint, status=IN_SERVICE, deployment=None), [Announce(), Progress()]
    if deployment.phase == RETIRING and green is not None:
        made = policy.advanced(deployment.live, green.counts)
        return _launching(endpoint, deployment.to(progress.CREATING, made=made, ending={}), green)
    if deployment.phase == RESTORING and blue is not None:
        kept = policy.restored(deployment.kept, blue.counts)
        return _launching(endpoint, deployment.to(RESTORING, kept=kept), blue)
    return endpoint, []


def baked(endpoint: Endpoint, green: Fleet, deployment: Deployment) -> Outcome:
    """No alarm went off: more traffic, or an end to as much of blue."""
    if deployment.phase != BAKING:
        return endpoint, []
    if deployment.complete:
        over = deployment.to(RETIRING, ending=_left(endpoint.active, deployment.kept))
        return _settling(dataclasses.replace(endpoint, active=green, pending=None), over, Progress())
    if not deployment.policy.rolling:
        live = deployment.policy.advanced(deployment.live, green.counts)
        return _settling(endpoint, deployment.to(ACTIVATING, live=live), Progress())
    left = progress.rest(deployment.live, endpoint.active.counts if endpoint.active else {})
    kept = {name: min(share, deployment.kept.get(name, share)) for name, share in left.items()}
    staying = _left(endpoint.active, kept)
    ending = {name: count - staying[name] for name, count in _left(endpoint.active, deployment.kept).items()}
    return _settling(endpoint, deployment.to(RETIRING, kept=kept, ending=ending), Progress())


def roll_back(endpoint: Endpoint, blue: Fleet, reason: str) -> Outcome:
    """Back to the old fleet. As AWS: without a FailureReason; the event is the only one who tells."""
    back = dataclasses.replace(endpoint, status=ROLLING_BACK, config=blue.config)
    deployment = endpoint.deployment
    if deployment is None or deployment.reversible:
        return _settling(dataclasses.replace(back, pending=None), None, Announce(reason))
    kept = deployment.policy.restored(deployment.kept, blue.counts)
    restoring = deployment.to(RESTORING, kept=kept, made=deployment.live, ending={})
    again = dataclasses.replace(back, deployment=restoring, round=endpoint.round + 1)
    return again, [Launch(blue), Announce(reason)]


def blue_ready(endpoint: Endpoint) -> Outcome:
    """In a roll-back: what was to come back of the old fleet is healthy."""
    deployment = endpoint.deployment
    if deployment is None or progress.full(deployment.kept):
        return _settling(dataclasses.replace(endpoint, pending=None), None)
    green = endpoint.pending.counts if endpoint.pending else {}
    live = progress.rest(deployment.kept, green)
    return _settling(endpoint, deployment.to(RESTORING, live=live, made=live), Progress())


def stuck(endpoint: Endpoint, reason: str) -> Outcome:
    """The roll-back failed: a mix of both fleets stays in service, until another update or a deletion."""
    failed = dataclasses.replace(
        endpoint, status=UPDATE_ROLLBACK_FAILED, failure=reason, round=endpoint.round + 1
    )
    return failed, [Announce()]


def sounder(endpoint: Endpoint) -> tuple[Endpoint, dict[str, float]]:
    """The endpoint with one fleet only, and how much of it is there: after a failed roll-back, the larger part."""
    blue, green, deployment = endpoint.active, endpoint.pending, endpoint.deployment
    if deployment is None or green is None:
        return endpoint, dict.fromkeys(blue.counts if blue else {}, 1.0)
    single = dataclasses.replace(endpoint, pending=None, deployment=None)
    if blue is None or sum(deployment.live.values()) * 2 >= len(deployment.live):
        return dataclasses.replace(single, active=green), dict(deployment.live)
    return single, progress.rest(deployment.live, blue.counts)


def _launching(endpoint: Endpoint, deployment: Deployment, fleet: Fleet) -> Outcome:
    return dataclasses.replace(endpoint, deployment=deployment), [Launch(fleet), Progress()]


def _settling(endpoint: Endpoint, deployment: Deployment | None, *more: Instruction) -> Outcome:
    turned = dataclasses.replace(endpoint, deployment=deployment, round=endpoint.round + 1)
    return turned, [Settle(turned.round), *more]


def _left(fleet: Fleet | None, kept: Mapping[str, float]) -> dict[str, int]:
    """Instances of the old fleet that are there."""
    counts = fleet.counts if fleet else {}
    return {name: progress.instances(kept.get(name, 0.0), count) for name, count in counts.items()}
