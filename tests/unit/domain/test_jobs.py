"""Which image a learner's jobs and its endpoint run in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chalicelib.domain.jobs import IMAGES, evaluate_request, image_of, only_fit, train_request
from chalicelib.domain.places import Names
from chalicelib.domain.project import complete
from penstock.localaws.sagemaker.jobs.metrics import MetricReader
from tests import builders

SCHEMA = Path(__file__).parents[3] / "chalicelib/contracts/project.schema.json"
TEXT = {"t": "text", "y": "label"}


@pytest.mark.parametrize(
    ("learner", "jobs", "serving"),
    [
        ("gradient_boosting", "xgboost:3.2-0", "xgboost:3.2-0"),
        ("text_linear", "sklearn:1.9-0", "sklearn:1.9-0"),
        ("text_sequence", "pytorch:2.6.0", "sklearn:1.9-0"),
        ("text_cnn", "pytorch:2.6.0", "sklearn:1.9-0"),
    ],
)
def test_networks_are_fitted_where_pytorch_is_and_served_without(
    learner: str, jobs: str, serving: str
) -> None:
    spec = complete(builders.a_spec(learner={"name": learner}, columns=TEXT))
    names = Names(builders.settings(), "churn", "churn-0001-x", 1, 1)
    assert (
        train_request(names, spec, only_fit(names, spec, None))["AlgorithmSpecification"]["TrainingImage"]
        == jobs
    )
    assert evaluate_request(names, spec, None)["AppSpecification"]["ImageUri"] == jobs
    assert image_of(names.place, learner) == serving


def test_every_learner_a_spec_may_name_has_an_image() -> None:
    named = json.loads(SCHEMA.read_text())["properties"]["learner"]["properties"]["name"]["enum"]
    assert {name for name in named if name.startswith("text_")} <= set(IMAGES)


def test_metrics_are_read_in_each_round_and_at_the_end() -> None:
    """What tuning stops early by; the last value is that of the model that is kept."""
    spec = complete(builders.a_spec())
    names = Names(builders.settings(), "churn", "churn-0001-x", 1, 1)
    asked = train_request(names, spec, only_fit(names, spec, None))["AlgorithmSpecification"]
    assert len(asked["MetricDefinitions"]) <= 40  # as many as SageMaker takes
    reader = MetricReader(asked["MetricDefinitions"])
    said = (
        "[0] train-logloss:0.6 validation-logloss:0.65",
        "[1] train-mlogloss:0.5 validation-mlogloss:0.55",
        "[2] train-rmse:2.5 validation-rmse:3.5",
        "[3] train-rmsle:0.1 validation-rmsle:0.2",
        "validation:log_loss=0.5",
        "train:log_loss=0.4",
        "validation:auc=0.9",
    )
    for at, line in enumerate(said):
        reader.read(line, float(at))
    assert [(name, value) for name, value, _ in reader.all()] == [
        ("validation:log_loss", 0.65),
        ("validation:log_loss", 0.55),
        ("validation:rmse", 3.5),
        ("validation:log_loss", 0.5),
        ("validation:auc", 0.9),
    ]
