"""An endpoint's life as values: `handle(endpoint, event)` returns the endpoint after it and what has to be done.

No I/O and no clock here; `fleets` carries out the instructions and turns what happens into events. The values are in
`states`, the way from one fleet to the next in `shifting`.

    Creating ──Ready──► InService ──Updated/Rescaled──► Updating ──(shifting)──► InService (the new fleet)
        └──Failed──► Failed                    └──Failed/Tripped/Expired──► RollingBack ──► InService (the old)
    RollingBack ──Failed──► UpdateRollbackFailed ──Updated──► Updating
    InService ──Restarted (the server was)──► SystemUpdating ──Ready──► InService, ──Failed──► Failed

A deployment that a restart of the server interrupted goes on: both fleets are launched again, traffic is shared as it
was, and the baking it was in begins anew (AWS has no such restart; to go on is what its own recovery would show).
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from penstock.localaws.sagemaker.hosting import deployment as progress
from penstock.localaws.sagemaker.hosting import shifting
from penstock.localaws.sagemaker.hosting.states import (
    CREATING,
    DELETING,
    FAILED,
    IN_SERVICE,
    ROLLING_BACK,
    SYSTEM_UPDATING,
    UPDATE_ROLLBACK_FAILED,
    UPDATING,
    Announce,
    Bake,
    Baked,
    Blueprint,
    Created,
    Deleted,
    Endpoint,
    Event,
    Expired,
    Failed,
    Fleet,
    Instruction,
    Launch,
    Limit,
    Outcome,
    Progress,
    Ready,
    Refused,
    Remove,
    Rescaled,
    Restarted,
    Settle,
    Settled,
    Tripped,
    Updated,
    Variant,
)

__all__ = [
    "CREATING",
    "DELETING",
    "FAILED",
    "IN_SERVICE",
    "ROLLING_BACK",
    "SYSTEM_UPDATING",
    "UPDATE_ROLLBACK_FAILED",
    "UPDATING",
    "Announce",
    "Bake",
    "Baked",
    "Blueprint",
    "Created",
    "Deleted",
    "Endpoint",
    "Event",
    "Expired",
    "Failed",
    "Fleet",
    "Instruction",
    "Launch",
    "Limit",
    "Progress",
    "Ready",
    "Refused",
    "Remove",
    "Rescaled",
    "Restarted",
    "Settle",
    "Settled",
    "Tripped",
    "Updated",
    "Variant",
    "from_document",
    "handle",
    "to_document",
]

_WORD = Ready | Failed | Baked | Tripped | Expired | Settled
_UNFINISHED = (CREATING, UPDATING, ROLLING_BACK)  # in these AWS does not delete
_TOO_LONG = "The deployment took longer than its MaximumExecutionTimeoutInSeconds."


def handle(endpoint: Endpoint, event: Event) -> Outcome:
    """The endpoint after `event`, and what to do; raises Refused when its state does not allow it."""
    if endpoint.status == DELETING and isinstance(event, _WORD):
        return endpoint, []  # nobody waits for it any more
    return _REACTIONS[type(event)](endpoint, event)


def _created(endpoint: Endpoint, event: Created) -> Outcome:
    kept = dataclasses.replace(endpoint, last_deployment=event.deployment)
    return _launched(kept, CREATING, Fleet(1, 1, event.blueprint), None)


def _updated(endpoint: Endpoint, event: Updated) -> Outcome:
    if endpoint.status not in (IN_SERVICE, UPDATE_ROLLBACK_FAILED):
        raise Refused(endpoint.status)
    endpoint, kept = shifting.sounder(endpoint)
    serial = endpoint.serial + 1
    green = Fleet(serial, serial, event.blueprint)
    begun = progress.begin(progress.policy_of(event.deployment), green.counts, kept)
    last = event.deployment or endpoint.last_deployment
    launched, todo = _launched(dataclasses.replace(endpoint, last_deployment=last), UPDATING, green, begun)
    return launched, [*todo, *_limit(launched)]


def _launched(
    endpoint: Endpoint, status: str, fleet: Fleet, deployment: progress.Deployment | None
) -> Outcome:
    launched = dataclasses.replace(
        endpoint,
        status=status,
        config=fleet.config,
        serial=fleet.serial,
        pending=fleet,
        failure=None,
        deployment=deployment,
    )
    return launched, [Launch(fleet), Announce(), Progress()]


def _limit(endpoint: Endpoint) -> list[Instruction]:
    timeout = endpoint.deployment.policy.timeout if endpoint.deployment else None
    return [] if timeout is None or endpoint.pending is None else [Limit(endpoint.pending.serial, timeout)]


def _rescaled(endpoint: Endpoint, event: Rescaled) -> Outcome:
    """The same generation with other numbers: instances that are there stay, missing ones are started."""
    active = endpoint.active
    if endpoint.status != IN_SERVICE or active is None:
        raise Refused(endpoint.status)
    variants = []
    for variant in active.variants:
        weight, count = event.changes.get(variant.name, (None, None))
        serverless = event.serverless.get(variant.name, {})
        variants.append(
            dataclasses.replace(
                variant,
                weight=variant.weight if weight is None else weight,
                count=variant.count if count is None else count,
                serverless={**variant.serverless, **serverless} if variant.serverless else None,
            )
        )
    blueprint = dataclasses.replace(active.blueprint, variants=tuple(variants))
    return _launched(endpoint, UPDATING, Fleet(endpoint.serial + 1, active.generation, blueprint), None)


def _ready(endpoint: Endpoint, event: Ready) -> Outcome:
    active, pending = endpoint.active, endpoint.pending
    if pending is not None and pending.serial == event.serial and endpoint.status != ROLLING_BACK:
        if endpoint.deployment is not None:
            return shifting.green_ready(endpoint, pending, endpoint.deployment)
        return _settling(endpoint, Announce(), status=IN_SERVICE, active=pending, pending=None)
    if active is None or active.serial != event.serial:
        return endpoint, []  # a launch that was overtaken
    return _up_again(endpoint)


def _up_again(endpoint: Endpoint) -> Outcome:
    """The active fleet was launched once more, after a restart of the server or in a roll-back, and is healthy."""
    if endpoint.status == ROLLING_BACK:
        return shifting.blue_ready(endpoint)
    if endpoint.status == SYSTEM_UPDATING:
        return _settling(endpoint, Announce(), status=IN_SERVICE)
    if endpoint.deployment is None:
        return endpoint, [Settle(endpoint.round)]
    standing = dataclasses.replace(endpoint.deployment, standing=True)
    return _gone_on(dataclasses.replace(endpoint, deployment=standing))


def _gone_on(endpoint: Endpoint) -> Outcome:
    """What became of the old fleet after a restart is known: the deployment goes on if the new one waits for that."""
    pending, deployment = endpoint.pending, endpoint.deployment
    if pending is not None and deployment is not None and deployment.arrived:
        return shifting.green_ready(endpoint, pending, deployment)
    return endpoint, [Settle(endpoint.round)]


def _settling(endpoint: Endpoint, *more: Instruction, **changes: Any) -> Outcome:
    turned = dataclasses.replace(endpoint, round=endpoint.round + 1, **changes)
    return turned, [Settle(turned.round), *more]


def _failed(endpoint: Endpoint, event: Failed) -> Outcome:
    serial, reason = event.serial, event.reason
    active, pending = endpoint.active, endpoint.pending
    if pending is not None and pending.serial == serial:
        return (endpoint, []) if endpoint.status == ROLLING_BACK else _given_up(endpoint, reason)
    if active is None or active.serial != serial or endpoint.status == UPDATE_ROLLBACK_FAILED:
        return endpoint, []
    if endpoint.status == ROLLING_BACK:
        return shifting.stuck(endpoint, reason)
    if pending is not None:
        return _gone_on(dataclasses.replace(endpoint, active=None))
    return _settling(endpoint, Announce(), status=FAILED, active=None, failure=reason, deployment=None)


def _given_up(endpoint: Endpoint, reason: str) -> Outcome:
    """The pending fleet is not to be: back to the active one, if there is one."""
    if endpoint.active is not None:
        return shifting.roll_back(endpoint, endpoint.active, reason)
    return _settling(endpoint, Announce(), status=FAILED, pending=None, failure=reason, deployment=None)


def _baked(endpoint: Endpoint, event: Baked) -> Outcome:
    if event.round != endpoint.round or endpoint.pending is None or endpoint.deployment is None:
        return endpoint, []
    return shifting.baked(endpoint, endpoint.pending, endpoint.deployment)


def _tripped(endpoint: Endpoint, event: Tripped) -> Outcome:
    if event.round != endpoint.round or endpoint.status != UPDATING or endpoint.pending is None:
        return endpoint, []
    return _given_up(endpoint, event.reason)


def _expired(endpoint: Endpoint, event: Expired) -> Outcome:
    pending = endpoint.pending
    if endpoint.status != UPDATING or pending is None or pending.serial != event.serial:
        return endpoint, []
    return _given_up(endpoint, _TOO_LONG)


def _settled(endpoint: Endpoint, event: Settled) -> Outcome:
    if event.round != endpoint.round or endpoint.status == UPDATE_ROLLBACK_FAILED:
        return endpoint, []
    if endpoint.deployment is not None:
        return shifting.settled(endpoint, endpoint.deployment)
    if endpoint.status != ROLLING_BACK:
        return endpoint, []
    return dataclasses.replace(endpoint, status=IN_SERVICE), [Announce()]


def _restarted(endpoint: Endpoint, _event: Restarted) -> Outcome:
    if endpoint.status == DELETING:
        return endpoint, [Remove()]
    again = _resumed(endpoint)
    launches: list[Instruction] = [Launch(f) for f in (again.active, again.pending) if f is not None]
    if again.status != endpoint.status:
        launches.append(Announce())
    return again, [*launches, *_limit(again)]


def _resumed(endpoint: Endpoint) -> Endpoint:
    """The endpoint as it is taken up: a deployment where it was, a roll-back as a whole, the rest as it should be."""
    if endpoint.status in (ROLLING_BACK, UPDATE_ROLLBACK_FAILED) and endpoint.active is not None:
        return dataclasses.replace(
            endpoint,
            status=ROLLING_BACK,
            pending=None,
            deployment=None,
            failure=None,
            round=endpoint.round + 1,
        )
    deployment = endpoint.deployment
    if endpoint.pending is not None and deployment is not None:
        phase = deployment.phase if deployment.phase == progress.CREATING else progress.RESUMING
        resumed = deployment.to(phase, standing=False, arrived=False)
        return dataclasses.replace(endpoint, deployment=resumed, round=endpoint.round + 1)
    if endpoint.status in (IN_SERVICE, UPDATING) and endpoint.pending is None:
        return dataclasses.replace(endpoint, status=SYSTEM_UPDATING, deployment=None)
    return endpoint


def _deleted(endpoint: Endpoint, _event: Deleted) -> Outcome:
    if endpoint.status == DELETING:
        return endpoint, []
    if endpoint.status in _UNFINISHED:
        raise Refused(endpoint.status)
    return dataclasses.replace(endpoint, status=DELETING), [Remove(), Announce()]


_REACTIONS: dict[type, Callable[[Endpoint, Any], Outcome]] = {
    Created: _created,
    Updated: _updated,
    Rescaled: _rescaled,
    Ready: _ready,
    Failed: _failed,
    Baked: _baked,
    Tripped: _tripped,
    Expired: _expired,
    Settled: _settled,
    Restarted: _restarted,
    Deleted: _deleted,
}


def to_document(endpoint: Endpoint) -> dict[str, Any]:
    """The endpoint as a JSON object."""
    return dataclasses.asdict(endpoint)


def from_document(document: Mapping[str, Any]) -> Endpoint:
    """The endpoint `to_document` wrote."""
    fleets = {which: _fleet(document[which]) for which in ("active", "pending")}
    deployment = progress.from_document(document.get("deployment"))
    return Endpoint(**{**document, **fleets, "deployment": deployment})


def _fleet(document: Mapping[str, Any] | None) -> Fleet | None:
    if document is None:
        return None
    blueprint = document["blueprint"]
    listed = {
        which: tuple(Variant(**variant) for variant in blueprint[which]) for which in ("variants", "shadows")
    }
    return Fleet(**{**document, "blueprint": Blueprint(**{**blueprint, **listed})})
