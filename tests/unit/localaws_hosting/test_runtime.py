"""InvokeEndpoint's answers when models are slow, gone or at fault; model servers are played by a tiny one."""

import asyncio
import dataclasses
import functools
import json
from pathlib import Path

import pytest
from botocore.eventstream import EventStreamBuffer

from penstock.localaws.errors import ServiceError
from penstock.localaws.execution.place import Place
from penstock.localaws.sagemaker.clock import Clock
from penstock.localaws.sagemaker.hosting.capture import Captures
from penstock.localaws.sagemaker.hosting.fleets import Hosting
from penstock.localaws.sagemaker.hosting.http_client import Pool
from penstock.localaws.sagemaker.hosting.lifecycle import Blueprint, Variant
from penstock.localaws.sagemaker.hosting.routing import Route, RoutedVariant
from penstock.localaws.sagemaker.hosting.runtime import Runtime
from tests.unit.localaws_hosting.servers import OK, Server, serving

NOBODY = 1  # a port nobody listens on
BROKEN = b"HTTP/1.1 500 No\r\ncontent-length: 4\r\n\r\nouch"

SHADOW = Variant("shadow", "model", "sagemaker-xgboost:3.2-0", None, {}, 1, 0.5, 60.0)
LIVE = Variant("live", "model", "sagemaker-xgboost:3.2-0", None, {}, 1, 1.0, 60.0)
HALF = dataclasses.replace(LIVE, weight=0.5)


class AnInstance:
    """What the runtime uses of an instance."""

    def __init__(self, port):
        self.pool, self.ready, self.busy = Pool(port), True, 0


class Metrics:
    """Keeps what was counted."""

    def __init__(self):
        self.counted = []

    def count(self, endpoint, variant, status, model_us, overhead_us, config="", instances=1):
        self.counted.append((endpoint, variant, status))

    def note(self, endpoint, variant, metric, value):
        self.counted.append((endpoint, variant, metric))


class APlane:
    """A plane with one endpoint `e` of the given instances; it is its own Hosting."""

    def __init__(self, *ports, status="InService", variant=LIVE, blueprint=None, shadows=()):
        self.place = Place(
            Path("/nowhere"), "http://127.0.0.1:4566", "eu-west-1", "111122223333", "python", Path()
        )
        self.instances = [AnInstance(port) for port in ports]
        self.shadow = [AnInstance(port) for port in shadows]
        route = Route([RoutedVariant(variant, self.instances)], blueprint=blueprint)
        route.shadows = [RoutedVariant(SHADOW, self.shadow)] if shadows else []
        self.routes = {"e": route} if ports else {}
        self.statuses = {"e": status}
        self.metrics = Metrics()
        self.clock = Clock()
        self.parts = {Hosting: self}

    def part(self, make):
        if make not in self.parts:
            self.parts[make] = make(self)
        return self.parts[make]


def invoked(server, ports, seconds=5.0, path="/endpoints/e/invocations", body=b"body", plane=None, **headers):
    """Invoke the endpoint; ports of "server" are the server's. The answer and the plane."""

    async def talk():
        made = (plane or APlane)(*[server.port if port == "server" else port for port in ports])
        runtime = made.parts[Runtime] = Runtime(made, seconds)
        try:
            answer = await runtime.handle("POST", path, headers, body)
            await runtime.shadows.settled()
            return answer, made
        finally:
            for instance in made.instances + made.shadow:
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


@pytest.mark.parametrize("path", ["/endpoints/e", "/endpoints/e/batch", "/endpoints/a/b/invocations"])
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


def refused(*arguments, **keywords):
    """Code and text of what is refused before any model is asked."""
    with pytest.raises(ServiceError) as caught:
        invoked(*arguments, **keywords)
    return caught.value.code, caught.value.message


