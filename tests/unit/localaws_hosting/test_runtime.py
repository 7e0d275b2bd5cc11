"""InvokeEndpoint's answers when models are slow, gone or at fault; model servers are played by a tiny one."""

import json
from pathlib import Path

import pytest

from penstock.localaws.errors import ServiceError
from penstock.localaws.execution.place import Place
from penstock.localaws.sagemaker.hosting.http_client import Pool
from penstock.localaws.sagemaker.hosting.lifecycle import Variant
from penstock.localaws.sagemaker.hosting.routing import Route, RoutedVariant
from penstock.localaws.sagemaker.hosting.runtime import Runtime
from tests.unit.localaws_hosting.servers import OK, Server, serving

NOBODY = 1  # a port nobody listens on

LIVE = Variant("live", "model", "sagemaker-xgboost:3.2-0", None, {}, 1, 1.0, 60.0)


class AnInstance:
    """What the runtime uses of an instance."""

    def __init__(self, port):
        self.pool, self.ready, self.busy = Pool(port), True, 0


class Metrics:
    """Keeps what was counted."""

    def __init__(self):
        self.counted = []

    def count(self, endpoint, variant, status, model_us, overhead_us, **fleet):
        self.counted.append((endpoint, variant, status))


class APlane:
    """A plane with one endpoint `e` of the given instances."""

    def __init__(self, *ports, status="InService"):
        self.place = Place(
            Path("/nowhere"), "http://127.0.0.1:4566", "eu-west-1", "111122223333", "python", Path()
        )
        self.instances = [AnInstance(port) for port in ports]
        self.routes = {"e": Route([RoutedVariant(LIVE, self.instances)])} if ports else {}
        self.statuses = {"e": status}
        self.metrics = Metrics()

    def part(self, _make):
        return self


def invoked(server, ports, seconds=5.0, path="/endpoints/e/invocations", **headers):
    """Invoke the endpoint; ports of "server" are the server's. The answer and the plane."""

    async def talk():
        plane = APlane(*[server.port if port == "server" else port for port in ports])
        try:
            return await Runtime(plane, seconds).invoke("POST", path, headers, b"body"), plane
        finally:
            for instance in plane.instances:
                instance.pool.close()

    return serving(server, talk)


def test_an_answer_comes_with_the_models_headers_and_the_variant():
    answer = OK.replace(b"content-type", b"x-amzn-sagemaker-custom-attributes: t=1\r\ncontent-type")
    (status, headers, body), plane = invoked(Server(answer), ["server"])
    assert (status, body) == (200, b"ok")
    assert headers["x-Amzn-Invoked-Production-Variant"] == "live"
    assert headers["X-Amzn-SageMaker-Custom-Attributes"] == "t=1"
    assert plane.metrics.counted == [("e", "live", 200)]


def test_a_model_that_takes_too_long_is_a_model_error_without_a_status():
    (status, headers, body), plane = invoked(Server(None), ["server"], seconds=0.05)
    said = json.loads(body)
    assert (status, headers["x-amzn-ErrorType"]) == (424, "ModelError")
    assert (said["OriginalStatusCode"], said["ErrorCode"]) == (0, "INTERNAL_FAILURE_FROM_MODEL")
    assert said["OriginalMessage"].startswith("Your invocation timed out while waiting for a response")
    assert plane.metrics.counted == [("e", "live", 0)]


def test_only_invoke_endpoints_headers_reach_the_model():
    server = Server(OK)
    invoked(
        server,
        ["server"],
        **{"accept": "a/b", "authorization": "secret", "x-amzn-sagemaker-inference-id": "7"},
    )
    assert b"secret" not in server.requests[0]
    assert b"accept: a/b" in server.requests[0]
    assert b"x-amzn-sagemaker-inference-id: 7" in server.requests[0]


def test_instances_that_are_not_there_cost_nothing_but_a_look():
    (status, _, _), _ = invoked(Server(OK), [NOBODY, NOBODY, "server", NOBODY])
    assert status == 200


def test_a_request_that_kills_instances_is_tried_twice_only():
    server = Server(b"", b"", OK)
    with pytest.raises(ServiceError) as refused:
        invoked(server, ["server", "server", "server"])
    assert (refused.value.code, refused.value.status) == ("ServiceUnavailable", 503)
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "path", ["/endpoints/e", "/endpoints/e/async-invocations", "/endpoints/a/b/invocations"]
)
def test_other_operations_are_not_pretended(path):
    with pytest.raises(ServiceError) as refused:
        invoked(Server(), ["server"], path=path)
    assert refused.value.status == 404


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("Creating", "ValidationError"),
        ("Failed", "ValidationError"),
        ("SystemUpdating", "ServiceUnavailable"),
    ],
)
def test_an_endpoint_without_a_route_says_why(status, code):
    with pytest.raises(ServiceError) as refused:
        Runtime(APlane(status=status))._route("e")
    assert refused.value.code == code
