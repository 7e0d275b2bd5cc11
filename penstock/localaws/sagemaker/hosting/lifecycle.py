"""An endpoint's life as values: `handle(endpoint, event)` returns the endpoint after it and what has to be done.

No I/O and no clock here; `hosting` carries out the instructions and turns what happens into events.

    Creating ──Ready──► InService ──Updated/Rescaled──► Updating ──Ready──► InService (the new fleet)
        └──Failed──► Failed                                └──Failed──► RollingBack ──Settled──► InService (the old)
    InService ──Restarted (the server was)──► SystemUpdating ──Ready──► InService, ──Failed──► Failed

A fleet is blue or green as a whole: the pending one takes traffic when all of it is healthy, never before.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

CREATING, UPDATING, IN_SERVICE, FAILED = "Creating", "Updating", "InService", "Failed"
SYSTEM_UPDATING, ROLLING_BACK, DELETING = "SystemUpdating", "RollingBack", "Deleting"
_IN_PROGRESS = (CREATING, UPDATING, ROLLING_BACK, SYSTEM_UPDATING, DELETING)


class Refused(Exception):
    """The endpoint's state does not allow what was asked; `in_progress` tells a passing state from a final one."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status
        self.in_progress = status in _IN_PROGRESS


@dataclass(frozen=True)
class Variant:
    """A production variant with its model as it was when the fleet was asked for.

    Attributes:
        count: instances asked for.
        weight: share of the traffic, relative to the sum of all.
        patience: seconds the container may take until /ping answers 200.
        mode: SingleModel or MultiModel, as the container says.
        serverless: the variant's ServerlessConfig, None for one on instances.
    """

    name: str
    model: str
    image: str
    model_data: str | None
    environment: Mapping[str, str]
    count: int
    weight: float
    patience: float
    mode: str = "SingleModel"
    serverless: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Blueprint:
    """What a fleet is made from: an endpoint configuration with its models as they are now.

    Attributes:
        shadows: get a copy of the traffic; what they answer is discarded.
        capture: the configuration's DataCaptureConfig, asynchronous: its AsyncInferenceConfig; None without.
    """

    config: str
    variants: tuple[Variant, ...]
    shadows: tuple[Variant, ...] = ()
    capture: Mapping[str, Any] | None = None
    asynchronous: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Fleet:
    """Variants that go into service together.

    `serial` tells one launch from another; fleets of one `generation` share processes and unpacked models.
    """

    serial: int
    generation: int
    blueprint: Blueprint

    @property
    def config(self) -> str:
        """The endpoint configuration's name."""
        return self.blueprint.config

    @property
    def variants(self) -> tuple[Variant, ...]:
        """Those that take traffic."""
        return self.blueprint.variants

    @property
    def everything(self) -> tuple[Variant, ...]:
        """Variants and shadows: whatever needs processes. Names are unique among them."""
        return self.blueprint.variants + self.blueprint.shadows


@dataclass(frozen=True)
class Endpoint:
    """An endpoint: `active` takes the traffic, `pending` is on its way; `config` is the one last asked for."""

    name: str
    status: str
    config: str
    serial: int = 0
    active: Fleet | None = None
    pending: Fleet | None = None
    failure: str | None = None


@dataclass(frozen=True)
class Created:
    """CreateEndpoint."""

    blueprint: Blueprint


@dataclass(frozen=True)
class Updated:
    """UpdateEndpoint: another configuration, on a new fleet."""

    blueprint: Blueprint


@dataclass(frozen=True)
class Rescaled:
    """UpdateEndpointWeightsAndCapacities: weight and count by variant, None for unchanged."""

    changes: Mapping[str, tuple[float | None, int | None]]


@dataclass(frozen=True)
class Ready:
    """Every instance of the fleet of that serial answers /ping."""

    serial: int


@dataclass(frozen=True)
class Failed:
    """The fleet of that serial cannot go into service."""

    serial: int
    reason: str


@dataclass(frozen=True)
class Settled:
    """The instances that were no longer wanted have ended."""


@dataclass(frozen=True)
class Restarted:
    """The server was restarted: no process of the endpoint runs any more."""


@dataclass(frozen=True)
class Deleted:
    """DeleteEndpoint."""


Event = Created | Updated | Rescaled | Ready | Failed | Settled | Restarted | Deleted


@dataclass(frozen=True)
class Launch:
    """Start what the fleet lacks; answer with Ready or Failed."""

    fleet: Fleet


@dataclass(frozen=True)
class Settle:
    """Route to the active fleet and end every instance neither it nor the pending one needs; answer with Settled."""


@dataclass(frozen=True)
class Remove:
    """End everything of the endpoint, then forget it."""


@dataclass(frozen=True)
class Announce:
    """Tell EventBridge the status; `reason` when it is a failure nobody else would see."""

    reason: str | None = None


Instruction = Launch | Settle | Remove | Announce
Outcome = tuple[Endpoint, list[Instruction]]


