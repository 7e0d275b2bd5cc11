"""Endpoints as processes: carries out what `endpoint_lifecycle` decides and tells it what came of it.

    <root>/endpoints/<endpoint>/<variant>/<generation>/opt/ml/model   the unpacked model.tar.gz
    /aws/sagemaker/Endpoints/<endpoint>, stream <variant>/<instance>  what the model server prints

One lock orders everything that changes an endpoint; starting, draining and stopping happen in threads outside it.
What the runtime reads on the event loop (`routes`, `statuses`) is replaced as a whole, so it needs no lock.
"""

import logging
import re
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.localaws.sagemaker import images, tags
from penstock.localaws.sagemaker.faults import JobFault
from penstock.localaws.sagemaker.hosting import (
    artifacts,
)
from penstock.localaws.sagemaker.hosting import (
    events as endpoint_events,
)
from penstock.localaws.sagemaker.hosting import (
    lifecycle as endpoint_lifecycle,
)
from penstock.localaws.sagemaker.hosting.instances import Instance
from penstock.localaws.sagemaker.hosting.lifecycle import (
    Announce,
    Created,
    Endpoint,
    Event,
    Failed,
    Fleet,
    Instruction,
    Launch,
    Ready,
    Remove,
    Restarted,
    Settle,
    Settled,
    Variant,
)
from penstock.localaws.sagemaker.hosting.metrics import EndpointMetrics
from penstock.localaws.sagemaker.hosting.routing import Route, RoutedVariant
from penstock.localaws.sagemaker.hosting.server import LogOf, ServingProcess
from penstock.localaws.sagemaker.names import arn
from penstock.localaws.sagemaker.plane import Plane

log = logging.getLogger("penstock.localaws.sagemaker")

KIND = "endpoint"
MOST_INSTANCES = 4  # processes of one variant, however many instances were asked for: they share one machine
_LAST_SECONDS = 3.0  # for a model server when the whole server stops
_Key = tuple[int, str, int]  # generation, variant, number


class Overtaken(Exception):
    """What is being launched is not wanted any more."""


