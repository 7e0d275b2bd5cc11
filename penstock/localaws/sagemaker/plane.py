"""The SageMaker plane's shared things, given to every operation. How a module plugs in:

- it has `OPERATIONS: dict[str, Callable[[Plane, dict[str, Any]], dict[str, Any]]]`: operation name (`CreateModel`) →
  handler; the handler gets validated parameters (times as epoch seconds) and returns the response, with aware
  datetimes for times (see `names.moment`) and without empty structures; it refuses with `errors.ServiceError`;
- it is named in `api._MODULES`, and may have `on_start(plane)` and `on_stop(plane)`; they run in threads, in the order
  of that list and its reverse;
- it may have `on_reset(plane)`, called when a test wants everything gone, after `on_stop` of all and once every process
  has been killed: it waits until its threads have ended, and drops what it keeps outside `plane.place.root` and
  the plane, which are thrown away next. Without one nothing is left to do. A new plane follows, on the same clock;
- a module of jobs has `WAITS: dict[str, Callable]`: kind (`training`) → `wait(plane, name, stop)`, which blocks until
  the job has ended or the event `stop` is set and returns the Describe answer; Step Functions' `.sync` uses it;
- what it keeps on disk goes through `plane.store` (documents by kind and name); what it keeps in memory is a class made
  from a Plane, reached by `plane.part(ThatClass)`: one instance a plane, made at first use;
- handlers run in threads: they may block and may call the embedded AWS with `plane.client("s3")`;
- `plane.execution` starts supervised processes, `plane.events.put(...)` tells EventBridge, `plane.clock` is
  the time, and every wait AWS counts in minutes is a `plane.clock.wait`;
- the module `runtime` has `async def handle(plane, method, path, headers, body, query_params)` returning
  (status, headers, body) for `/endpoints/...`; it runs on the event loop, so it must not block there.
"""

import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

from penstock.localaws.execution.clients import Clients
from penstock.localaws.execution.execution import Execution
from penstock.localaws.execution.place import Place
from penstock.localaws.sagemaker.clock import Clock
from penstock.localaws.sagemaker.events import Events, Publish
from penstock.localaws.sagemaker.store import Store

T = TypeVar("T")
Operation = Callable[["Plane", dict[str, Any]], dict[str, Any]]


class Plane:
    """What operations share. Made by `api.SageMaker`; `close` when nothing runs any more."""

    def __init__(self, place: Place, publish: Publish, clock: Clock | None = None) -> None:
        self.place = place
        self.clock = clock or Clock()
        place.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.store = Store(place.root / "store.sqlite")
        self._clients = Clients(place)
        self.execution = Execution(place, self._clients, clock=self.clock)
        self.events = Events(publish, lambda arn: self.store.get("tags", arn) or {})
        self._parts: dict[Any, Any] = {}
        self._lock = threading.RLock()

    def client(self, service: str) -> Any:
        """A boto3 client of the embedded AWS (never call it on the event loop: the server is this very process)."""
        return self._clients.client(service)

    def part(self, make: Callable[["Plane"], T]) -> T:
        """The one `make(self)` of this plane, made at first use."""
        with self._lock:
            if make not in self._parts:
                self._parts[make] = make(self)
            return cast(T, self._parts[make])

    def close(self) -> None:
        """End every process, send what is still to be sent, close the store."""
        self.execution.close()
        self.events.close()
        self._clients.close()
        self.store.close()
