"""Image addresses: every registry and region, what stands behind them, and what an unknown one says."""

import importlib.util

import pytest

from penstock.localaws.sagemaker import images
from penstock.localaws.sagemaker.faults import JobFault


@pytest.mark.parametrize(
    ("uri", "framework", "algorithm"),
    [
        (
            "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3",
            "sklearn",
            None,
        ),
        ("492215442770.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-xgboost:3.2-0", "xgboost", "xgboost"),
        ("450853457545.dkr.ecr.cn-north-1.amazonaws.com.cn/sagemaker-xgboost:1.7-1", "xgboost", "xgboost"),
        ("811284229777.dkr.ecr.us-east-1.amazonaws.com/xgboost:latest", "xgboost", "xgboost"),
        ("000000000000.dkr.ecr.us-east-1.amazonaws.com/penstock-serving@sha256:0a1b", "penstock", None),
        ("penstock-serving", "penstock", None),
    ],
)
def test_images_of_any_registry(uri, framework, algorithm):
    found = images.find(uri)
    assert (found.framework, found.algorithm) == (framework, algorithm)
    assert set(images.metrics(uri)) == set(found.metrics)


def test_an_unknown_image_cannot_be_pulled_and_says_what_can():
    with pytest.raises(JobFault) as refused:
        images.find("1.dkr.ecr.r.amazonaws.com/sagemaker-xgbost:3.2-0")
    assert str(refused.value).startswith(
        "ClientError: Cannot pull image 1.dkr.ecr.r.amazonaws.com/sagemaker-xgbost:3.2-0:"
    )
    assert "Did you mean sagemaker-xgboost?" in str(refused.value)
    with pytest.raises(JobFault, match="Cannot pull image not an address"):
        images.find("not an address")
    assert images.metrics("1.dkr.ecr.r.amazonaws.com/own:1") == {}


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed")
@pytest.mark.parametrize(
    "repository", ["pytorch", "pytorch-training", "pytorch-inference", "sagemaker-pytorch"]
)
def test_pytorch_says_what_to_install(repository):
    """AWS's image has it, so a job may count on it: better no job than one that fails half way."""
    with pytest.raises(JobFault, match=r'needs torch, .*pip install "penstock\[pytorch\]"'):
        images.find(f"763104351884.dkr.ecr.us-west-2.amazonaws.com/{repository}:2.6-cpu-py312")
