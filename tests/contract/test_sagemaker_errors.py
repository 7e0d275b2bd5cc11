"""What SageMaker answers when it refuses, served over HTTP to a real client, and what it becomes for us."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import botocore.session
import pytest
from botocore.config import Config

from chalicelib.adapters.sagemaker import SageMakerEndpoints, SageMakerRegistry
from chalicelib.adapters.sagemaker_jobs import SageMakerJobs
from chalicelib.adapters.sagemaker_runtime import SageMakerPredictor
from chalicelib.domain.endpoint import Served
from chalicelib.domain.prediction import JSON, Question
from chalicelib.errors import (
    AwsTrouble,
    BadRequest,
    JobFailed,
    Misconfigured,
    NotReady,
    PipelineError,
    Throttled,
    TimedOut,
)
from chalicelib.wiring import _PROMPT

ASKED = Question(b'{"text": "x"}', JSON, JSON)


class _Server(ThreadingHTTPServer):
    """Answers every request with what the test has set."""

    status = 200
    error_type = ""
    document: Any = None
    slow = False
    asked = 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.delay = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:  # the base class's name
        """Answer as told; a client that has given up waiting is no error of ours."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._answer()

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked += 1
        if self.server.slow:
            self.server.delay.wait(10)
        body = json.dumps(self.server.document).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("x-Amzn-Invoked-Production-Variant", "live")
        if self.server.error_type:
            self.send_header("x-amzn-ErrorType", self.server.error_type)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def server() -> Iterator[_Server]:
    """A SageMaker that says what it is told to."""
    made = _Server()
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield made
    made.delay.set()
    made.shutdown()
    made.server_close()
    thread.join(5)


def a_client(server: _Server, service: str) -> Any:
    session = botocore.session.Session()
    session.set_credentials("test", "test")
    url = f"http://127.0.0.1:{server.server_address[1]}"
    config = Config(retries={"mode": "standard", "max_attempts": 1}, read_timeout=0.5 if server.slow else 10)
    return session.create_client(service, region_name="us-east-1", endpoint_url=url, config=config)


def ask(server: _Server) -> PipelineError:
    with pytest.raises(PipelineError) as caught:
        SageMakerPredictor(a_client(server, "sagemaker-runtime")).ask("e1", ASKED, "id")
    return caught.value


def model_error(status: int, message: str) -> dict[str, Any]:
    return {
        "Message": f"Received client error ({status}) from primary and could not load the entire response body.",
        "OriginalStatusCode": status,
        "OriginalMessage": message,
        "LogStreamArn": "arn:aws:logs:us-east-1:000000000000:log-group:/aws/sagemaker/Endpoints/e1",
    }


def test_an_answer_is_passed_on(server: _Server) -> None:
    server.document = {"predictions": [1]}
    answer = SageMakerPredictor(a_client(server, "sagemaker-runtime")).ask("e1", ASKED, "id")
    assert (json.loads(answer.body), answer.variant, answer.inference_id) == (
        {"predictions": [1]},
        "live",
        "id",
    )


