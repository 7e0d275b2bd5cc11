"""InvokeEndpointAsync: requests are stored and answered at once; instances take them in the order they came.

The queue is in the plane's store, so it outlives the server: what was under way is begun again, and its answer is the
same object. One thread hands requests out, as many at a time to an instance as the configuration says.
"""

import json
import logging
import shutil
import threading
import uuid
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker.hosting import async_requests
from penstock.localaws.sagemaker.hosting.answers import Response
from penstock.localaws.sagemaker.hosting.async_notices import Result
from penstock.localaws.sagemaker.hosting.async_requests import Request
from penstock.localaws.sagemaker.hosting.async_worker import FOLDER, Gone, Note, Worker
from penstock.localaws.sagemaker.hosting.backlog import Backlog
from penstock.localaws.sagemaker.hosting.fleets import Hosting
from penstock.localaws.sagemaker.hosting.instances import Instance
from penstock.localaws.sagemaker.hosting.routing import Route
from penstock.localaws.sagemaker.plane import Plane

log = logging.getLogger("penstock.localaws.sagemaker")

KIND = "async-request"
_AT_ONCE = 4  # to an instance, when the configuration leaves it to SageMaker
_LOOK_SECONDS = 0.1  # at instances that were not ready, while requests wait
_LAST_SECONDS = 0.5  # for requests that are nearly done when the server stops
_TRIES = 2  # instances that may go away under a request


@dataclass(frozen=True)
class _Turn:
    """A request that is handed out; no instance: it expired."""

    request: Request
    variant: str
    instance: Instance | None


