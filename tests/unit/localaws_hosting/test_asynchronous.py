"""Asynchronous requests: read, kept, handed out in order, answered once; failed, expired and told of as on AWS."""

import base64
import io
import json
import threading
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.localaws.errors import ServiceError
from penstock.localaws.execution.place import Place
from penstock.localaws.sagemaker.clock import Clock
from penstock.localaws.sagemaker.hosting import async_notices, async_requests
from penstock.localaws.sagemaker.hosting.async_notices import Result
from penstock.localaws.sagemaker.hosting.async_requests import LARGEST_INLINE_BYTES, Request
from penstock.localaws.sagemaker.hosting.async_worker import Gone, Worker
from penstock.localaws.sagemaker.hosting.asynchronous import KIND, Asynchronous
from penstock.localaws.sagemaker.hosting.fleets import Hosting
from penstock.localaws.sagemaker.hosting.lifecycle import Blueprint, Variant
from penstock.localaws.sagemaker.hosting.routing import Route, RoutedVariant
from penstock.localaws.sagemaker.store import Store

P = "x-amzn-sagemaker-"
OUTPUT = {"S3OutputPath": "s3://b/out/", "S3FailurePath": "s3://b/failed"}
TOPICS = {
    "SuccessTopic": "arn:ok",
    "ErrorTopic": "arn:bad",
    "IncludeInferenceResponseIn": ["SUCCESS_NOTIFICATION_TOPIC", "ERROR_NOTIFICATION_TOPIC"],
}
NOON = 1644857989.123


def read(body=b"", output=OUTPUT, **headers):
    named = {P + name: value for name, value in headers.items()}
    return async_requests.read("e", output, named, body, NOON)


def test_an_answer_has_a_place_of_its_own_below_the_output_path():
    request = read(inputlocation="s3://b/in/x.csv")
    assert request.output == f"s3://b/out/{request.id}.out"
    assert request.failure == f"s3://b/failed/{request.id}-error.out"
    assert (request.ttl, request.timeout) == (21600, 900)
    named = read(inputlocation="s3://b/x", filename="a.json", s3outputpathextension="team/one/")
    assert named.output == "s3://b/out/team/one/a.json"


def test_the_input_is_inline_up_to_128000_bytes_or_in_s3():
    assert read(b"x" * LARGEST_INLINE_BYTES).source is None
    for body, headers in (
        (b"x" * (LARGEST_INLINE_BYTES + 1), {}),
        (b"", {}),
        (b"x", {"inputlocation": "s3://b/x"}),
        (b"", {"inputlocation": "https://b/x"}),
    ):
        with pytest.raises(ServiceError) as refused:
            read(body, **headers)
        assert refused.value.code == "ValidationError"


@pytest.mark.parametrize(
    ("header", "low", "high"), [("requestttlseconds", 60, 21600), ("invocationtimeoutseconds", 1, 3600)]
)
def test_times_are_within_their_limits(header, low, high):
    for fine in (low, high):
        read(b"x", **{header: str(fine)})
    for wrong in (low - 1, high + 1, "soon"):
        with pytest.raises(ServiceError) as refused:
            read(b"x", **{header: str(wrong)})
        assert refused.value.code == "ValidationError"


def test_an_extension_does_not_lead_out():
    with pytest.raises(ServiceError):
        read(b"x", s3outputpathextension="../other")


@settings(max_examples=25)
@given(st.binary(max_size=50), st.floats(0, 2e9), st.text(min_size=1, max_size=5))
def test_what_is_kept_comes_back_the_same(body, received, inference):
    headers = {P + "inference-id": inference, P + "inputlocation": "s3://b/k"}
    if body:
        del headers[P + "inputlocation"]
    request = async_requests.read("e", OUTPUT, headers, body, received)
    assert Request.from_document(json.loads(json.dumps(request.to_document()))) == request


@settings(max_examples=25)
@given(st.lists(st.floats(0, 4e9).map(lambda at: round(at, 6)), min_size=2, max_size=5, unique=True))
def test_names_in_the_store_sort_as_requests_came(times):
    requests = [async_requests.read("e", OUTPUT, {}, b"x", at) for at in times]
    assert [one.received for one in sorted(requests, key=lambda one: one.key)] == sorted(times)


PLACE = Place(None, "http://127.0.0.1:4566", "eu-west-1", "111122223333", "python", None)


