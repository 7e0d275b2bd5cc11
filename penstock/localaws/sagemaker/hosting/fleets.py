"""Endpoints as processes: carries out what `lifecycle` decides and tells it what came of it.

One lock orders everything that changes an endpoint; starting, draining, stopping, baking happen in threads outside it.
What the runtime reads on the event loop (`routes`, `statuses`) is replaced as a whole, so it needs no lock.
"""

import logging
import shutil
import threading
from collections.abc import Mapping
from typing import Any

from penstock.localaws.sagemaker import tags
from penstock.localaws.sagemaker.faults import JobFault
from penstock.localaws.sagemaker.hosting import artifacts, lifecycle, shifting
from penstock.localaws.sagemaker.hosting import events as endpoint_events
from penstock.localaws.sagemaker.hosting.capture import Captures
from penstock.localaws.sagemaker.hosting.crew import Crew, Key, Overtaken, numbered, together, unhealthy
from penstock.localaws.sagemaker.hosting.deployment import Shares
from penstock.localaws.sagemaker.hosting.instances import Instance
from penstock.localaws.sagemaker.hosting.lifecycle import (
    Announce,
    Bake,
    Created,
    Endpoint,
    Event,
    Failed,
    Fleet,
    Instruction,
    Launch,
    Limit,
    Progress,
    Ready,
    Remove,
    Restarted,
    Settle,
    Settled,
)
from penstock.localaws.sagemaker.hosting.metrics import EndpointMetrics
from penstock.localaws.sagemaker.hosting.routing import Route
from penstock.localaws.sagemaker.hosting.usage import Usage
from penstock.localaws.sagemaker.hosting.watch import Watch
from penstock.localaws.sagemaker.names import arn
from penstock.localaws.sagemaker.plane import Plane

log = logging.getLogger("penstock.localaws.sagemaker")

KIND = "endpoint"
_LAST_SECONDS = 3.0  # for a model server when the whole server stops
_LONGEST_END = 30.0  # seconds for a launch to notice that all is over: a download from S3 at most
_NOT_YET = Launch | Remove | Settle | Bake | Limit  # need the embedded AWS to answer


