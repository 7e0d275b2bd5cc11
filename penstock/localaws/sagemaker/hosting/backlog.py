"""Metrics of asynchronous endpoints' queues, each minute of the plane's clock, by endpoint: what autoscaling reads."""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from penstock.localaws.sagemaker.hosting.fleets import Hosting
from penstock.localaws.sagemaker.hosting.metrics import NAMESPACE
from penstock.localaws.sagemaker.plane import Plane

log = logging.getLogger("penstock.localaws.sagemaker")

_EVERY_SECONDS = 60.0
# By endpoint: requests in the queue, and when the oldest was received.
Sizes = Callable[[], Mapping[str, tuple[int, float]]]


class Backlog:
    """Sends the metrics of every asynchronous endpoint that has had a request."""

    def __init__(self, plane: Plane, sizes: Sizes) -> None:
        self._plane = plane
        self._hosting = plane.part(Hosting)
        self._sizes = sizes
        self._ending = False
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin, if that has not happened."""
        with self._lock:
            if self._thread is None and not self._ending:
                self._thread = threading.Thread(target=self._run, name="async-backlog", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End."""
        self._ending = True
        self._plane.clock.wake()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._ending:
            self._send()
            self._plane.clock.wait(_EVERY_SECONDS, lambda: self._ending)

    def _send(self) -> None:
        data = [datum for name, size in self._sizes().items() for datum in self._data(name, *size)]
        if not data:
            return
        try:
            self._plane.client("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=data)
        except Exception as error:  # noqa: BLE001  metrics are not worth a queue
            log.warning(
                "%d metrics of asynchronous endpoints were not taken by CloudWatch: %s", len(data), error
            )

    def _data(self, name: str, size: int, oldest: float) -> Iterator[dict[str, Any]]:
        route = self._hosting.routes.get(name)
        variants = route.variants if route is not None else []
        instances = sum(instance.ready for variant in variants for instance in variant.instances)
        now = self._plane.clock.now()
        values = {
            "ApproximateBacklogSize": (float(size), "Count"),
            "ApproximateBacklogSizePerInstance": (size / max(1, instances), "Count"),
            "ApproximateAgeOfOldestRequest": (max(0.0, now - oldest), "Seconds"),
            "HasBacklogWithoutCapacity": (float(size > 0 and instances == 0), "Count"),
        }
        dimensions = [{"Name": "EndpointName", "Value": name}]
        for metric, (value, unit) in values.items():
            yield {
                "MetricName": metric,
                "Dimensions": dimensions,
                "Timestamp": now,
                "Value": value,
                "Unit": unit,
            }
