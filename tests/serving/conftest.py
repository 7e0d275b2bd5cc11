"""Fixtures: a real model server process around an inference module written in the test."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

REPO = Path(__file__).resolve().parents[2]
PATIENCE = 20.0  # seconds a condition may take before a test gives up


@dataclass
class Reply:
    """One HTTP answer."""

    status: int
    body: bytes
    content_type: str

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class ModelServer:
    """A running `python -m serving`, its port, and what it printed."""

    process: subprocess.Popen[bytes]
    port: int
    base: Path
    patience: float = PATIENCE

    def call(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
            answer = connection.getresponse()
            return Reply(answer.status, answer.read(), answer.getheader("content-type") or "")
        finally:
            connection.close()

    def invoke(self, body: bytes, **headers: str) -> Reply:
        return self.call("POST", "/invocations", body, **headers)

    def ping(self) -> int:
        try:
            return self.call("GET", "/ping").status
        except OSError:
            return 0

    def wait_until_healthy(self) -> "ModelServer":
        self.wait_for(lambda: self.ping() == 200)
        return self

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + self.patience
        while not condition():
            assert self.process.poll() is None, self.errors()
            assert time.monotonic() < deadline, self.errors()
            time.sleep(0.02)

    def exit_code(self) -> int:
        return self.process.wait(PATIENCE)

    def errors(self) -> str:
        return (self.base / "stderr").read_text()

    def lines(self, event: str) -> list[dict[str, Any]]:
        """What the server logged of one kind, oldest first."""
        text = (self.base / "stdout").read_text().splitlines()
        logged = [json.loads(line) for line in text if line.startswith("{")]
        return [line for line in logged if line["event"] == event]


@dataclass
class Starter:
    """Starts model servers and stops them all at the end of the test."""

    root: Path
    started: list[ModelServer] = field(default_factory=list)

    def __call__(self, *parts: str | Callable[[Path], None], **settings: str) -> ModelServer:
        """Serve what the parts leave: the text of an inference module, or functions that fill the model directory."""
        base = self.root / str(len(self.started))
        (base / "model").mkdir(parents=True)
        for part in parts:
            if isinstance(part, str):
                program = base / "model/code" / settings.get("SAGEMAKER_PROGRAM", "inference.py")
                program.parent.mkdir(parents=True)
                program.write_text(textwrap.dedent(part))
            else:
                part(base / "model")
        server = self.start(base, settings)
        self.started.append(server)
        return server

    def start(self, base: Path, settings: dict[str, str]) -> ModelServer:
        port = free_port()
        env = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(REPO),
            "SAGEMAKER_BASE_DIR": str(base),
            "SAGEMAKER_BIND_TO_HOST": "127.0.0.1",
            "SAGEMAKER_BIND_TO_PORT": str(port),
            **settings,
        }
        with (base / "stdout").open("wb") as out, (base / "stderr").open("wb") as err:
            process = subprocess.Popen(
                [sys.executable, "-m", "serving"], env=env, stdout=out, stderr=err, start_new_session=True
            )
        return ModelServer(process, port, base)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Starter]:
    """Start `python -m serving` with the given module: serve(code, **environment) -> ModelServer."""
    with _starter(tmp_path) as starter:
        yield starter


@pytest.fixture(scope="module")
def serve_module(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starter]:
    """As `serve`, for servers that several tests of a module ask."""
    with _starter(tmp_path_factory.mktemp("servers")) as starter:
        yield starter


@contextlib.contextmanager
def _starter(root: Path) -> Iterator[Starter]:
    starter = Starter(root)
    yield starter
    for server in starter.started:
        if server.process.poll() is None:
            os.killpg(server.process.pid, signal.SIGKILL)
        server.process.wait(PATIENCE)
