"""MiniStack by itself, for the adapters: one process a session, on a free port, nothing kept."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest

_START_SECONDS = 60


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def endpoint_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a MiniStack of our own."""
    port, home = _free_port(), tmp_path_factory.mktemp("ministack")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TMPDIR": str(home),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "LOG_LEVEL": "WARNING",
    }
    url = f"http://127.0.0.1:{port}"
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack"],
            env=environment,
            cwd=home,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_it_answers(url, process, home / "log")
            yield url
        finally:
            process.terminate()
            process.wait(20)


def _wait_until_it_answers(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/_ministack/health", timeout=1) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"MiniStack did not start: {log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def client(endpoint_url: str) -> Any:
    """A maker of clients for it: client("dynamodb")."""
    session = botocore.session.Session()
    session.set_credentials("test", "test")

    def make(service: str) -> Any:
        return session.create_client(service, region_name="us-east-1", endpoint_url=endpoint_url)

    return make
