"""What every test may use: ports in memory, a project, and an environment without anybody's AWS account."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from tests import builders
from tests.fakes import FakePorts, Machine

settings.register_profile("any machine", deadline=None)  # no test fails because a machine is slow
settings.load_profile("any machine")


@pytest.fixture(autouse=True)
def _nobodys_account(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may reach a real account by way of the environment or of ~/.aws."""
    if os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://127.0.0.1:"):
        return  # a session's own embedded AWS
    for name in [name for name in os.environ if name.startswith(("AWS_", "PENSTOCK_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


@pytest.fixture
def ports() -> FakePorts:
    """All ports in memory, with project churn defined."""
    made = FakePorts()
    made.ledger.put_project(builders.a_spec(), builders.AT)
    return made


@pytest.fixture
def machine(ports: FakePorts) -> Machine:
    """The state machine's Claim and Report over those ports."""
    return Machine(ports)
