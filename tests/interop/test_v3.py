"""The SageMaker Python SDK v3 (sagemaker 3.27.0), unchanged, against the embedded AWS."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.interop.conftest import Client

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def client(client_of: Callable[[str], Client]) -> Client:
    return client_of("v3")


def test_a_role_made_by_the_sdk_passes_its_own_checks(client: Client) -> None:
    """IamRoleResolver creates it, resolve_and_validate_role simulates what it may do."""
    client.run("v3_role")


def test_a_script_is_trained_and_its_log_is_shown(client: Client) -> None:
    """ModelTrainer with requirements, channels, hyperparameters, environment, metrics; TrainingJob stop and delete."""
    printed = client.run("v3_train")
    assert "installed from requirements.txt: #0000ff ; from the environment: blue" in printed
    assert "validation-accuracy: " in printed
    assert "Training Container Execution Completed" in printed  # the log's last line, before the job is over


def test_a_processing_script_runs_and_its_log_is_shown(client: Client) -> None:
    """ScriptProcessor, FrameworkProcessor with requirements, ProcessingJob stop and delete."""
    assert "rows kept: 3" in client.run("v3_process")


def test_a_trained_model_is_built_registered_deployed_and_asked(client: Client) -> None:
    """ModelBuilder, Endpoint.invoke, Model, EndpointConfig, ModelPackage and their groups."""
    client.run("v3_deploy")


def test_hyperparameters_are_tuned(client: Client) -> None:
    """HyperparameterTuner over a ModelTrainer."""
    client.run("v3_tune")


def test_plain_boto3_waits_and_pages(client: Client) -> None:
    """The newest boto3 there is, as SDK v3 brings it: every waiter and paginator on the way of a model."""
    client.run("boto3_waiters")


def test_without_the_settings_the_sdk_would_leave(client: Client, tmp_path: Path) -> None:
    """It asks AWS's STS for a bucket's name and sends telemetry: so the guard sees what there is to see."""
    escapes = tmp_path / "escapes"
    environment = {**client.environment, "INTEROP_ESCAPES": str(escapes)}
    del environment["SAGEMAKER_USER_CONFIG_OVERRIDE"]
    open_client = dataclasses.replace(client, environment=environment, escapes=escapes)
    code, _ = open_client.attempt("v3_process")
    assert code != 0
    assert "sts.us-east-1.amazonaws.com" in open_client.tried()