def test_a_message_of_success_is_as_aws_sends_it():
    request = read(inputlocation="s3://b/in/x.csv", **{"content-type": "text/csv", "inference-id": "i-7"})
    said = async_notices.message(PLACE, request, Result(None, "text/plain", b"ok"), NOON + 1)
    assert said == (
        '{"awsRegion":"eu-west-1","eventTime":"2022-02-14T16:59:50.123Z","receivedTime":"2022-02-14T16:59:49.123Z",'
        '"invocationStatus":"Completed","requestParameters":{"contentType":"text/csv","endpointName":"e",'
        '"inputLocation":"s3://b/in/x.csv"},"responseParameters":{"contentType":"text/plain",'
        f'"outputLocation":"{request.output}"}},"inferenceId":"i-7","eventVersion":"1.0",'
        '"eventSource":"aws:sagemaker","eventName":"InferenceResult"}'
    )


def test_a_message_includes_the_answer_where_it_is_asked_for():
    request = read(b"x", output={**OUTPUT, "NotificationConfig": TOPICS})
    for result in (Result(None, None, b"fine"), Result("ClientError: no", None, b"ouch")):
        said = json.loads(async_notices.message(PLACE, request, result, NOON))
        assert base64.b64decode(said["responseBody"]["content"]) == result.content
        assert said.get("failureReason") == result.reason
    assert "responseBody" not in async_notices.message(PLACE, request, Result(None, None, None), NOON)
    assert async_notices.may_be_included(128 * 1024)
    assert not async_notices.may_be_included(128 * 1024 + 1)


class FakeAws:
    """S3 and SNS in memory."""

    def __init__(self, **objects):
        self.objects, self.published, self.types = objects, [], {}
        self.metrics, self.sent = [], threading.Event()

    def get_object(self, Bucket, Key):  # noqa: N803  boto3's names
        if Key not in self.objects:
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        body = Body(self.objects[Key])
        return {"ContentLength": len(self.objects[Key]), "Body": body}

    def put_object(self, Bucket, Key, Body):  # noqa: N803
        self.objects[Key] = Body

    def upload_file(self, path, bucket, key, ExtraArgs):  # noqa: N803
        with open(path, "rb") as file:
            self.objects[key] = file.read()
        self.types[key] = ExtraArgs.get("ContentType")

    def put_metric_data(self, Namespace, MetricData):  # noqa: N803
        self.metrics.append({datum["MetricName"]: datum["Value"] for datum in MetricData})
        self.sent.set()

    def publish(self, TopicArn, Message):  # noqa: N803
        self.published.append((TopicArn, json.loads(Message)))


class Body(io.BytesIO):
    """A streamed object."""

    def iter_chunks(self, size):
        while chunk := self.read(size):
            yield chunk


class Metrics:
    """Keeps what is noted."""

    def __init__(self):
        self.noted = []

    def note(self, _endpoint, _variant, metric, value):
        self.noted.append((metric, value))

    def names(self):
        return {metric for metric, _ in self.noted}


class APlane:
    """A plane with an asynchronous endpoint `e`; it is its own Hosting."""

    def __init__(self, root, store, *ports, at_once=2, **objects):
        self.place = Place(root, "http://127.0.0.1:4566", "eu-west-1", "111122223333", "python", root)
        self.aws, self.clock, self.store, self.metrics = FakeAws(**objects), Clock(), store, Metrics()
        self.instances = [AnInstance(port) for port in ports]
        asynchronous = {
            "OutputConfig": {**OUTPUT, "NotificationConfig": TOPICS},
            "ClientConfig": {"MaxConcurrentInvocationsPerInstance": at_once},
        }
        live = Variant("live", "m", "sagemaker-xgboost:3.2-0", None, {}, 1, 1.0, 60.0)
        routed = RoutedVariant(live, self.instances)
        self.route = Route([routed], blueprint=Blueprint("c", (live,), asynchronous=asynchronous))
        self.routes, self.statuses = {"e": self.route}, {"e": "InService"}

    def part(self, make):
        assert make is Hosting
        return self

    def client(self, _service):
        return self.aws


class AnInstance:
    """What is used of an instance: nobody starts it again."""

    def __init__(self, port):
        self.id, self.ready, self.pool, self.busy = f"i-{port}", True, self, 0
        self.port = port


class Model:
    """A model server: answers what `respond(body)` says, a status and a body; None drops the connection."""

    def __init__(self, respond):
        model = self
        self.asked, self.lock = [], threading.Lock()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                with model.lock:
                    model.asked.append((dict(self.headers.items()), body))
                said = respond(body)
                if said is None:
                    self.close_connection = True
                    return
                self.send_response(said[0])
                self.send_header("content-type", "text/plain")
                self.send_header("content-length", str(len(said[1])))
                self.end_headers()
                self.wfile.write(said[1])

            def log_message(self, *_arguments):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_error):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def store(tmp_path):
    made = Store(tmp_path / "store.sqlite")
    yield made
    made.close()