@pytest.mark.parametrize(
    ("http", "code", "document", "expected", "status"),
    [
        (424, "ModelError", model_error(500, "boom"), JobFailed, 502),
        (
            424,
            "ModelError",
            model_error(400, '{"error": "bad", "faults": [{"instance": 0}]}'),
            BadRequest,
            422,
        ),
        (424, "ModelError", model_error(400, "bad"), BadRequest, 400),
        (424, "ModelError", model_error(415, "use JSON"), BadRequest, 415),
        (424, "ModelError", model_error(429, "busy"), Throttled, 429),
        (424, "ModelError", model_error(503, "loading"), NotReady, 503),
        (424, "ModelError", model_error(504, "slow"), TimedOut, 504),
        (429, "ModelNotReadyException", {"Message": "loading"}, NotReady, 503),
        (400, "ValidationError", {"Message": "Endpoint e1 of account 0 not found."}, NotReady, 503),
        (400, "ValidationError", {"Message": "InferenceId is too long"}, BadRequest, 400),
        (400, "ThrottlingException", {"Message": None}, Throttled, 429),
        (400, "", {"message": None}, Throttled, 429),
        (503, "ServiceUnavailable", {"Message": "away"}, AwsTrouble, 503),
        (503, "ServiceUnavailable", {"Message": "Rate exceeded"}, Throttled, 429),
        (429, "TooManyRequestsException", {"Message": "Concurrency"}, Throttled, 429),
        (400, "ValidationError", {"Message": "Variant b not found for Endpoint e1"}, BadRequest, 400),
        (413, "ValidationError", {"Message": "Body exceeds 4194304 bytes"}, BadRequest, 413),
        (424, "ModelError", model_error(403, "no"), JobFailed, 502),
        (500, "InternalFailure", {"Message": "away"}, AwsTrouble, 503),
        (403, "AccessDeniedException", {"Message": "no"}, Misconfigured, 500),
    ],
)
def test_each_refusal_of_the_runtime(
    server: _Server, http: int, code: str, document: Any, expected: type[PipelineError], status: int
) -> None:
    server.status, server.error_type, server.document = http, code, document
    error = ask(server)
    assert (type(error), error.status) == (expected, status)


def test_a_model_that_does_not_answer_is_a_timeout(server: _Server) -> None:
    server.slow = True
    assert isinstance(ask(server), TimedOut)


def test_a_service_that_is_gone_is_trouble(server: _Server) -> None:
    predictor = SageMakerPredictor(a_client(server, "sagemaker-runtime"))
    server.shutdown()
    server.server_close()
    with pytest.raises(AwsTrouble):
        predictor.ask("e1", ASKED, "id")


def refuse(server: _Server, code: str, message: str) -> SageMakerEndpoints:
    server.status, server.document = 400, {"__type": code, "message": message}
    role = "arn:aws:iam::000000000000:role/penstock-test-jobs"
    return SageMakerEndpoints(a_client(server, "sagemaker"), role, "s3://b/capture")


def test_what_is_missing_is_none(server: _Server) -> None:
    endpoints = refuse(
        server, "ValidationException", 'Could not find endpoint "arn:aws:sagemaker:::endpoint/e1".'
    )
    assert endpoints.describe("e1") is None
    endpoints.delete("e1")


def test_what_exists_is_not_created_again(server: _Server) -> None:
    endpoints = refuse(server, "ValidationException", 'Cannot create already existing endpoint "arn:…/e1".')
    endpoints.create("e1", "c1", [])
    container = {"Image": "i", "ModelDataUrl": "s3://b/m.tar.gz"}
    live = Served("live", "m1", container, 1.0, "ml.m5.large")
    shadow = Served("shadow", "m2", None, 0.5, "ml.m5.large", shadow=True)
    endpoints.prepare("c1", [live, shadow], [], capture=100)
    message = "Model Package Group already exists: arn:aws:sagemaker:::model-package-group/g"
    server.document = {"__type": "ValidationException", "message": message}
    SageMakerRegistry(a_client(server, "sagemaker")).ensure_group("g", "churn")


def test_another_update_going_on_is_tried_again(server: _Server) -> None:
    endpoints = refuse(server, "ValidationException", 'Cannot update in-progress endpoint "arn:…/e1".')
    with pytest.raises(AwsTrouble):
        endpoints.update("e1", "c1")


def test_a_limit_of_the_account_is_told(server: _Server) -> None:
    endpoints = refuse(
        server, "ResourceLimitExceeded", "The account-level service limit 'ml.m5.large' is 0 Instances"
    )
    with pytest.raises(Misconfigured, match=r"ml\.m5\.large"):
        endpoints.create("e1", "c1", [])


TRAINED = {
    "TrainingJobName": "j",
    "TrainingJobArn": "arn:aws:sagemaker:us-east-1:000000000000:training-job/j",
    "TrainingJobStatus": "Completed",
    "SecondaryStatus": "Completed",
    "ModelArtifacts": {"S3ModelArtifacts": "s3://b/m.tar.gz"},
    "AlgorithmSpecification": {"TrainingInputMode": "File"},
    "StoppingCondition": {"MaxRuntimeInSeconds": 90},
    "HyperParameters": {"learner": "text_forest", "max_depth": "3"},
    "FinalMetricDataList": [{"MetricName": "validation:auc", "Value": 0.5, "Timestamp": 1}],
    "BillableTimeInSeconds": 7,
    "CreationTime": 1,
}


