"""What a spec may say about judging, beyond its shape; and that the jobs get what it says."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.project import complete, faults
from tests import builders

COSTS = {"fp": 100, "fn": 500}


def said(**changes: Any) -> dict[str, str]:
    spec = {**builders.a_spec(), **changes}
    return {fault["where"]: fault["problem"] for fault in faults(spec, name=spec["project"])}


@pytest.mark.parametrize(
    ("changes", "where", "words"),
    [
        ({"evaluate": {"cutoff": "cheapest"}}, "evaluate.cutoff", "depends on costs"),
        (
            {"evaluate": {"cutoff": "best_f1"}, "split": {"validation": 0}},
            "evaluate.cutoff",
            "split.validation is 0",
        ),
        ({"evaluate": {"positive": "x"}, "labels": ["a", "b"]}, "evaluate.positive", "not one of the labels"),
        ({"evaluate": {"costs": COSTS}, "labels": ["a", "b", "c"]}, "evaluate.costs", "there are 3"),
        ({"evaluate": {"slices": ["nowhere"]}}, "evaluate.slices", "not one of the columns"),
        ({"gate": {"metric": "cost"}}, "gate.metric", "give evaluate.costs"),
        ({"gate": {"metric": "f1"}, "labels": ["a", "b", "c"]}, "gate.metric", "only two classes have f1"),
        (
            {"gate": {"metric": "cost", "at_least": 1}, "evaluate": {"costs": COSTS}},
            "gate.at_least",
            "use at_most",
        ),
        ({"task": "regression", "evaluate": {"max_fpr": 0.1}}, "evaluate.max_fpr", "only a classification"),
    ],
)
def test_what_cannot_be_judged_by_is_told(changes: dict[str, Any], where: str, words: str) -> None:
    assert words in said(**changes)[where]


def test_what_can_be_is_not() -> None:
    wanted = {"positive": "b", "costs": COSTS, "cutoff": "cheapest", "max_fpr": 0.071}
    assert not said(evaluate=wanted, labels=["a", "b"], gate={"metric": "cost", "at_most": 3})


def test_a_run_keeps_every_default() -> None:
    assert complete(builders.a_spec())["evaluate"] == {"max_fpr": 0.05, "bootstrap": 1000, "confidence": 0.95}
