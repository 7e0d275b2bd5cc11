"""Which image a learner's jobs and its endpoint run in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from chalicelib.domain.jobs import IMAGES, evaluate_request, image_of, only_fit, train_request
from chalicelib.domain.places import Names
from chalicelib.domain.project import complete
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
