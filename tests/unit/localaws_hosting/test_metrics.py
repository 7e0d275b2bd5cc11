"""What CloudWatch is sent of invocations and instances."""

from penstock.localaws.sagemaker.hosting.metrics import INSTANCES, NAMESPACE, UNITS, EndpointMetrics


class CloudWatch:
    """Keeps what it is sent."""

    def __init__(self):
        self.sent = []

    def put_metric_data(self, Namespace, MetricData):  # noqa: N803  boto3's names
        self.sent += [(Namespace, datum) for datum in MetricData]


def sent(count):
    """The data sent for what `count` notes: (namespace, metric, dimensions) → values with their counts."""
    cloudwatch = CloudWatch()
    metrics = EndpointMetrics(lambda: cloudwatch)
    count(metrics)
    metrics.flush()
    metrics.close()
    for namespace, datum in cloudwatch.sent:
        assert datum["Unit"] == UNITS[namespace][datum["MetricName"]]
    return {
        (namespace, datum["MetricName"], tuple(d["Value"] for d in datum["Dimensions"])): dict(
            zip(datum["Values"], datum["Counts"], strict=True)
        )
        for namespace, datum in cloudwatch.sent
    }


def invoke(metrics):
    for status in (200, 200, 422, 500, 0):
        metrics.count("e", "live", status, 1234.0, 56.0, config="two", instances=4)


def test_an_invocation_counts_once_for_the_variant_and_once_for_its_configuration():
    data = sent(invoke)
    for fleet in (("e", "live"), ("e", "live", "two")):
        assert data[NAMESPACE, "Invocations", fleet] == {1.0: 5.0}
        assert data[NAMESPACE, "InvocationsPerInstance", fleet] == {0.25: 5.0}
        assert data[NAMESPACE, "Invocation4XXErrors", fleet] == {0.0: 4.0, 1.0: 1.0}
        assert data[NAMESPACE, "Invocation5XXErrors", fleet] == {0.0: 3.0, 1.0: 2.0}
        assert data[NAMESPACE, "InvocationModelErrors", fleet] == {0.0: 2.0, 1.0: 3.0}
        assert data[NAMESPACE, "ModelLatency", fleet] == {1200.0: 5.0}
        assert data[NAMESPACE, "OverheadLatency", fleet] == {56.0: 5.0}


def test_who_does_not_say_the_configuration_counts_for_the_variant_only():
    data = sent(lambda metrics: metrics.count("e", "live", 200, 1.0, 1.0))
    assert {dimensions for _, _, dimensions in data} == {("e", "live")}


def test_instances_and_serverless_starts_have_metrics_of_their_own():
    def note(metrics):
        metrics.usage("e", "live", {"CPUUtilization": 150.0, "MemoryUtilization": 2.5})
        metrics.setup("e", "live", 2_345_678.0)

    assert sent(note) == {
        (INSTANCES, "CPUUtilization", ("e", "live")): {150.0: 1.0},
        (INSTANCES, "MemoryUtilization", ("e", "live")): {2.5: 1.0},
        (NAMESPACE, "ModelSetupTime", ("e", "live")): {2_300_000.0: 1.0},
    }
