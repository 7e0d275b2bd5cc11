"""The SageMaker Python SDK v2 (sagemaker 2.257.7), unchanged, against the embedded AWS."""

from collections.abc import Callable

import pytest

from tests.interop.conftest import Client

pytestmark = pytest.mark.interop


@pytest.fixture(scope="module")
def client(client_of: Callable[[str], Client]) -> Client:
    return client_of("v2")


def test_scikit_learn_is_fitted_attached_deployed_and_asked(client: Client) -> None:
    """SKLearn, logs="All", attach, training_job_analytics, Predictor, SKLearnModel."""
    printed = client.run("v2_sklearn")
    assert "installed from requirements.txt: #0000ff ; from the environment: green" in printed
    assert "validation-accuracy: " in printed


def test_xgboost_in_script_mode(client: Client) -> None:
    """XGBoost with one file that trains and serves; FastFile; a failure with its reason."""
    client.run("v2_xgboost")


def test_xgboost_as_an_algorithm(client: Client) -> None:
    """Estimator with image_uris.retrieve("xgboost"): CSV, metrics, Predictor, a tuning, a refused hyperparameter."""
    client.run("v2_builtin")


def test_processing_jobs(client: Client) -> None:
    """SKLearnProcessor, ScriptProcessor, FrameworkProcessor, Processor."""
    assert "rows kept: 3" in client.run("v2_process")


def test_a_directory_is_transformed(client: Client) -> None:
    """Model.transformer, Transformer.transform with its log, attach."""
    client.run("v2_transform")


def test_hyperparameters_are_tuned(client: Client) -> None:
    """HyperparameterTuner: fit, analytics, attach, best_estimator."""
    client.run("v2_tune")
