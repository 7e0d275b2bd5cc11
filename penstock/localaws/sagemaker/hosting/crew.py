"""The instances of all endpoints: started for fleets, ended when no fleet needs them, shown to routes and to metrics.

    <root>/endpoints/<endpoint>/<variant>/<generation>/opt/ml/model   the unpacked model.tar.gz
    /aws/sagemaker/Endpoints/<endpoint>, stream <variant>/<instance>  what the model server prints

Whoever calls holds the lock that orders changes of endpoints, except where a method says it blocks.
"""

import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from penstock.localaws.sagemaker import images
from penstock.localaws.sagemaker.faults import JobFault
from penstock.localaws.sagemaker.hosting import artifacts, blueprints
from penstock.localaws.sagemaker.hosting.deployment import Shares, instances
from penstock.localaws.sagemaker.hosting.instances import Instance, unheard
from penstock.localaws.sagemaker.hosting.metrics import EndpointMetrics
from penstock.localaws.sagemaker.hosting.routing import Route, RoutedVariant
from penstock.localaws.sagemaker.hosting.server import LogOf, ServingProcess
from penstock.localaws.sagemaker.hosting.shifting import Part
from penstock.localaws.sagemaker.hosting.states import Fleet, Variant
from penstock.localaws.sagemaker.plane import Plane

MOST_INSTANCES = 4  # processes of one variant, however many instances were asked for: they share one machine
Key = tuple[int, str, int]  # generation, variant, number


class Overtaken(Exception):
    """What is being launched is not wanted any more."""


class Crew:
    """Instances by endpoint and key."""

    def __init__(self, plane: Plane, metrics: EndpointMetrics) -> None:
        self._plane = plane
        self._serving = ServingProcess(plane)
        self._metrics = metrics
        self._instances: dict[str, dict[Key, Instance]] = {}

    def directory(self, *parts: str | int) -> Path:
        """Where an endpoint (a variant, a generation) keeps its files."""
        return self._plane.place.root.joinpath("endpoints", *map(str, parts))

    def everybody(self) -> list[tuple[str, str, Instance]]:
        """Endpoint, variant and instance of all there are."""
        found = [(name, list(mine.items())) for name, mine in list(self._instances.items())]
        return [(name, key[1], instance) for name, mine in found for key, instance in mine]

    def unpack(self, name: str, fleet: Fleet) -> None:
        """Blocks: bring every model of the fleet to its directory; raises artifacts.Unusable or JobFault."""
        for variant in fleet.everything:
            try:
                images.find(variant.image)
            except JobFault as unknown:
                raise JobFault(_no_image(variant, str(unknown))) from unknown
            model = self.directory(name, variant.name, fleet.generation) / "opt/ml/model"
            s3 = self._plane.client("s3")
            artifacts.unpack(s3, variant.model_data, model, variant.download, variant.data_kind)

    def instance(self, name: str, fleet: Fleet, variant: Variant, number: int) -> Instance:
        """The instance of that number, started unless it is there."""
        mine = self._instances.setdefault(name, {})
        key = (fleet.generation, variant.name, number)
        if key not in mine or mine[key].failed:
            opt_ml = self.directory(name, variant.name, fleet.generation) / "opt/ml"
            settings = blueprints.settings(fleet.blueprint, variant)
            starter = self._serving.starter(variant, opt_ml, _log_of(name, variant), settings)
            told = self._told(name, variant)
            mine[key] = Instance(starter, variant.patience, on_healthy=told, opt_ml=opt_ml)
        return mine[key]

    def _told(self, name: str, variant: Variant) -> Callable[[float], None]:
        """Where a start's length goes: serverless variants have a metric of it."""
        if variant.serverless is None:
            return unheard
        return lambda seconds: self._metrics.setup(name, variant.name, seconds * 1e6)

    def route(self, name: str, parts: list[Part], shadowed: Fleet | None) -> Route:
        """Where requests go while the fleets have those parts in the traffic."""
        if not parts:
            return Route()
        split = len(parts) > 1
        variants = [one for part in parts for one in self._routed(name, part, split)]
        fleet = shadowed or parts[-1].fleet
        shadows = [
            RoutedVariant(variant, self._running(name, fleet, variant, 1.0), config=fleet.config)
            for variant in fleet.blueprint.shadows
        ]
        return Route(variants, shadows, fleet.blueprint)

    def _routed(self, name: str, part: Part, split: bool) -> Iterator[RoutedVariant]:
        shares = _weights(part) if split else {}
        for variant in part.fleet.variants:
            running = self._running(name, part.fleet, variant, part.live.get(variant.name, 0.0))
            yield RoutedVariant(
                variant,
                running,
                share=shares.get(variant.name),
                part=part.parts.get(variant.name, 0.0),
                config=part.fleet.config,
            )

    def _running(self, name: str, fleet: Fleet, variant: Variant, share: float) -> list[Instance]:
        mine = self._instances.get(name, {})
        keys = [(fleet.generation, variant.name, number) for number in range(processes(variant, share))]
        return [mine[key] for key in keys if key in mine]

    def surplus(self, name: str, wanted: list[tuple[Fleet, Shares]]) -> dict[Key, Instance]:
        """Take out the instances that none of the fleets needs."""
        kept = {
            (fleet.generation, v.name, number)
            for fleet, shares in wanted
            for v, number in numbered(fleet, shares)
        }
        mine = self._instances.get(name, {})
        return {key: mine.pop(key) for key in list(mine) if key not in kept}

    def everything_of(self, name: str) -> dict[Key, Instance]:
        """Take out all instances of an endpoint."""
        return self._instances.pop(name, {})

    def end(self, name: str, ending: Mapping[Key, Instance], generations: set[int]) -> None:
        """Blocks: let instances finish what they do, stop them; remove files of generations that are not named."""
        together([instance.drain_and_stop for instance in ending.values()])
        for generation, variant, _ in ending:
            if generation not in generations:
                shutil.rmtree(self.directory(name, variant, generation), ignore_errors=True)


