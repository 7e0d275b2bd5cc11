"""A real embedded AWS for the tests of this tier: one a session, on a free port, in a directory with a space."""

import contextlib
import json
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from penstock.localaws import control


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """What `condition` answers once it answers something true; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"still {found!r} after {seconds} seconds: {condition}")
        time.sleep(0.02)


@dataclass
class EmbeddedAws:
    """A running embedded AWS and clients for it. `client` makes one a service and keeps it."""

    root: Path
    port: int
    clients: dict[str, Any] = field(default_factory=dict)

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def client(self, service: str) -> Any:
        if service not in self.clients:
            self.clients[service] = boto3.session.Session(
                aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1"
            ).client(
                service,
                endpoint_url=self.endpoint_url,
                config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}, read_timeout=120),
            )
        return self.clients[service]

    def ask_penstock(self, name: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """POST `body` to a path of `penstock.localaws.testing` (GET without); its answer."""
        content = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"{self.endpoint_url}/_penstock/{name}", content, timeout=60) as answer:
            said: dict[str, Any] = json.load(answer)
        return said

    def advance(self, seconds: float) -> float:
        """Let so much of SageMaker's time pass at once; returns its time then, in epoch seconds."""
        return float(self.ask_penstock("clock", {"advance_seconds": seconds})["now"])

    def reset(self, *services: str) -> None:
        """End and forget everything, or everything of `services` (`sagemaker`). Not on the shared `embedded_aws`."""
        self.ask_penstock("reset", {"services": list(services)} if services else {})

    def close(self) -> None:
        for client in self.clients.values():
            client.close()
        with contextlib.suppress(control.NotRunning):
            control.down(self.root)


@pytest.fixture(scope="session")
def embedded_aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    """An embedded AWS that lives as long as the test session; shared, so use names of your own."""
    root = tmp_path_factory.mktemp("embedded aws")
    running = control.up(root, port=free_port(), testing=True)
    aws = EmbeddedAws(root, running.port)
    yield aws
    aws.close()


@pytest.fixture
def own_aws(tmp_path: Path) -> Iterator[Callable[[], EmbeddedAws]]:
    """Starts an embedded AWS of the test's own, which it may stop, kill and start again."""
    started: list[EmbeddedAws] = []
    root = tmp_path / "a project"
    root.mkdir()

    def start() -> EmbeddedAws:
        aws = EmbeddedAws(root, control.up(root, port=free_port(), testing=True).port)
        started.append(aws)
        return aws

    yield start
    for aws in started:
        aws.close()


@pytest.fixture
def unused_port() -> int:
    """A port nobody listens on."""
    return free_port()