class Hosting:
    """All endpoints of a plane. `apply` is the one way to change one."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._lock = threading.RLock()
        # By endpoint: its round, and the serials of the fleets that may have instances.
        self._rounds: dict[str, tuple[int, set[int]]] = {}
        self._stopping = False
        self._threads: list[threading.Thread] = []
        # What has to wait until the embedded AWS answers; None once it does.
        self._postponed: list[tuple[Endpoint, dict[str, Any], Instruction]] | None = []
        self.routes: Mapping[str, Route] = {}
        self.statuses: Mapping[str, str] = {}
        self.metrics = EndpointMetrics(lambda: plane.client("cloudwatch"))
        self._crew = Crew(plane, self.metrics)
        self._watch = Watch(plane, self.metrics, self.apply, self._over)
        self._usage = Usage(plane, self._crew.everybody, self.metrics, lambda: self._stopping)
        self._take_up()

    def apply(self, name: str, event: Event) -> Endpoint | None:
        """Carry an event through: store what the endpoint is now and do what follows; None if there is none.

        Raises lifecycle.Refused when the endpoint's state does not allow the event.
        """
        with self._lock:
            document = None if self._stopping else self._plane.store.get(KIND, name)
            if document is None:
                return None
            before = lifecycle.from_document(document["endpoint"])
            endpoint, instructions = lifecycle.handle(before, event)
            if endpoint != before:
                self._stamp(document, before, endpoint)
                self._plane.store.put(KIND, name, document)
            self._follow(endpoint, document, instructions)
            return endpoint

    def create(self, name: str, event: Created) -> bool:
        """Begin an endpoint's life; says whether there was none of that name."""
        with self._lock:
            empty = Endpoint(name, lifecycle.CREATING, event.blueprint.config)
            endpoint, instructions = lifecycle.handle(empty, event)
            document = {"created": self._plane.clock.now()}
            self._stamp(document, empty, endpoint)
            if self._stopping or not self._plane.store.create(KIND, name, document):
                return False
            # What one of that name may have left.
            shutil.rmtree(self._crew.directory(name), ignore_errors=True)
            self._follow(endpoint, document, instructions)
            return True

    def _stamp(self, document: dict[str, Any], before: Endpoint, endpoint: Endpoint) -> None:
        """Note the endpoint and since when it is as it is: `deploying` the pending fleet, `stage` in its stage."""
        now = self._plane.clock.now()
        document["endpoint"], document["modified"] = lifecycle.to_document(endpoint), now
        if endpoint.pending is not None and endpoint.serial != before.serial:
            document["deploying"] = now
        if (
            endpoint.status != before.status
            or endpoint.deployment != before.deployment
            or "stage" not in document
        ):
            document["stage"] = now

    def _follow(self, endpoint: Endpoint, document: dict[str, Any], instructions: list[Instruction]) -> None:
        self.statuses = {**self.statuses, endpoint.name: endpoint.status}
        fleets = (endpoint.active, endpoint.pending)
        self._rounds[endpoint.name] = (
            endpoint.round,
            {fleet.serial for fleet in fleets if fleet is not None},
        )
        self._plane.clock.wake()  # who waits for what is now over
        for instruction in instructions:
            self._carry_out(endpoint, document, instruction)

    def _over(self, name: str, watched: Bake | Limit) -> bool:
        """Whether nobody waits for that baking or time limit any more."""
        if self._stopping or name not in self._rounds:
            return True
        turn, serials = self._rounds[name]
        return turn != watched.round if isinstance(watched, Bake) else watched.serial not in serials

    def _take_up(self) -> None:
        """Whatever was InService when the server ended is so no longer, before anybody can ask for it."""
        for name, _ in self._plane.store.all(KIND):
            self.apply(name, Restarted())
        for left in self._crew.directory().glob("*"):
            if left.name not in self.statuses:
                shutil.rmtree(left, ignore_errors=True)

    def start(self) -> None:
        """Bring up every endpoint that was there when the server ended; does not wait for them."""
        with self._lock:
            postponed, self._postponed = self._postponed or [], None
            for endpoint, document, instruction in postponed:
                self._carry_out(endpoint, document, instruction)

    def stop(self) -> None:
        """End every process; endpoints stay what they are, for the next start."""
        with self._lock:
            self._stopping = True
            running = [instance for _, _, instance in self._crew.everybody()]
        self._plane.clock.wake()
        for instance in running:
            instance.ask_to_stop(_LAST_SECONDS)
        for instance in running:
            instance.stop(_LAST_SECONDS)
        self.metrics.close()

    def _carry_out(self, endpoint: Endpoint, document: dict[str, Any], instruction: Instruction) -> None:
        if self._postponed is not None and isinstance(instruction, _NOT_YET):
            self._postponed.append((endpoint, document, instruction))
            return
        match instruction:
            case Launch(fleet):
                self._in_thread(self._launch, endpoint.name, fleet, _shares(endpoint, fleet))
            case Settle():
                self._settle(endpoint, instruction.round)
            case Bake() | Limit():
                since = "stage" if isinstance(instruction, Bake) else "deploying"
                self._watch.begin(endpoint.name, instruction, document.get(since, document["modified"]))
            case Remove():
                self._remove(endpoint.name)
            case Announce() | Progress():
                endpoint_events.put(self._plane, endpoint, document, instruction)

    def _launch(self, name: str, fleet: Fleet, shares: Shares) -> None:
        """In a thread: models unpacked, instances started and healthy; or the reason why not."""
        try:
            problem = self._start_all(name, fleet, shares)
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

    def _start_all(self, name: str, fleet: Fleet, shares: Shares) -> str | None:
        """None when all instances are healthy; else why the first that is not will not be."""
        self._crew.unpack(name, fleet)
        started = []
        for variant, number in numbered(fleet, shares):
            with self._lock:
                if self._stopping or fleet.serial not in self._rounds.get(name, (0, ()))[1]:
                    raise Overtaken
                started.append((variant, self._crew.instance(name, fleet, variant, number)))
        self._usage.begin()
        return next((unhealthy(v, why) for v, one in started if (why := one.wait_healthy())), None)

    def _settle(self, endpoint: Endpoint, turn: int) -> None:
        route = self._crew.route(endpoint.name, shifting.traffic(endpoint), endpoint.active)
        self.routes = {**self.routes, endpoint.name: route}
        wanted = shifting.capacity(endpoint)
        surplus = self._crew.surplus(endpoint.name, wanted)
        self._in_thread(self._end, endpoint.name, turn, surplus, {fleet.generation for fleet, _ in wanted})

    def _end(self, name: str, turn: int, surplus: Mapping[Key, Instance], generations: set[int]) -> None:
        """In a thread: old instances drained and stopped, their files removed."""
        self._crew.end(name, surplus, generations)
        self.apply(name, Settled(turn))

    def _remove(self, name: str) -> None:
        self._rounds.pop(name, None)
        self.routes = {other: route for other, route in self.routes.items() if other != name}
        self._in_thread(self._forget, name, self._crew.everything_of(name))

    def _forget(self, name: str, instances: Mapping[Key, Instance]) -> None:
        """In a thread: everything of a deleted endpoint gone, its name last."""
        together([instance.drain_and_stop for instance in instances.values()])
        self._plane.part(Captures).flush(name)
        with self._lock:
            if self._stopping:
                return
            shutil.rmtree(self._crew.directory(name), ignore_errors=True)
            self._plane.store.delete(KIND, name)
            tags.drop(self._plane, arn(self._plane.place, KIND, name))
            self.statuses = {other: status for other, status in self.statuses.items() if other != name}

    def _in_thread(self, action: Any, *arguments: Any) -> None:
        made = threading.Thread(target=action, args=arguments, name=f"hosting{action.__name__}", daemon=True)
        self._threads = [*(one for one in self._threads if one.is_alive()), made]
        made.start()

    def wait_for_threads(self) -> None:
        """After `stop`: return when nothing launches or ends any more, so that nothing writes what is thrown away."""
        for thread in self._threads:
            thread.join(_LONGEST_END)


def on_start(plane: Plane) -> None:
    """Take up the endpoints of before."""
    plane.part(Hosting).start()


def on_stop(plane: Plane) -> None:
    """End every model server."""
    plane.part(Hosting).stop()


def on_reset(plane: Plane) -> None:
    """Leave no thread that would still write."""
    plane.part(Hosting).wait_for_threads()


def _shares(endpoint: Endpoint, fleet: Fleet) -> Shares:
    """How much of the fleet is to run now."""
    return next((shares for one, shares in shifting.capacity(endpoint) if one.serial == fleet.serial), {})
