"""A plain MiniStack whose Step Functions answers tasks from a mock file, in AWS's own mock format."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.statemachine.paths import MACHINE, PATHS, mocks

ROOT = Path(__file__).parents[2]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"MiniStack ended with {process.returncode} at its start")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError("MiniStack did not open its port within 30 s")


@pytest.fixture(scope="session")
def stepfunctions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Step Functions client; the machine is registered, tasks answer as tests/statemachine/paths.py says."""
    folder = tmp_path_factory.mktemp("stepfunctions")
    config = folder / "mocks.json"
    config.write_text(json.dumps(mocks()))
    port = _free_port()
    environment = os.environ | {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "SFN_MOCK_CONFIG": str(config),
        "SFN_WAIT_SCALE": "0.01",
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "TMPDIR": str(folder),
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ministack"], env=environment, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            _wait_until_open(port, process)
            client = boto3.client(
                "stepfunctions",
                endpoint_url=f"http://127.0.0.1:{port}",
                region_name="us-east-1",
                aws_access_key_id="test",
                aws_secret_access_key="test",
            )
            client.create_state_machine(
                name=MACHINE,
                definition=(ROOT / "statemachine" / "pipeline.asl.json").read_text(),
                roleArn="arn:aws:iam::000000000000:role/machine",
            )
            yield client
            client.close()
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture(params=[path.name for path in PATHS])
def path(request: pytest.FixtureRequest) -> Any:
    """Every path through the machine, one after the other."""
    return next(path for path in PATHS if path.name == request.param)
