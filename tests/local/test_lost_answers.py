"""boto3 with its standard retries behind a connection that resets and loses answers: every call succeeds, once."""

import contextlib
import itertools
import socket
import struct
import threading
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.local.conftest import EmbeddedAws
from tests.local.job_requests import ROLE, SKLEARN, new_bucket, new_name, shell_training, training_over

CALLS = 15
LOST, RESET, PASSED = "answer lost", "reset before the request", "passed"


class BadLine:
    """A TCP proxy: it loses the answer of one connection, passes the next, resets the third, passes the fourth."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._fates = itertools.cycle((LOST, PASSED, RESET, PASSED))
        self.seen: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                fate = next(self._fates)
                self.seen.append(fate)
                threading.Thread(target=self._carry, args=(client, fate), daemon=True).start()

    def _carry(self, client: socket.socket, fate: str) -> None:
        with client, socket.create_connection(("127.0.0.1", self._target)) as server:
            if fate is not RESET:
                server.sendall(request_of(client))
                answer = b"".join(iter(lambda: server.recv(65_536), b""))  # it has been carried out by now
            if fate is PASSED:
                client.sendall(answer)
            else:  # to linger for no seconds is to end with a reset
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def close(self) -> None:
        self._listener.close()


def request_of(client: socket.socket) -> bytes:
    """One whole HTTP request, with `Connection: close` so that its answer is all there is."""
    read = b""
    while b"\r\n\r\n" not in read:
        read += client.recv(65_536)
    head, _, body = read.partition(b"\r\n\r\n")
    headers = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
    while len(body) < int(headers.get(b"content-length", b"0")):
        body += client.recv(65_536)
    return head + b"\r\nConnection: close\r\n\r\n" + body


@pytest.fixture
def line(embedded_aws: EmbeddedAws) -> Iterator[BadLine]:
    made = BadLine(embedded_aws.port)
    yield made
    made.close()


@pytest.fixture
def sagemaker(line: BadLine) -> Iterator[Any]:
    """A client with boto3's standard retries, not even waiting between them."""
    session = boto3.session.Session(
        aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1"
    )
    config = Config(retries={"mode": "standard", "max_attempts": 5}, max_pool_connections=1)
    client = session.client("sagemaker", endpoint_url=f"http://127.0.0.1:{line.port}", config=config)
    client.meta.events.register("before-send.sagemaker", _no_connection_is_kept)
    yield client
    client.close()


def _no_connection_is_kept(request: Any, **_: Any) -> None:
    request.headers["Connection"] = "close"


def test_creates_repeated_for_a_lost_answer_succeed_once(
    embedded_aws: EmbeddedAws, line: BadLine, sagemaker: Any
) -> None:
    """Models, configurations and training jobs; a repeat of the program's own is refused, as on AWS."""
    bucket, prefix = new_bucket(embedded_aws), new_name("lost")
    for number in range(CALLS // 3):
        name = f"{prefix}-{number}"
        model = {"ModelName": name, "ExecutionRoleArn": ROLE, "PrimaryContainer": {"Image": SKLEARN}}
        variant = {
            "VariantName": "a",
            "ModelName": name,
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 1,
        }
        assert sagemaker.create_model(**model)["ModelArn"].endswith(name)
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
        sagemaker.create_training_job(**shell_training(bucket, name, "true"))
    assert line.seen.count(LOST) >= CALLS // 3
    direct = embedded_aws.client("sagemaker")
    jobs = direct.list_training_jobs(NameContains=prefix, MaxResults=100)["TrainingJobSummaries"]
    assert len(jobs) == CALLS // 3
    for job in jobs:
        assert training_over(embedded_aws, job["TrainingJobName"])["TrainingJobStatus"] == "Completed"
    with pytest.raises(ClientError, match="Cannot create already existing model"):
        direct.create_model(**model)
    with pytest.raises(ClientError, match="already exists"):
        direct.create_training_job(**shell_training(bucket, name, "true"))


def test_deletes_repeated_for_a_lost_answer_succeed(sagemaker: Any) -> None:
    names = [new_name("gone") for _ in range(4)]
    for name in names:
        sagemaker.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={"Image": SKLEARN})
        sagemaker.delete_model(ModelName=name)
    with pytest.raises(ClientError, match="Could not find model"):
        sagemaker.delete_model(ModelName=names[0])