def drained(plane, queue):
    """Return when nothing is left in the queue's store."""
    settled = threading.Event()
    for _ in range(1000):
        if not plane.store.all(KIND):
            queue.stop()
            return
        settled.wait(0.01)
    raise AssertionError(plane.store.all(KIND))


def echo(body):
    return 200, b"said " + body


def test_requests_are_answered_in_s3_and_told_of(tmp_path, store):
    with Model(echo) as model:
        plane = APlane(tmp_path, store, model.port, **{"in/a": b"one"})
        queue = Asynchronous(plane)
        queue.start()
        asked = {
            P + "inputlocation": "s3://b/in/a",
            P + "content-type": "text/csv",
            P + "inference-id": "i-1",
        }
        status, headers, body = queue.accept("e", plane.route, asked, b"")
        assert (status, json.loads(body)) == (202, {"InferenceId": "i-1"})
        drained(plane, queue)
    key = headers["X-Amzn-SageMaker-OutputLocation"].removeprefix("s3://b/")
    assert (plane.aws.objects[key], plane.aws.types[key]) == (b"said one", "text/plain")
    ((topic, said),) = plane.aws.published
    assert (topic, said["invocationStatus"], said["inferenceId"]) == ("arn:ok", "Completed", "i-1")
    assert base64.b64decode(said["responseBody"]["content"]) == b"said one"
    ((given, _),) = model.asked
    assert {name.lower(): value for name, value in given.items()}["content-type"] == "text/csv"
    assert {
        "InvocationsProcessed",
        "TimeInBacklog",
        "ModelLatency",
        "TotalProcessingTime",
    } <= plane.metrics.names()
    assert list((tmp_path / "asynchronous").iterdir()) == []


def test_what_the_model_says_when_it_fails_is_kept_where_failures_go(tmp_path, store):
    with Model(lambda body: (500, b"ouch")) as model:
        plane = APlane(tmp_path, store, model.port)
        queue = Asynchronous(plane)
        _, headers, _ = queue.accept("e", plane.route, {}, b"x")
        drained(plane, queue)
    assert plane.aws.objects == {headers["X-Amzn-SageMaker-FailureLocation"].removeprefix("s3://b/"): b"ouch"}
    ((topic, said),) = plane.aws.published
    assert (topic, said["invocationStatus"]) == ("arn:bad", "Failed")
    assert said["failureReason"] == (
        "ClientError: Received server error (500) from model. "
        "See the SageMaker Endpoint logs in your account for more information."
    )
    assert {"InvocationFailures", "Invocation5XXErrors"} <= plane.metrics.names()


def test_an_input_that_is_not_there_fails_later(tmp_path, store):
    plane = APlane(tmp_path, store, 1)
    queue = Asynchronous(plane)
    assert queue.accept("e", plane.route, {P + "inputlocation": "s3://b/none"}, b"")[0] == 202
    drained(plane, queue)
    assert "Failed to download the request from s3://b/none" in plane.aws.published[0][1]["failureReason"]
    assert {"RequestDownloadFailures", "InvocationFailures"} <= plane.metrics.names()


def test_an_instance_that_goes_away_leaves_the_request_to_another(tmp_path, store):
    left = deque([None])
    with Model(lambda body: left.popleft() if left else (200, b"ok")) as model:
        plane = APlane(tmp_path, store, model.port)
        queue = Asynchronous(plane)
        queue.accept("e", plane.route, {}, b"x")
        drained(plane, queue)
    assert list(plane.aws.objects.values()) == [b"ok"]


def test_a_request_that_takes_instances_down_fails_in_the_end(tmp_path, store):
    with Model(lambda body: None) as model:
        plane = APlane(tmp_path, store, model.port)
        queue = Asynchronous(plane)
        queue.accept("e", plane.route, {}, b"x")
        drained(plane, queue)
    assert len(model.asked) == 2
    assert plane.aws.published[0][1]["failureReason"].startswith(
        "InternalServerError: The model server went away"
    )


