"""The training tier: job code as it runs on Glue and SageMaker, against a real S3 on this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

ROOT = Path(__file__).resolve().parents[2]
TRAINING = ROOT / "training"
DATA = ROOT.parent / "shared" / "data"

# training/ is a root of sys.path in every job; so it is here.
sys.path.insert(0, str(TRAINING))


@pytest.fixture(scope="session")
def aws_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a job: a MiniStack of our own on a free port of 127.0.0.1, ended afterwards."""
    port = _free_port()
    home = tmp_path_factory.mktemp("ministack")
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",  # not a secret: what MiniStack takes
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    server = {**environment, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port)}
    log = (home / "log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "ministack"], env=server, cwd=home, stdout=log, stderr=log
    )
    try:
        _await_health(environment["AWS_ENDPOINT_URL"], process)
        yield environment
    finally:
        process.terminate()
        process.wait(20)
        log.close()


@pytest.fixture(scope="session")
def aws(aws_environment: dict[str, str]) -> Any:
    """Clients of that S3 and its neighbours: `aws("s3")`."""

    def client(service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=aws_environment["AWS_ENDPOINT_URL"],
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    return client


@pytest.fixture(scope="session")
def bucket(aws: Any) -> str:
    """A versioned bucket, as the foundation makes it."""
    name = "penstock-test-000000000000-us-east-1"
    aws("s3").create_bucket(Bucket=name)
    aws("s3").put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    return name


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real public data beside the repository; tests that need it are skipped without it."""
    if not DATA.is_dir():
        pytest.skip("the shared data folder ../shared/data is absent: it is not part of the repository")
    return DATA


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _await_health(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"ministack ended with status {process.returncode} before it was ready")
        try:
            with urllib.request.urlopen(f"{url}/_ministack/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)  # between two looks at the condition
    raise RuntimeError("ministack was not ready within 60 seconds")
