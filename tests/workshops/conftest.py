"""The workshops' clients: plain boto3 at the embedded AWS's URL, and their data beside the checkout."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from penstock.localaws import control
from tests.local.conftest import free_port

DATA = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "seeds"
ROLE = "arn:aws:iam::000000000000:role/AmazonSageMaker-ExecutionRole-20200101T000000"
REGION = "us-east-1"


@dataclass
class Account:
    """What a workshop's notebook has: clients, a bucket, a role."""

    endpoint_url: str
    bucket: str = "sagemaker-workshop"

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint_url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(s3={"addressing_style": "path"}),
        )


@pytest.fixture(scope="session")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An embedded AWS with an empty bucket."""
    root = tmp_path_factory.mktemp("workshop account")
    running = control.up(root, port=free_port())
    here = Account(f"http://127.0.0.1:{running.port}")
    here.client("s3").create_bucket(Bucket=here.bucket)
    yield here
    control.down(root)


@pytest.fixture(scope="session")
def seeds() -> Path:
    """The workshops' data; skips where it is not there."""
    if not DATA.is_dir():
        pytest.skip(f"the workshops' data is not here: {DATA}")
    return DATA


def wait(client: Any, waiter: str, **names: str) -> None:
    """A botocore waiter as it is, asking twice a second instead of twice a minute."""
    found = client.get_waiter(waiter)
    found.config.delay = 0.5
    found.config.max_attempts = 240
    found.wait(**names)