@pytest.mark.parametrize(
    ("header", "most", "letter"),
    [
        ("x-amzn-sagemaker-custom-attributes", 1024, "~"),
        ("x-amzn-sagemaker-inference-id", 64, "x"),
        ("x-amzn-sagemaker-target-model", 1024, "m"),
        ("x-amzn-sagemaker-session-id", 256, "s"),
        ("content-type", 1024, "t"),
        ("accept", 1024, "a"),
    ],
)
def test_a_header_may_be_so_long_and_no_longer(header, most, letter):
    code, what = refused(Server(), ["server"], **{header: letter * (most + 1)})
    assert (code, what.endswith(f"Member must have length less than or equal to {most}")) == (
        "ValidationError",
        True,
    )
    if header.endswith("target-model"):  # fine as a header; but this endpoint has one model
        assert "not a multi-model endpoint" in refused(Server(), ["server"], **{header: letter * most})[1]
    else:
        assert invoked(Server(OK), ["server"], **{header: letter * most})[0][0] == 200


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("x-amzn-sagemaker-custom-attributes", "caf\u00e9"),
        ("x-amzn-sagemaker-inference-id", " 7"),
        ("x-amzn-sagemaker-inference-id", "a\tb"),
        ("x-amzn-sagemaker-target-variant", "-x"),
        ("x-amzn-sagemaker-session-id", "a b"),
    ],
)
def test_a_header_of_other_letters_is_refused(header, value):
    code, what = refused(Server(), ["server"], **{header: value})
    assert (code, "must satisfy regular expression pattern" in what) == ("ValidationError", True)


@pytest.mark.parametrize(
    ("header", "says"),
    [
        ("x-amzn-sagemaker-inference-component", "Inference Component Name header is not allowed"),
        ("x-amzn-sagemaker-target-container-hostname", "Target Container Hostname header is not allowed"),
        ("x-amzn-sagemaker-enable-explanations", "Enable Explanations header is not allowed"),
    ],
)
def test_headers_for_what_is_not_here_are_refused(header, says):
    code, what = refused(Server(), ["server"], **{header: "some"})
    assert (code, what.startswith(says)) == ("ValidationError", True)


def test_an_endpoint_name_of_64_letters_is_refused():
    assert "'endpointName'" in refused(Server(), ["server"], path=f"/endpoints/{'e' * 64}/invocations")[1]
    assert "not found" in refused(Server(), ["server"], path=f"/endpoints/{'e' * 63}/invocations")[1]


def an_answer_of(size):
    return b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size + b"x" * size


def test_request_and_answer_may_have_25_mb_and_no_byte_more():
    limit = 25 * 1024 * 1024
    (status, _, body), _ = invoked(Server(an_answer_of(limit)), ["server"], body=b"x" * limit)
    assert (status, len(body)) == (200, limit)
    assert refused(Server(), ["server"], body=b"x" * (limit + 1)) == (
        "413",
        f"HTTP content length exceeded {limit} bytes.",
    )
    (status, _, body), _ = invoked(Server(an_answer_of(limit + 1)), ["server"])
    assert (status, json.loads(body)["OriginalStatusCode"]) == (424, 500)


SERVERLESS = dataclasses.replace(LIVE, serverless={"MemorySizeInMB": 1024, "MaxConcurrency": 2})


def test_a_serverless_request_and_answer_may_have_4_mb_and_no_byte_more():
    limit, plane = 4 * 1024 * 1024, functools.partial(APlane, variant=SERVERLESS)
    (status, _, _), _ = invoked(Server(an_answer_of(limit)), ["server"], body=b"x" * limit, plane=plane)
    assert status == 200
    assert refused(Server(), ["server"], body=b"x" * (limit + 1), plane=plane) == (
        "413",
        f"HTTP content length exceeded {limit} bytes.",
    )
    (status, _, _), _ = invoked(Server(an_answer_of(limit + 1)), ["server"], plane=plane)
    assert status == 424


def test_more_serverless_requests_than_its_concurrency_are_throttled():
    server = Server(OK)

    async def talk():
        plane = APlane(server.port, variant=SERVERLESS)
        instance, runtime = plane.instances[0], Runtime(plane)
        instance.busy = 1
        assert (await runtime.handle("POST", "/endpoints/e/invocations", {}, b""))[0] == 200
        instance.busy = 2
        with pytest.raises(ServiceError) as caught:
            await runtime.handle("POST", "/endpoints/e/invocations", {}, b"")
        instance.pool.close()
        return caught.value

    assert serving(server, talk).code == "ThrottlingException"