class Hosting:
    """All endpoints of a plane. `apply` is the one way to change one."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._serving = ServingProcess(plane)
        self._lock = threading.RLock()
        self._instances: dict[str, dict[_Key, Instance]] = {}
        self._wanted: dict[str, set[int]] = {}  # serials of the fleets that may have instances
        self._stopping = False
        self._postponed: list[tuple[Endpoint, Instruction]] | None = []  # until `start`; None from then on
        self.routes: Mapping[str, Route] = {}
        self.statuses: Mapping[str, str] = {}
        self.metrics = EndpointMetrics(lambda: plane.client("cloudwatch"))
        self._take_up()

    def apply(self, name: str, event: Event) -> Endpoint | None:
        """Carry an event through: store what the endpoint is now and do what follows; None if there is none.

        Raises endpoint_lifecycle.Refused when the endpoint's state does not allow the event.
        """
        with self._lock:
            document = self._plane.store.get(KIND, name)
            if document is None or self._stopping:
                return None
            before = endpoint_lifecycle.from_document(document["endpoint"])
            endpoint, instructions = endpoint_lifecycle.handle(before, event)
            if endpoint != before:
                document["endpoint"] = endpoint_lifecycle.to_document(endpoint)
                document["modified"] = self._plane.clock.now()
                self._plane.store.put(KIND, name, document)
            self._follow(endpoint, document, instructions)
            return endpoint

    def create(self, name: str, event: Created) -> bool:
        """Begin an endpoint's life; says whether there was none of that name."""
        with self._lock:
            empty = Endpoint(name, endpoint_lifecycle.CREATING, event.blueprint.config)
            endpoint, instructions = endpoint_lifecycle.handle(empty, event)
            now = self._plane.clock.now()
            document = {"endpoint": endpoint_lifecycle.to_document(endpoint), "created": now, "modified": now}
            if self._stopping or not self._plane.store.create(KIND, name, document):
                return False
            shutil.rmtree(self._directory(name), ignore_errors=True)  # what one of that name may have left
            self._follow(endpoint, document, instructions)
            return True

    def _follow(self, endpoint: Endpoint, document: dict[str, Any], instructions: list[Instruction]) -> None:
        self.statuses = {**self.statuses, endpoint.name: endpoint.status}
        fleets = (endpoint.active, endpoint.pending)
        self._wanted[endpoint.name] = {fleet.serial for fleet in fleets if fleet is not None}
        for instruction in instructions:
            self._carry_out(endpoint, document, instruction)

    def _take_up(self) -> None:
        """Whatever was InService when the server ended is so no longer, before anybody can ask for it."""
        for name, _ in self._plane.store.all(KIND):
            self.apply(name, Restarted())
        for left in self._directory().glob("*"):
            if left.name not in self.statuses:
                shutil.rmtree(left, ignore_errors=True)

    def start(self) -> None:
        """Bring up every endpoint that was there when the server ended; does not wait for them."""
        with self._lock:
            postponed, self._postponed = self._postponed or [], None
            for endpoint, instruction in postponed:
                self._carry_out(endpoint, {}, instruction)

    def stop(self) -> None:
        """End every process; endpoints stay what they are, for the next start."""
        with self._lock:
            self._stopping = True
            running = [instance for some in self._instances.values() for instance in some.values()]
        for instance in running:
            instance.ask_to_stop(_LAST_SECONDS)
        for instance in running:
            instance.stop(_LAST_SECONDS)
        self.metrics.close()

    def _carry_out(self, endpoint: Endpoint, document: dict[str, Any], instruction: Instruction) -> None:
        if self._postponed is not None and isinstance(instruction, Launch | Remove):
            self._postponed.append((endpoint, instruction))  # the embedded AWS does not answer us yet
            return
        match instruction:
            case Launch(fleet):
                _in_thread(self._launch, endpoint.name, fleet)
            case Settle():
                self._settle(endpoint)
            case Remove():
                self._remove(endpoint.name)
            case Announce(reason):
                endpoint_events.announce(self._plane, endpoint, document, reason)

    def _launch(self, name: str, fleet: Fleet) -> None:
        """In a thread: models unpacked, instances started and healthy; or the reason why not."""
        try:
            problem = self._start_all(name, fleet)
        except Overtaken:
            return
        except (artifacts.Unusable, JobFault) as error:
            problem = str(error)
        except Exception as error:
            log.exception("endpoint %s cannot be launched", name)
            problem = f"{type(error).__name__}: {error}"
        if problem is not None:
            log.warning("endpoint %s, configuration %s: %s", name, fleet.config, problem)
        self.apply(name, Ready(fleet.serial) if problem is None else Failed(fleet.serial, problem))

    def _start_all(self, name: str, fleet: Fleet) -> str | None:
        """None when all instances are healthy; else why the first that is not will not be."""
        for variant in fleet.everything:
            images.find(variant.image)
            model = self._directory(name, variant.name, fleet.generation) / "opt/ml/model"
            artifacts.unpack(self._plane.client("s3"), variant.model_data, model)
        started = [(v, self._instance(name, fleet, v, number)) for v, number in _numbered(fleet)]
        return next((_reason(v, why) for v, one in started if (why := one.wait_healthy())), None)

    def _instance(self, name: str, fleet: Fleet, variant: Variant, number: int) -> Instance:
        """The instance of that number, started unless it runs; raises Overtaken when it is no longer wanted."""
        opt_ml = self._directory(name, variant.name, fleet.generation) / "opt/ml"
        with self._lock:
            if self._stopping or fleet.serial not in self._wanted.get(name, ()):
                raise Overtaken
            mine = self._instances.setdefault(name, {})
            key = (fleet.generation, variant.name, number)
            if key not in mine:
                mine[key] = Instance(
                    self._serving.starter(variant, opt_ml, _log_of(name, variant)), variant.patience
                )
            return mine[key]

    def _settle(self, endpoint: Endpoint) -> None:
        mine = self._instances.get(endpoint.name, {})
        self.routes = {**self.routes, endpoint.name: _route(endpoint.active, mine)}
        fleets = [fleet for fleet in (endpoint.active, endpoint.pending) if fleet is not None]
        kept = {(fleet.generation, v.name, number) for fleet in fleets for v, number in _numbered(fleet)}
        surplus = {key: mine.pop(key) for key in list(mine) if key not in kept}
        _in_thread(self._end, endpoint.name, surplus, {fleet.generation for fleet in fleets})

    def _end(self, name: str, surplus: Mapping[_Key, Instance], generations: set[int]) -> None:
        """In a thread: old instances drained and stopped, their files removed."""
        _together([instance.drain_and_stop for instance in surplus.values()])
        for generation, variant, _ in surplus:
            if generation not in generations:
                shutil.rmtree(self._directory(name, variant, generation), ignore_errors=True)
        self.apply(name, Settled())

    def _remove(self, name: str) -> None:
        self._wanted.pop(name, None)
        self.routes = {other: route for other, route in self.routes.items() if other != name}
        _in_thread(self._forget, name, self._instances.pop(name, {}))

    def _forget(self, name: str, instances: Mapping[_Key, Instance]) -> None:
        """In a thread: everything of a deleted endpoint gone, its name last."""
        _together([instance.drain_and_stop for instance in instances.values()])
        with self._lock:
            if self._stopping:
                return
            shutil.rmtree(self._directory(name), ignore_errors=True)
            self._plane.store.delete(KIND, name)
            tags.drop(self._plane, arn(self._plane.place, KIND, name))
            self.statuses = {other: status for other, status in self.statuses.items() if other != name}

    def _directory(self, *parts: str | int) -> Path:
        return self._plane.place.root.joinpath("endpoints", *map(str, parts))


def on_start(plane: Plane) -> None:
    """Take up the endpoints of before."""
    plane.part(Hosting).start()


def on_stop(plane: Plane) -> None:
    """End every model server."""
    plane.part(Hosting).stop()


def _log_of(endpoint: str, variant: Variant) -> LogOf:
    return lambda instance: (f"/aws/sagemaker/Endpoints/{endpoint}", f"{variant.name}/{instance}")


def _numbered(fleet: Fleet) -> list[tuple[Variant, int]]:
    return [(v, number) for v in fleet.everything for number in range(min(v.count, MOST_INSTANCES))]


def _route(fleet: Fleet | None, instances: Mapping[_Key, Instance]) -> Route:
    if fleet is None:
        return Route()

    def routed(variant: Variant) -> RoutedVariant:
        keys = [(fleet.generation, v.name, number) for v, number in _numbered(fleet) if v is variant]
        return RoutedVariant(variant, [instances[key] for key in keys if key in instances])

    blueprint = fleet.blueprint
    return Route(
        [routed(one) for one in blueprint.variants], [routed(one) for one in blueprint.shadows], blueprint
    )


def _reason(variant: Variant, why: str) -> str:
    return (
        f"The primary container for production variant {variant.name} did not pass the ping health check. "
        f"Please check CloudWatch logs for this endpoint. {re.sub(r'[^ -~]+', ' ', why)}"
    )[:1024]


def _together(actions: list[Any]) -> None:
    threads = [threading.Thread(target=action, daemon=True) for action in actions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _in_thread(action: Any, *arguments: Any) -> None:
    threading.Thread(target=action, args=arguments, name=f"hosting-{action.__name__}", daemon=True).start()
