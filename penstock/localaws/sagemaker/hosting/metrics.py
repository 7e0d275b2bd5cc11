"""Metrics of endpoints in CloudWatch: counted on the event loop, sent by a thread of their own or when asked for.

`AWS/SageMaker`, one value an invocation, by EndpointName and VariantName, and once more with EndpointConfigName, which
tells the fleets of a deployment apart. `/aws/sagemaker/Endpoints`, one value an instance each minute. The table below
has every metric, its unit and its source.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

log = logging.getLogger("penstock.localaws.sagemaker")

NAMESPACE = "AWS/SageMaker"
INSTANCES = "/aws/sagemaker/Endpoints"
SEND_SECONDS = 5.0  # how often at most counts are sent by themselves; an alarm's shortest period is 10 s
USAGE_SECONDS = 60.0  # AWS publishes instance metrics each minute
UNITS: Mapping[str, Mapping[str, str]] = {
    NAMESPACE: {
        "Invocations": "None",  # 1 for each request that reached the endpoint
        "InvocationsPerInstance": "None",  # 1 / instances: its sum is requests by instance
        "Invocation4XXErrors": "None",  # 1 when the model answered 4xx, else 0
        "Invocation5XXErrors": "None",  # 1 when it answered 5xx or nothing, else 0
        "InvocationModelErrors": "None",  # 1 when it did not answer 2xx, else 0
        "ModelLatency": "Microseconds",  # from request to answer, as the front sees it
        "OverheadLatency": "Microseconds",  # what the front added
        "ModelSetupTime": "Microseconds",  # serverless: start of a container until /ping says 200
        # Multi-model: whether the model was loaded, and what getting it there and away took.
        "ModelCacheHit": "None",
        "ModelLoadingWaitTime": "Microseconds",
        "ModelDownloadingTime": "Microseconds",
        "ModelLoadingTime": "Microseconds",
        "ModelUnloadingTime": "Microseconds",
        # Asynchronous: one value a request (the queue's own are in `backlog`).
        "RequestDownloadFailures": "Count",
        "ResponseUploadFailures": "Count",
        "NotificationFailures": "Count",
        "ExpiredRequests": "Count",
        "InvocationFailures": "Count",
        "InvocationsProcessed": "Count",
        "RequestDownloadLatency": "Microseconds",
        "ResponseUploadLatency": "Microseconds",
        "TimeInBacklog": "Microseconds",
        "TotalProcessingTime": "Milliseconds",
    },
    INSTANCES: {
        "CPUUtilization": "Percent",  # of one core: up to 100 times the cores
        "MemoryUtilization": "Percent",  # of the machine's memory
        "DiskUtilization": "Percent",  # of the disk the models are on
    },
}
_MOST_VALUES = 150  # of one datum
_MOST_DATA = 1000  # of one PutMetricData
_Key = tuple[str, str, tuple[tuple[str, str], ...]]  # namespace, metric, dimensions


class EndpointMetrics:
    """Counts invocations; `client` makes the CloudWatch client at first need."""

    def __init__(self, client: Callable[[], Any]) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._sending = threading.Lock()
        self._counted: dict[_Key, Counter[float]] = {}
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def count(
        self,
        endpoint: str,
        variant: str,
        status: int,
        model_us: float,
        overhead_us: float,
        config: str = "",
        instances: int = 1,
    ) -> None:
        """Note one invocation: the model's HTTP status (0: none came) and both latencies in microseconds.

        `config` is the endpoint configuration of the fleet that answered, `instances` how many the variant has.
        """
        values = {
            "Invocations": 1.0,
            "InvocationsPerInstance": 1.0 / max(instances, 1),
            "Invocation4XXErrors": float(400 <= status < 500),
            "Invocation5XXErrors": float(status >= 500 or status == 0),
            "InvocationModelErrors": float(not 200 <= status < 300),
            "ModelLatency": _rounded(model_us),
            "OverheadLatency": _rounded(overhead_us),
        }
        fleet = (("EndpointName", endpoint), ("VariantName", variant))
        self._add(NAMESPACE, fleet, values)
        if config:
            self._add(NAMESPACE, (*fleet, ("EndpointConfigName", config)), values)

    def setup(self, endpoint: str, variant: str, microseconds: float) -> None:
        """Note how long a serverless variant's container took to start."""
        dimensions = (("EndpointName", endpoint), ("VariantName", variant))
        self._add(NAMESPACE, dimensions, {"ModelSetupTime": _rounded(microseconds)})

    def note(self, endpoint: str, variant: str, metric: str, value: float) -> None:
        """Note one value of any other metric of a variant."""
        dimensions = (("EndpointName", endpoint), ("VariantName", variant))
        self._add(NAMESPACE, dimensions, {metric: _rounded(value)})

    def usage(self, endpoint: str, variant: str, values: Mapping[str, float]) -> None:
        """Note what one instance uses of its machine: metrics of `/aws/sagemaker/Endpoints` by name, in per cent."""
        self._add(INSTANCES, (("EndpointName", endpoint), ("VariantName", variant)), values)

    def _add(
        self, namespace: str, dimensions: tuple[tuple[str, str], ...], values: Mapping[str, float]
    ) -> None:
        with self._lock:
            for metric, value in values.items():
                self._counted.setdefault((namespace, metric, dimensions), Counter())[value] += 1
            if self._thread is None and not self._ending.is_set():
                self._thread = threading.Thread(target=self._run, name="endpoint-metrics", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Send what is left, then end."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def flush(self) -> None:
        """Send what has been counted so far; returns once CloudWatch has it (never call it on the event loop)."""
        with self._sending:
            with self._lock:
                counted, self._counted = self._counted, {}
            for namespace in UNITS:
                self._send(namespace, list(_data(namespace, counted, time.time())))

    def _send(self, namespace: str, data: list[dict[str, Any]]) -> None:
        try:
            for start in range(0, len(data), _MOST_DATA):
                self._client().put_metric_data(
                    Namespace=namespace, MetricData=data[start : start + _MOST_DATA]
                )
        except Exception as error:  # noqa: BLE001  metrics are not worth an endpoint
            log.warning("%d endpoint metrics were not taken by CloudWatch: %s", len(data), error)

    def _run(self) -> None:
        while not self._ending.wait(SEND_SECONDS):
            self.flush()
        self.flush()


def _rounded(microseconds: float) -> float:
    """To two digits: percentiles stay good and a batch has few different values."""
    return float(f"{microseconds:.2g}")


def _data(namespace: str, counted: Mapping[_Key, Counter[float]], now: float) -> Iterator[dict[str, Any]]:
    for (of, metric, dimensions), values in counted.items():
        pairs = sorted(values.items()) if of == namespace else []
        for start in range(0, len(pairs), _MOST_VALUES):
            some = pairs[start : start + _MOST_VALUES]
            yield {
                "MetricName": metric,
                "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions],
                "Timestamp": now,
                "Values": [value for value, _ in some],
                "Counts": [float(count) for _, count in some],
                "Unit": UNITS[namespace][metric],
            }