def test_a_shadow_gets_its_share_and_nobody_hears_what_it_says():
    shadow, live = Server(*[BROKEN] * 5), Server(*[OK] * 10)

    async def talk():
        listening = await asyncio.start_server(shadow, "127.0.0.1", 0)
        async with listening:
            port = listening.sockets[0].getsockname()[1]
            plane = APlane(live.port, shadows=[port])
            runtime = Runtime(plane)
            answers = [
                await runtime.handle("POST", "/endpoints/e/invocations", {}, b"body") for _ in range(10)
            ]
            await runtime.shadows.settled()
            for instance in plane.instances + plane.shadow:
                instance.pool.close()
            await shadow.all_closed()
            return answers, plane

    answers, plane = serving(live, talk)
    assert {status for status, _, _ in answers} == {200}
    assert len(shadow.requests) == 5  # its weight is half of the production variant's
    assert shadow.requests[0].endswith(b"body")
    assert plane.metrics.counted.count(("e", "shadow", 500)) == 5


def test_a_shadow_that_is_gone_fails_nobody():
    (status, _, _), plane = invoked(
        Server(OK), ["server"], plane=functools.partial(APlane, shadows=[NOBODY], variant=HALF)
    )
    assert status == 200
    assert ("e", "shadow", 0) in plane.metrics.counted


def test_a_stream_is_frames_that_botocore_reads():
    body = b"x" * 100_000
    answer = b"HTTP/1.1 200 OK\r\ncontent-type: text/x\r\ncontent-length: 100000\r\n\r\n" + body
    server = Server(answer)
    (status, headers, framed), _ = invoked(
        server,
        ["server"],
        path="/endpoints/e/invocations-response-stream",
        **{"x-amzn-sagemaker-accept": "a/b"},
    )
    assert (status, headers["Content-Type"]) == (200, "application/vnd.amazon.eventstream")
    assert headers["X-Amzn-SageMaker-Content-Type"] == "text/x"
    assert b"accept: a/b" in server.requests[0]
    buffer = EventStreamBuffer()
    buffer.add_data(framed)
    events = [event.to_response_dict() for event in buffer]
    assert b"".join(event["body"] for event in events) == body
    assert {event["headers"][":event-type"] for event in events} == {"PayloadPart"}
    assert len(events) > 1


def test_a_stream_of_a_model_that_fails_is_a_model_error():
    (status, headers, _), _ = invoked(
        Server(BROKEN), ["server"], path="/endpoints/e/invocations-response-stream"
    )
    assert (status, headers["x-amzn-ErrorType"]) == (424, "ModelError")


def test_an_asynchronous_endpoint_is_not_invoked():
    waiting = Blueprint("c", (LIVE,), asynchronous={"OutputConfig": {"S3OutputPath": "s3://b/out"}})
    code, what = refused(Server(), ["server"], plane=functools.partial(APlane, blueprint=waiting))
    assert (code, "InvokeEndpointAsync" in what) == ("ValidationError", True)


CAPTURE = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 100,
    "DestinationS3Uri": "s3://b/captured",
    "CaptureOptions": [{"CaptureMode": "InputAndOutput"}],
}


class Notes(list):
    """Stands in for what writes captures."""

    note = list.append


def capturing(noted, *ports, **members):
    made = APlane(*ports, blueprint=Blueprint("c", (LIVE,), capture=CAPTURE), **members)
    made.parts[Captures] = noted
    return made


def test_what_is_captured_is_what_was_asked_and_answered_with_success():
    noted = Notes()
    plane = functools.partial(capturing, noted)
    invoked(Server(OK), ["server"], plane=plane, **{"content-type": "text/csv"})
    invoked(Server(BROKEN), ["server"], plane=plane)
    (captured,) = noted
    assert (captured.endpoint, captured.variant, captured.body, captured.reply.body) == (
        "e",
        "live",
        b"body",
        b"ok",
    )
    assert captured.headers["content-type"] == "text/csv"


def test_what_a_shadow_answers_is_captured_as_its_own():
    noted, server = Notes(), Server(OK, OK)

    async def talk():
        plane = capturing(noted, server.port, shadows=[server.port], variant=HALF)
        runtime = Runtime(plane)
        await runtime.handle("POST", "/endpoints/e/invocations", {}, b"body")
        await runtime.shadows.settled()
        for instance in plane.instances + plane.shadow:
            instance.pool.close()

    serving(server, talk)
    assert sorted(captured.variant for captured in noted) == ["live", "shadow"]
