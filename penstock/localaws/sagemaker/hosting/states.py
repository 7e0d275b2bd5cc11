"""What an endpoint is, what may happen to it and what may have to be done: values only; `lifecycle.handle` reacts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.localaws.sagemaker.hosting.deployment import Deployment

CREATING, UPDATING, IN_SERVICE, FAILED = "Creating", "Updating", "InService", "Failed"
SYSTEM_UPDATING, ROLLING_BACK, DELETING = "SystemUpdating", "RollingBack", "Deleting"
UPDATE_ROLLBACK_FAILED = "UpdateRollbackFailed"
IN_PROGRESS = (CREATING, UPDATING, ROLLING_BACK, SYSTEM_UPDATING, DELETING)


class Refused(Exception):
    """The endpoint's state does not allow what was asked; `in_progress` tells a passing state from a final one."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status
        self.in_progress = status in IN_PROGRESS


@dataclass(frozen=True)
class Variant:
    """A production variant with its model as it was when the fleet was asked for.

    Attributes:
        count: instances asked for.
        weight: share of the traffic, relative to the sum of all.
        patience: seconds the container may take until /ping answers 200.
        mode: SingleModel or MultiModel, as the container says.
        serverless: the variant's ServerlessConfig, None for one on instances.
        download: seconds the model data may take to arrive, None without a limit.
        data_kind: what `model_data` is: Archive (model.tar.gz), Object, Prefix (as they are), Many (a multi-model's).
        routing: RANDOM (instances take turns) or LEAST_OUTSTANDING_REQUESTS.
        caches_models: whether a multi-model container keeps models it has loaded.
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
    download: float | None = None
    data_kind: str = "Archive"
    routing: str = "RANDOM"
    caches_models: bool = True


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

    @property
    def counts(self) -> dict[str, int]:
        """Instances asked for by variant."""
        return {variant.name: variant.count for variant in self.variants}


@dataclass(frozen=True)
class Endpoint:
    """An endpoint: `active` takes the traffic, `pending` is on its way; `config` is the one last asked for.

    Attributes:
        deployment: how far `pending` has taken over; None when it does so as a whole.
        last_deployment: the DeploymentConfig last asked for, as AWS's LastDeploymentConfig.
        round: number of the last Settle or Bake; word of an earlier one changes nothing.
    """

    name: str
    status: str
    config: str
    serial: int = 0
    active: Fleet | None = None
    pending: Fleet | None = None
    failure: str | None = None
    deployment: Deployment | None = None
    last_deployment: Mapping[str, Any] | None = None
    round: int = 0


@dataclass(frozen=True)
class Created:
    """CreateEndpoint; its DeploymentConfig is kept for updates to come."""

    blueprint: Blueprint
    deployment: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Updated:
    """UpdateEndpoint: another configuration, on a new fleet, moved to as its DeploymentConfig says."""

    blueprint: Blueprint
    deployment: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Rescaled:
    """UpdateEndpointWeightsAndCapacities: by variant, weight and count (None: as it is), and ServerlessConfig."""

    changes: Mapping[str, tuple[float | None, int | None]]
    serverless: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class Ready:
    """Every instance the fleet of that serial was to have answers /ping."""

    serial: int


@dataclass(frozen=True)
class Failed:
    """The fleet of that serial cannot go into service."""

    serial: int
    reason: str


@dataclass(frozen=True)
class Baked:
    """The baking of that round has passed and no alarm went off."""

    round: int


@dataclass(frozen=True)
class Tripped:
    """An alarm went off in the baking of that round."""

    round: int
    reason: str


@dataclass(frozen=True)
class Expired:
    """The deployment of the fleet of that serial has taken longer than MaximumExecutionTimeoutInSeconds."""

    serial: int


@dataclass(frozen=True)
class Settled:
    """Traffic goes as the Settle of that round asked, and the instances no longer wanted have ended."""

    round: int


@dataclass(frozen=True)
class Restarted:
    """The server was restarted: no process of the endpoint runs any more."""


@dataclass(frozen=True)
class Deleted:
    """DeleteEndpoint."""


Event = (
    Created | Updated | Rescaled | Ready | Failed | Baked | Tripped | Expired | Settled | Restarted | Deleted
)


@dataclass(frozen=True)
class Launch:
    """Start what the fleet lacks; answer with Ready or Failed."""

    fleet: Fleet


@dataclass(frozen=True)
class Settle:
    """Route as `traffic` says and end every instance `capacity` does not name; answer with Settled."""

    round: int


@dataclass(frozen=True)
class Bake:
    """Watch the alarms for so many seconds; answer with Baked or Tripped."""

    round: int
    seconds: float
    alarms: tuple[str, ...]


@dataclass(frozen=True)
class Limit:
    """Answer with Expired when the deployment of that fleet has taken so many seconds since it was asked for."""

    serial: int
    seconds: float


@dataclass(frozen=True)
class Remove:
    """End everything of the endpoint, then forget it."""


@dataclass(frozen=True)
class Announce:
    """Tell EventBridge the status; `reason` when it is a failure nobody else would see."""

    reason: str | None = None


@dataclass(frozen=True)
class Progress:
    """Tell EventBridge how far the deployment is."""


Instruction = Launch | Settle | Bake | Limit | Remove | Announce | Progress
Outcome = tuple[Endpoint, list[Instruction]]