class Asynchronous:
    """The queue of a plane."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._hosting = plane.part(Hosting)
        self._worker = Worker(plane)
        self._changed = threading.Condition()
        self._waiting: dict[str, deque[Request]] = {}
        self._active: Counter[str] = Counter()  # requests under way, by endpoint
        self._lost: Counter[str] = Counter()  # instances that went away, by request
        self._stopping = False
        self._threads: set[threading.Thread] = set()
        self._backlog = Backlog(plane, self.sizes)

    def start(self) -> None:
        """Take up what was queued when the server ended."""
        shutil.rmtree(self._plane.place.root / FOLDER, ignore_errors=True)
        for _, document in self._plane.store.all(KIND):
            self._put(Request.from_document(document))

    def stop(self) -> None:
        """Begin nothing more; what is under way and does not end at once is begun again after the next start."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
            threads = list(self._threads)
        self._backlog.close()
        for thread in threads:
            thread.join(_LAST_SECONDS / max(1, len(threads)))

    def accept(self, name: str, route: Route, headers: dict[str, str], body: bytes) -> Response:
        """InvokeEndpointAsync, in a thread; raises ServiceError. The request is durable when this returns."""
        config = route.blueprint.asynchronous if route.blueprint is not None else None
        if config is None:
            what = f"Endpoint {name} is not an asynchronous inference endpoint: use InvokeEndpoint."
            raise ServiceError("ValidationError", what)
        now = self._plane.clock.now()
        request = async_requests.read(name, config["OutputConfig"], headers, body, now)
        self._plane.store.put(KIND, request.key, request.to_document())
        self._put(request)
        answered = {
            "Content-Type": "application/json",
            "x-amzn-RequestId": str(uuid.uuid4()),
            "X-Amzn-SageMaker-OutputLocation": request.output,
        }
        if request.failure is not None:
            answered["X-Amzn-SageMaker-FailureLocation"] = request.failure
        return 202, answered, json.dumps({"InferenceId": request.inference_id}).encode()

    def sizes(self) -> dict[str, tuple[int, float]]:
        """By endpoint: requests waiting or under way, and when the oldest that waits was received."""
        now = self._plane.clock.now()
        with self._changed:
            names = {*self._waiting, *self._active}
            return {
                name: (
                    len(self._waiting.get(name, ())) + self._active[name],
                    self._waiting[name][0].received if self._waiting.get(name) else now,
                )
                for name in names
            }

    def _put(self, request: Request) -> None:
        with self._changed:
            self._waiting.setdefault(request.endpoint, deque()).append(request)
            if not self._threads and not self._stopping:
                self._start_thread(self._hand_out)
            self._changed.notify_all()
        self._backlog.start()

    def _start_thread(self, target: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=target, args=arguments, name="async-inference", daemon=True)
        self._threads.add(thread)
        thread.start()

    def _hand_out(self) -> None:
        while True:
            with self._changed:
                turn = None
                while not self._stopping and (turn := self._next()) is None:
                    self._changed.wait(_LOOK_SECONDS if any(self._waiting.values()) else None)
                if turn is None:
                    return
                self._active[turn.request.endpoint] += 1
                if turn.instance is not None:
                    turn.instance.busy += 1  # nobody else asks instances of an asynchronous endpoint
                self._start_thread(self._work, turn)

    def _next(self) -> _Turn | None:
        """The next request that can be worked on (or has expired), taken off the queue."""
        now = self._plane.clock.now()
        for name, waiting in self._waiting.items():
            if not waiting:
                continue
            if name not in self._hosting.statuses:  # the endpoint was deleted, and its queue with it
                self._drop(waiting)
                continue
            route = self._hosting.routes.get(name) or Route()
            variant = route.variants[0].name if route.variants else ""
            chosen = None if waiting[0].expired(now) else self._free(route)
            if chosen is not None:
                return _Turn(waiting.popleft(), *chosen)
            expired = next((request for request in waiting if request.expired(now)), None)
            if expired is not None:
                waiting.remove(expired)
                return _Turn(expired, variant, None)
        return None

    def _free(self, route: Route) -> tuple[str, Instance] | None:
        """A variant by weight among those with an instance that may take one more."""
        at_once = _at_once(route)
        able = [
            (variant, instance)
            for variant in route.variants
            for instance in variant.instances
            if instance.ready and variant.weight > 0 and instance.busy < at_once
        ]
        if not able:
            return None
        chosen = route.choose()
        mine = [instance for variant, instance in able if variant is chosen]
        if chosen is None or not mine:
            chosen, instance = able[0]
            return chosen.name, instance
        return chosen.name, min(mine, key=lambda instance: instance.busy)

    def _drop(self, waiting: deque[Request]) -> None:
        while waiting:
            self._plane.store.delete(KIND, waiting.popleft().key)

    def _work(self, turn: _Turn) -> None:
        request = turn.request
        try:
            done = self._done(turn)
        except Exception as error:
            log.exception("asynchronous request %s of endpoint %s", request.id, request.endpoint)
            done = self._stopping or self._end(
                turn, self._worker.fail(request, f"InternalServerError: {error}")
            )
        with self._changed:
            self._active[request.endpoint] -= 1
            if turn.instance is not None:
                turn.instance.busy -= 1
            self._threads.discard(threading.current_thread())
            if not done and not self._stopping:
                self._waiting.setdefault(request.endpoint, deque()).appendleft(request)
            self._changed.notify_all()

    def _done(self, turn: _Turn) -> bool:
        """Carry the request out; False when another instance has to."""
        request, note = turn.request, self._note(turn)
        now = self._plane.clock.now()
        if turn.instance is None:
            note("ExpiredRequests", 1.0)
            result = self._worker.fail(
                request, f"ClientError: The request waited for over {request.ttl} seconds."
            )
        else:
            note("TimeInBacklog", (now - request.received) * 1e6)
            pool = turn.instance.pool
            try:
                if pool is None:
                    raise Gone("not healthy yet")
                result = self._worker.carry_out(request, pool.port, note)
            except Gone as gone:
                self._lost[request.id] += 1
                if self._stopping or self._lost[request.id] < _TRIES:
                    return False
                result = self._worker.fail(
                    request, f"InternalServerError: The model server went away: {gone}"
                )
        return self._end(turn, result)

    def _end(self, turn: _Turn, result: Result) -> bool:
        """Tell of the result and forget the request, its answer being where it belongs; returns True."""
        request, note = turn.request, self._note(turn)
        self._lost.pop(request.id, None)
        self._worker.tell(request, result, note)
        self._plane.store.delete(KIND, request.key)
        note("InvocationsProcessed" if result.reason is None else "InvocationFailures", 1.0)
        note("TotalProcessingTime", (self._plane.clock.now() - request.received) * 1e3)
        return True

    def _note(self, turn: _Turn) -> Note:
        return lambda metric, value: self._hosting.metrics.note(
            turn.request.endpoint, turn.variant, metric, value
        )


def _at_once(route: Route) -> int:
    config = (route.blueprint.asynchronous if route.blueprint is not None else None) or {}
    return int(config.get("ClientConfig", {}).get("MaxConcurrentInvocationsPerInstance", _AT_ONCE))
