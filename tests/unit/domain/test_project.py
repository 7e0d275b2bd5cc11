"""A project's meaning: what a schema cannot say, and the defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from chalicelib.domain.project import complete, faults
from chalicelib.steps.define import spec_faults
from tests import builders

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "examples").glob("*/project.yaml")), ids=lambda path: path.parent.name
)
def test_the_examples_are_sound(path: Path) -> None:
    spec = yaml.safe_load(path.read_text())
    assert spec_faults(spec, spec["project"]) == []


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"project": "other"}, "project"),
        ({"columns": {"a": "number", "b": "number"}}, "columns"),
        ({"columns": {"a": "label", "b": "label"}}, "columns"),
        ({"columns": {"a": {"type": "number", "format": "%d"}, "b": "label"}}, "columns.a.format"),
        ({"columns": {"a": {"type": "number", "above": 1}, "b": "label"}}, "columns.a.above"),
        ({"columns": {"a": "ignore", "b": "label"}}, "columns"),
        ({"task": "regression", "labels": ["a", "b"]}, "labels"),
        ({"split": {"test": 0.5, "validation": 0.5}}, "split"),
        ({"split": {"group": "nobody"}}, "split.group"),
        ({"split": {"method": "shuffled", "stratify": True}}, "split"),
        ({"task": "regression", "split": {"stratify": True}}, "split.stratify"),
        ({"learner": {"name": "text_forest"}}, "learner.name"),
        ({"gate": {"metric": "rmse"}}, "gate.metric"),
        ({"gate": {"metric": "log_loss", "at_least": 0.1}}, "gate.at_least"),
        ({"gate": {"metric": "accuracy", "at_most": 0.1}}, "gate.at_most"),
    ],
)
def test_each_fault_of_meaning_is_found(changes: dict[str, Any], where: str) -> None:
    assert where in {fault["where"] for fault in faults(builders.a_spec(**changes), name="churn")}


def test_a_sound_spec_has_no_faults() -> None:
    assert faults(builders.a_spec(), name="churn") == []


def test_defaults_are_written_out() -> None:
    whole = complete(builders.a_spec())
    assert whole["learner"] == {"name": "gradient_boosting", "hyperparameters": {}}
    assert whole["split"]["stratify"] is True
    assert whole["gate"] == {"metric": "macro_f1", "beat_baseline": True, "beat_champion": True}
    assert whole["columns"]["age"] == {"type": "number"}
    text = complete({**builders.a_spec(), "columns": {"t": "text", "y": "label"}})
    assert text["learner"]["name"] == "text_forest"
