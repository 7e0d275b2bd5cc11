"""Events to EventBridge, in order, sent by one thread so that no operation waits for them."""

import json
import logging
import queue
import threading
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

log = logging.getLogger("penstock.localaws.sagemaker")
_BATCH = 10  # PutEvents takes no more


# Takes at most `_BATCH` entries as PutEvents has them; raises when they are not taken.
Publish = Callable[[list[dict[str, Any]]], None]


class Events:
    """Puts events of source `aws.sagemaker`; nobody but a service may, so `publish` comes from the server.

    `tags_of` knows the tags of an ARN: every event carries those of its resource.
    """

    def __init__(
        self, publish: Publish, tags_of: Callable[[str], Mapping[str, str]] = lambda _arn: {}
    ) -> None:
        self._publish = publish
        self._tags_of = tags_of
        self._queue: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def put(self, detail_type: str, detail: dict[str, Any], resources: list[str]) -> None:
        """Send an event soon; datetimes in `detail` become epoch milliseconds, as SageMaker's events have them."""
        tagged = {**detail, "Tags": dict(self._tags_of(resources[0])) if resources else {}}
        entry = {
            "Source": "aws.sagemaker",
            "DetailType": detail_type,
            "Detail": json.dumps(tagged, default=_milliseconds),
            "Resources": resources,
        }
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._send_all, name="sagemaker-events", daemon=True)
                self._thread.start()
        self._queue.put(entry)

    def close(self) -> None:
        """Send what waits, then end."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join(timeout=5)

    def _send_all(self) -> None:
        while True:
            entry = self._queue.get()
            batch = [entry]
            while not self._queue.empty() and len(batch) < _BATCH and batch[-1] is not None:
                batch.append(self._queue.get())
            self._send([one for one in batch if one is not None])
            if batch[-1] is None:
                return

    def _send(self, entries: list[dict[str, Any]]) -> None:
        if not entries:
            return
        try:
            self._publish(entries)
        except Exception:
            log.exception(
                "EventBridge did not take %d event(s): %s", len(entries), [e["DetailType"] for e in entries]
            )


def _milliseconds(value: Any) -> int:
    if isinstance(value, datetime):
        return round(value.timestamp() * 1000)
    raise TypeError(f"{value!r} cannot be sent in an event")