def test_a_request_expires_by_the_clock(tmp_path, store):
    plane = APlane(tmp_path, store)  # no instance
    queue = Asynchronous(plane)
    queue.accept("e", plane.route, {P + "requestttlseconds": "60"}, b"x")
    assert queue.sizes()["e"][0] == 1
    plane.clock.advance(59)
    assert store.all(KIND)
    plane.clock.advance(2)
    drained(plane, queue)
    assert "waited for over 60 seconds" in plane.aws.published[0][1]["failureReason"]
    assert {"ExpiredRequests", "InvocationFailures"} <= plane.metrics.names()


def test_an_instance_gets_as_many_at_once_as_it_may(tmp_path, store):
    go, inside, most = threading.Semaphore(0), [0], [0]
    lock = threading.Lock()

    def respond(body):
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        go.acquire()
        with lock:
            inside[0] -= 1
        return 200, b"ok"

    with Model(respond) as model:
        plane = APlane(tmp_path, store, model.port, at_once=2)
        queue = Asynchronous(plane)
        for _ in range(5):
            queue.accept("e", plane.route, {}, b"x")
        go.release(5)
        drained(plane, queue)
    assert (most[0] <= 2, len(plane.aws.objects)) == (True, 5)


def test_what_waits_outlives_the_server_and_is_answered_once(tmp_path, store):
    first = APlane(tmp_path, store)  # no instance: nothing is begun
    queue = Asynchronous(first)
    for number in range(3):
        queue.accept("e", first.route, {}, str(number).encode())
        first.clock.advance(1)
    queue.stop()
    assert len(store.all(KIND)) == 3

    with Model(echo) as model:
        second = APlane(tmp_path, store, model.port, at_once=1)
        again = Asynchronous(second)
        again.start()
        drained(second, again)
    assert [body for _, body in model.asked] == [b"0", b"1", b"2"]
    assert sorted(second.aws.objects.values()) == [b"said 0", b"said 1", b"said 2"]


def test_the_queue_of_a_deleted_endpoint_goes_with_it(tmp_path, store):
    plane = APlane(tmp_path, store)
    queue = Asynchronous(plane)
    queue.accept("e", plane.route, {}, b"x")
    plane.statuses = {}
    drained(plane, queue)
    assert plane.aws.objects == {}


def test_an_endpoint_that_is_not_asynchronous_refuses(tmp_path, store):
    plane = APlane(tmp_path, store)
    with pytest.raises(ServiceError) as refused:
        Asynchronous(plane).accept("e", Route(blueprint=Blueprint("c", ())), {}, b"x")
    assert (refused.value.code, "use InvokeEndpoint." in refused.value.message) == ("ValidationError", True)


@pytest.mark.parametrize(("size", "reason"), [(1000, None), (1001, "over 1000 bytes")])
def test_inputs_and_answers_have_a_largest_size(tmp_path, store, size, reason):
    request = read(inputlocation="s3://b/in")
    for source, answer in ((size, 1), (1, size)):
        with Model(lambda body, answer=answer: (200, b"x" * answer)) as model:
            plane = APlane(tmp_path, store, **{"in": b"x" * source})
            result = Worker(plane, largest=1000).carry_out(request, model.port, lambda metric, value: None)
        assert (result.reason is None, (reason or "") in (result.reason or "")) == (reason is None, True)


def test_a_model_that_takes_too_long_is_a_failure_and_nobody_a_reason_to_go_on(tmp_path, store):
    silent = threading.Event()
    with Model(lambda body: silent.wait(5) and None) as model:
        plane = APlane(tmp_path, store)
        request = read(b"x", invocationtimeoutseconds="1")
        result = Worker(plane).carry_out(request, model.port, lambda metric, value: None)
        silent.set()
    assert "did not answer within 1 seconds" in result.reason
    with pytest.raises(Gone):
        Worker(plane).carry_out(request, 1, lambda metric, value: None)


def test_the_backlog_is_in_cloudwatch_each_minute(tmp_path, store):
    plane = APlane(tmp_path, store)  # no instance
    queue = Asynchronous(plane)
    for _ in range(3):
        queue.accept("e", plane.route, {}, b"x")
    sent = plane.aws.metrics
    while not sent or sent[-1]["ApproximateAgeOfOldestRequest"] < 60:
        plane.aws.sent.clear()
        plane.clock.advance(60)  # again, when its thread did not wait yet; not so often that requests expire
        plane.aws.sent.wait(1)
    queue.stop()
    last = sent[-1]
    assert (last["ApproximateBacklogSize"], last["HasBacklogWithoutCapacity"]) == (3.0, 1.0)
    assert last["ApproximateBacklogSizePerInstance"] == 3.0
