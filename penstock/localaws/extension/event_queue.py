"""EventBridge's events wait in a queue before their function, as AWS's asynchronous invocations do, and a failed one is
tried twice more.

Touches `ministack.services.eventbridge._dispatch_to_lambda`, which starts a thread for each event, tries it once, and
so starts a process for each of a thousand files dropped together: a burst cost half a second of a core a file, and the
machine. Here a function has a few deliveries at a time, and the processes stay warm. Checked on MiniStack 1.5.33.
"""

import json
import logging
import os
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from ministack.services import eventbridge, lambda_svc

from penstock.localaws.extension import pin

ATTEMPTS = 3
"""As AWS: the first and two more. AWS waits a minute and two between them, here it is seconds."""
AT_ONCE = max(4, 2 * (os.cpu_count() or 1))
_log = logging.getLogger(__name__)
Record = dict[str, Any]
Invoke = Callable[[Record, Any], dict[str, Any]]


class Deliveries:
    """Events on their way to functions, by function's name."""

    def __init__(self, invoke: Invoke, at_once: int = AT_ONCE, pause: float = 1.0) -> None:
        self._invoke, self._at_once, self._pause = invoke, at_once, pause
        self._lock = threading.Lock()
        self._queues: dict[str, SimpleQueue[tuple[Record, Any, int]]] = {}
        self._workers: dict[str, int] = {}

    def put(self, name: str, record: Record, event: Any, attempt: int = 1) -> None:
        """Deliver an event when its turn comes."""
        with self._lock:
            queue = self._queues.setdefault(name, SimpleQueue())
            begun = self._workers.get(name, 0)
            if begun < self._at_once:
                self._workers[name] = begun + 1
                threading.Thread(target=self._work, args=(name, queue), daemon=True).start()
        queue.put((record, event, attempt))

    def _work(self, name: str, queue: "SimpleQueue[tuple[Record, Any, int]]") -> None:
        while True:
            record, event, attempt = queue.get()
            if self._failed(name, record, event) and attempt < ATTEMPTS:
                later = threading.Timer(self._pause * attempt, self.put, (name, record, event, attempt + 1))
                later.daemon = True
                later.start()

    def _failed(self, name: str, record: Record, event: Any) -> bool:
        try:
            return bool(self._invoke(record, event).get("error"))
        except Exception:  # noqa: BLE001  # whatever it is, the worker goes on to the next event
            _log.exception("an event could not be delivered to %s", name)
            return True


def install() -> None:
    """Put a queue between EventBridge and the functions."""
    pin.require(__name__)
    deliveries = Deliveries(lambda_svc._execute_function_with_config_scope)

    def dispatch(arn: str, payload: str) -> None:
        function, config, name = lambda_svc._get_func_record_for_ref(arn)
        if not function or not config:
            _log.warning("an event was for the function %s, which is not there", name)
            return
        deliveries.put(name, lambda_svc._execution_record_for_config(function, config), _event(payload))

    eventbridge._dispatch_to_lambda = dispatch


def _event(payload: str) -> Any:
    try:
        return json.loads(payload)
    except (ValueError, TypeError):
        return {"body": payload}