def processes(variant: Variant, share: float) -> int:
    """Processes that stand for a share of a variant's instances."""
    most = 1 if variant.serverless is not None else min(variant.count, MOST_INSTANCES)
    return instances(share, most)


def numbered(fleet: Fleet, shares: Shares) -> list[tuple[Variant, int]]:
    """Each variant with the numbers of the processes that stand for its share; shadows are there as a whole."""
    return [
        (variant, number)
        for variant in fleet.everything
        for number in range(processes(variant, shares.get(variant.name, 1.0)))
    ]


def unhealthy(variant: Variant, why: str) -> str:
    """The FailureReason of a container that does not come up, in AWS's words; what it said follows."""
    return (
        f"The primary container for production variant {variant.name} did not pass the ping health check. "
        f"Please check CloudWatch logs for this endpoint. {re.sub(r'[^ -~]+', ' ', why)}"
    )[:1024]


def together(actions: list[Callable[[], None]]) -> None:
    """Do all at once and wait for the last."""
    threads = [threading.Thread(target=action, daemon=True) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _weights(part: Part) -> dict[str, float]:
    """Shares of all traffic of a fleet's variants, while two fleets have some."""
    weights = {v.name: v.weight * (part.parts.get(v.name, 0.0) or 0.0) for v in part.fleet.variants}
    total = sum(weights.values())
    return {name: part.share * weight / total if total else 0.0 for name, weight in weights.items()}


def _no_image(variant: Variant, hint: str) -> str:
    return (
        f"Please make sure all images included in the model for the production variant {variant.name} exist, and that "
        f"the execution role used to create the model has permissions to access them. {hint}"
    )[:1024]


def _log_of(endpoint: str, variant: Variant) -> LogOf:
    return lambda instance: (f"/aws/sagemaker/Endpoints/{endpoint}", f"{variant.name}/{instance}")
