"""Metrics of endpoints in CloudWatch's AWS/SageMaker: counted on the event loop, sent by a thread of their own."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

log = logging.getLogger("penstock.localaws.sagemaker")

NAMESPACE = "AWS/SageMaker"
_EVERY_SECONDS = 5.0
_MOST_VALUES = 150  # of one datum
_MOST_DATA = 1000  # of one PutMetricData
_Key = tuple[str, str, str]  # endpoint, variant, metric
_UNITS = {"ModelLatency": "Microseconds", "OverheadLatency": "Microseconds"}


class EndpointMetrics:
    """Counts invocations; `client` makes the CloudWatch client at first need."""

    def __init__(self, client: Callable[[], Any]) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._counted: dict[_Key, Counter[float]] = {}
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def count(self, endpoint: str, variant: str, status: int, model_us: float, overhead_us: float) -> None:
        """Note one invocation: the model's HTTP status (0: none came) and both latencies in microseconds."""
        values = {
            "Invocations": 1.0,
            "InvocationsPerInstance": 1.0,
            "Invocation4XXErrors": float(400 <= status < 500),
            "Invocation5XXErrors": float(status >= 500 or status == 0),
            "ModelLatency": _rounded(model_us),
            "OverheadLatency": _rounded(overhead_us),
        }
        with self._lock:
            for metric, value in values.items():
                self._counted.setdefault((endpoint, variant, metric), Counter())[value] += 1
            if self._thread is None and not self._ending.is_set():
                self._thread = threading.Thread(target=self._run, name="endpoint-metrics", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Send what is left, then end."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._ending.wait(_EVERY_SECONDS):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        with self._lock:
            counted, self._counted = self._counted, {}
        data = list(_data(counted, time.time()))
        try:
            for start in range(0, len(data), _MOST_DATA):
                self._client().put_metric_data(
                    Namespace=NAMESPACE, MetricData=data[start : start + _MOST_DATA]
                )
        except Exception as error:  # noqa: BLE001  metrics are not worth an endpoint
            log.warning("%d endpoint metrics were not taken by CloudWatch: %s", len(data), error)


def _rounded(microseconds: float) -> float:
    """To two digits: percentiles stay good and a batch has few different values."""
    return float(f"{microseconds:.2g}")


def _data(counted: dict[_Key, Counter[float]], now: float) -> Iterator[dict[str, Any]]:
    for (endpoint, variant, metric), values in counted.items():
        pairs = sorted(values.items())
        for start in range(0, len(pairs), _MOST_VALUES):
            some = pairs[start : start + _MOST_VALUES]
            yield {
                "MetricName": metric,
                "Dimensions": [
                    {"Name": "EndpointName", "Value": endpoint},
                    {"Name": "VariantName", "Value": variant},
                ],
                "Timestamp": now,
                "Values": [value for value, _ in some],
                "Counts": [float(count) for _, count in some],
                "Unit": _UNITS.get(metric, "None"),
            }