def test_a_training_job_is_a_candidate(server: _Server) -> None:
    server.document = TRAINED
    found = SageMakerJobs(a_client(server, "sagemaker")).training("j")
    assert (found.learner, found.metrics, found.seconds) == ("text_forest", {"auc": 0.5}, 7)
    assert found.judged_by("auc").usable
    assert not found.judged_by("rmse").usable


def test_a_job_that_ran_out_of_its_time_says_so(server: _Server) -> None:
    server.document = TRAINED | {"TrainingJobStatus": "Stopped", "SecondaryStatus": "MaxRuntimeExceeded"}
    found = SageMakerJobs(a_client(server, "sagemaker")).training("j").judged_by("auc")
    assert not found.usable
    assert "90 seconds that the budget leaves it" in str(found.reason)


def test_a_job_that_never_was_is_a_candidate_that_failed(server: _Server) -> None:
    server.status = 400
    server.document = {"__type": "ValidationException", "message": "Requested resource not found."}
    found = SageMakerJobs(a_client(server, "sagemaker")).training("j")
    assert (found.status, found.reason) == ("Failed", "Requested resource not found.")


def test_the_jobs_of_a_tuning_come_with_what_was_tuned(server: _Server) -> None:
    one = {
        "TrainingJobName": "j",
        "TrainingJobArn": "arn:aws:sagemaker:us-east-1:000000000000:training-job/j",
        "CreationTime": 1,
        "TrainingStartTime": 10,
        "TrainingEndTime": 15,
        "TrainingJobStatus": "Completed",
        "TunedHyperParameters": {"max_depth": "3"},
        "FinalHyperParameterTuningJobObjectiveMetric": {"MetricName": "validation:auc", "Value": 0.25},
    }
    waiting = {key: one[key] for key in ("TrainingJobName", "TrainingJobArn", "CreationTime")}
    waiting |= {"TrainingJobStatus": "Stopped", "TunedHyperParameters": {}}
    server.document = {"TrainingJobSummaries": [one, waiting]}
    first, second = SageMakerJobs(a_client(server, "sagemaker")).tuned("t", "x")
    assert (first.value, first.seconds, first.hyperparameters) == (0.25, 5, {"max_depth": "3"})
    assert not second.usable


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (
            "Traceback (most recent call last):\n  File 'x.py', line 1\nKeyError: 'age'",
            "KeyError: 'age'",
        ),
        ("<html><body>Internal Server Error</body></html>", "it gave no reason"),
        ('{"error": "no such column", "trace": "x"}', "no such column"),
        ("", "it gave no reason"),
        ("x" * 5000, "x" * 300),
    ],
)
def test_a_failed_models_words_come_without_its_inside(server: _Server, message: str, words: str) -> None:
    server.status, server.error_type, server.document = 424, "ModelError", model_error(500, message)
    server.document["Message"] = ""
    assert str(ask(server)).startswith(f"endpoint e1: the model failed with 500: {words}. ")


@pytest.mark.parametrize("status", [0, 500, 503])
def test_a_model_is_asked_once(server: _Server, status: int) -> None:
    """As wiring sets the client up, but for the time: a second try would outlive API Gateway."""
    server.slow, server.status, server.document = status == 0, status or 200, {"Message": "away"}
    session = botocore.session.Session()
    session.set_credentials("test", "test")
    url = f"http://127.0.0.1:{server.server_address[1]}"
    config = _PROMPT.merge(Config(read_timeout=0.5))
    made = session.create_client(
        "sagemaker-runtime", region_name="us-east-1", endpoint_url=url, config=config
    )
    with pytest.raises(PipelineError):
        SageMakerPredictor(made).ask("e1", ASKED, "id")
    assert server.asked == 1