def handle(endpoint: Endpoint, event: Event) -> Outcome:
    """The endpoint after `event`, and what to do; raises Refused when its state does not allow it."""
    if endpoint.status == DELETING and isinstance(event, Ready | Failed | Settled):
        return endpoint, []  # nobody waits for it any more
    return _REACTIONS[type(event)](endpoint, event)


def _created(endpoint: Endpoint, event: Created) -> Outcome:
    return _launched(endpoint, CREATING, Fleet(1, 1, event.blueprint))


def _updated(endpoint: Endpoint, event: Updated) -> Outcome:
    _must_be_in_service(endpoint)
    serial = endpoint.serial + 1
    return _launched(endpoint, UPDATING, Fleet(serial, serial, event.blueprint))


def _must_be_in_service(endpoint: Endpoint) -> Fleet:
    if endpoint.status != IN_SERVICE or endpoint.active is None:
        raise Refused(endpoint.status)
    return endpoint.active


def _launched(endpoint: Endpoint, status: str, fleet: Fleet) -> Outcome:
    launched = dataclasses.replace(
        endpoint, status=status, config=fleet.config, serial=fleet.serial, pending=fleet, failure=None
    )
    return launched, [Launch(fleet), Announce()]


def _rescaled(endpoint: Endpoint, event: Rescaled) -> Outcome:
    """The same generation with other numbers: instances that are there stay, missing ones are started."""
    active = _must_be_in_service(endpoint)
    variants = []
    for variant in active.variants:
        weight, count = event.changes.get(variant.name, (None, None))
        variants.append(
            dataclasses.replace(
                variant,
                weight=variant.weight if weight is None else weight,
                count=variant.count if count is None else count,
            )
        )
    blueprint = dataclasses.replace(active.blueprint, variants=tuple(variants))
    fleet = Fleet(endpoint.serial + 1, active.generation, blueprint)
    return _launched(endpoint, UPDATING, fleet)


def _ready(endpoint: Endpoint, event: Ready) -> Outcome:
    serial = event.serial
    if endpoint.pending is not None and endpoint.pending.serial == serial:
        ready = dataclasses.replace(endpoint, status=IN_SERVICE, active=endpoint.pending, pending=None)
        return ready, [Settle(), Announce()]
    if endpoint.active is None or endpoint.active.serial != serial:
        return endpoint, []  # a launch that was overtaken
    if endpoint.status == SYSTEM_UPDATING:
        return dataclasses.replace(endpoint, status=IN_SERVICE), [Settle(), Announce()]
    return endpoint, [Settle()]


def _failed(endpoint: Endpoint, event: Failed) -> Outcome:
    serial, reason = event.serial, event.reason
    active, pending = endpoint.active, endpoint.pending
    if pending is not None and pending.serial == serial:
        if active is None:
            failed = dataclasses.replace(endpoint, status=FAILED, pending=None, failure=reason)
            return failed, [Settle(), Announce()]
        # As AWS: back to the old configuration without a FailureReason. The event is the only one who tells.
        back = dataclasses.replace(endpoint, status=ROLLING_BACK, pending=None, config=active.config)
        return back, [Settle(), Announce(reason)]
    if active is None or active.serial != serial:
        return endpoint, []
    if pending is not None:
        return dataclasses.replace(endpoint, active=None), [Settle()]
    failed = dataclasses.replace(endpoint, status=FAILED, active=None, failure=reason)
    return failed, [Settle(), Announce()]


def _settled(endpoint: Endpoint, _event: Settled) -> Outcome:
    if endpoint.status != ROLLING_BACK:
        return endpoint, []
    return dataclasses.replace(endpoint, status=IN_SERVICE), [Announce()]


def _restarted(endpoint: Endpoint, _event: Restarted) -> Outcome:
    if endpoint.status == DELETING:
        return endpoint, [Remove()]
    launches: list[Instruction] = [Launch(f) for f in (endpoint.active, endpoint.pending) if f is not None]
    if endpoint.status in (IN_SERVICE, ROLLING_BACK):
        return dataclasses.replace(endpoint, status=SYSTEM_UPDATING), [*launches, Announce()]
    return endpoint, launches


def _deleted(endpoint: Endpoint, _event: Deleted) -> Outcome:
    if endpoint.status == DELETING:
        return endpoint, []
    if endpoint.status in (CREATING, UPDATING, ROLLING_BACK):
        raise Refused(endpoint.status)
    return dataclasses.replace(endpoint, status=DELETING), [Remove(), Announce()]


_REACTIONS: dict[type, Callable[[Endpoint, Any], Outcome]] = {
    Created: _created,
    Updated: _updated,
    Rescaled: _rescaled,
    Ready: _ready,
    Failed: _failed,
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
    return Endpoint(**{**document, **fleets})


def _fleet(document: Mapping[str, Any] | None) -> Fleet | None:
    if document is None:
        return None
    blueprint = document["blueprint"]
    listed = {
        which: tuple(Variant(**variant) for variant in blueprint[which]) for which in ("variants", "shadows")
    }
    return Fleet(**{**document, "blueprint": Blueprint(**{**blueprint, **listed})})
