"""A project's meaning: what a schema cannot say, and the defaults."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from chalicelib.domain.project import RESERVED, complete, faults
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
        ({"columns": {"a": "number", "_row": "ignore", "b": "label"}}, "columns._row"),
        ({"columns": {"a": "number", "_Merge_key": "ignore", "b": "label"}}, "columns._Merge_key"),
        ({"columns": {"a": "number", "A ": "number", "b": "label"}}, "columns.A "),
        ({"task": "regression", "labels": ["a", "b"]}, "labels"),
        ({"split": {"test": 0.5, "validation": 0.5}}, "split"),
        ({"split": {"group": "nobody"}}, "split.group"),
        ({"split": {"method": "shuffled", "stratify": True}}, "split"),
        ({"split": {"method": "time"}}, "split.by"),
        ({"split": {"method": "time", "by": "age"}}, "split.by"),
        ({"split": {"cuts": {"test": "2024-01-01"}}}, "split.cuts"),
        ({"split": {"by": "age"}}, "split.by"),
        ({"columns": {"a": {"type": "number", "trim": False}, "b": "label"}}, "columns.a.trim"),
        ({"columns": {"a": {"type": "text", "minimum": 1}, "b": "label"}}, "columns.a.minimum"),
        (
            {"columns": {"a": {"type": "number", "minimum": 2, "maximum": 1}, "b": "label"}},
            "columns.a.minimum",
        ),
        ({"columns": {"a": {"type": "text", "pattern": "("}, "b": "label"}}, "columns.a.pattern"),
        ({"columns": {"a": {"type": "text", "pattern": "(?=a)b"}, "b": "label"}}, "columns.a.pattern"),
        ({"columns": {"a": {"type": "text", "pattern": r"(a)\1"}, "b": "label"}}, "columns.a.pattern"),
        ({"columns": {"a": {"type": "text", "pattern": "(?P<n>a)"}, "b": "label"}}, "columns.a.pattern"),
        ({"columns": {"a": {"type": "number", "minimum": "low"}, "b": "label"}}, "columns.a.minimum"),
        ({"columns": {"a": {"type": "date", "minimum": 2020}, "b": "label"}}, "columns.a.minimum"),
        ({"columns": {"a": {"type": "date", "maximum": "soon"}, "b": "label"}}, "columns.a.maximum"),
        ({"sources": {"deletes": {"path": "**"}}, "key": "age"}, "sources"),
        ({"sources": {"a": {"path": "*"}, "deletes": {"path": "**"}}}, "sources.deletes"),
        ({"sources": {"a": {"path": "*"}, "b": {"path": "**", "kind": "reference"}}}, "sources.b.join_on"),
        ({"sources": {"a": {"path": "*", "join_on": ["age"]}}}, "sources.a.join_on"),
        (
            {
                "sources": {
                    "a": {"path": "*"},
                    "b": {"path": "**", "kind": "reference", "join_on": ["nobody"]},
                }
            },
            "sources.b.join_on",
        ),
        ({"key": ["age", "nobody"]}, "key"),
        ({"key": "age", "version_by": {"column": "nobody"}}, "version_by.column"),
        ({"version_by": {"column": "age"}}, "version_by"),
        ({"key": "age", "drop_duplicates": True}, "drop_duplicates"),
        ({"leaks": {"group": "nobody"}}, "leaks.group"),
        ({"task": "regression", "split": {"stratify": True}}, "split.stratify"),
        ({"learner": {"name": "text_forest"}}, "learner.name"),
        ({"learner": {"name": "text_linear"}}, "learner.name"),
        ({"gate": {"metric": "rmse"}}, "gate.metric"),
        ({"gate": {"metric": "log_loss", "at_least": 0.1}}, "gate.at_least"),
        ({"gate": {"metric": "accuracy", "at_most": 0.1}}, "gate.at_most"),
    ],
)
def test_each_fault_of_meaning_is_found(changes: dict[str, Any], where: str) -> None:
    assert where in {fault["where"] for fault in faults(builders.a_spec(**changes), name="churn")}


def test_a_sound_spec_has_no_faults() -> None:
    assert faults(builders.a_spec(), name="churn") == []
    named = {"_id": "id", "_rows": "number", "age": "number", "churned": "label"}
    assert faults(builders.a_spec(columns=named), name="churn") == []


def test_the_names_prepare_needs_are_no_columns() -> None:
    """As training/data has them; jobs import nothing of the API, nor it of them."""
    source = "".join(path.read_text() for path in (ROOT / "training/data").glob("*.py"))
    kept = re.search(r"BOOKKEEPING = frozenset\(\s*\{(.*?)\*", source, re.DOTALL)
    stamps = re.search(r"KEY, VERSION, CONTENT, JOINS = (.*)", source)
    assert kept
    assert stamps
    names = re.findall(r'"(\w+)"', kept[1] + stamps[1])
    assert len(names) > 9
    assert [name for name in names if not RESERVED.match(name)] == []


def test_defaults_are_written_out() -> None:
    whole = complete(builders.a_spec())
    assert whole["learner"] == {"name": "gradient_boosting", "hyperparameters": {}}
    assert whole["split"]["stratify"] is True
    assert whole["gate"] == {"metric": "macro_f1", "beat_baseline": True, "beat_champion": True}
    assert whole["columns"]["age"] == {"type": "number"}
    text = complete({**builders.a_spec(), "columns": {"t": "text", "y": "label"}})
    assert text["learner"]["name"] == "text_linear"
    amount = complete({**text, "task": "regression", "gate": {}, "learner": {}, "split": {}})
    assert amount["learner"]["name"] == "gradient_boosting"


def test_what_a_spec_leaves_out_changes_nothing() -> None:
    """One source of all files, no key, and the policies of a project that says nothing of them."""
    whole = complete(builders.a_spec())
    assert whole["sources"] == {"data": {"path": "**", "kind": "upserts", "format": "auto", "header": True}}
    assert not {"key", "version_by", "keep_versions", "limits"} & set(whole)
    assert whole["drift"] == {
        "added": "accept",
        "missing": "refuse",
        "retyped": "quarantine",
        "renamed": "refuse",
    }
    assert whole["leaks"] == {"action": "warn", "group": None, "near_duplicates": True}


def test_a_source_named_deletes_is_one_and_a_key_is_a_list() -> None:
    sources = {"new": {"path": "upserts/**"}, "deletes": {"path": "deletes/**"}}
    whole = complete(builders.a_spec(key="age", sources=sources))
    assert [one["kind"] for one in whole["sources"].values()] == ["upserts", "deletes"]
    assert whole["key"] == ["age"]


def test_a_complete_spec_is_still_a_spec() -> None:
    """What a run keeps can be stored again as it is."""
    every = [yaml.safe_load(path.read_text()) for path in sorted((ROOT / "examples").glob("*/project.yaml"))]
    for spec in (builders.a_spec(), *every):
        assert spec_faults(complete(spec), spec["project"]) == []


def test_rules_that_every_engine_knows_are_sound() -> None:
    """Ranges of numbers and dates; patterns with escapes, classes, groups and flags."""
    rules = [
        {"type": "number", "minimum": 0, "maximum": 1.5},
        {"type": "date", "minimum": "2020-01-01", "maximum": "2020-12-31T23:00:00"},
        *(
            {"type": "text", "pattern": pattern}
            for pattern in (r"\(\?=[(?=]+", "(?:a|b)+", "(?i)a", r"\d{2}")
        ),
    ]
    for rule in rules:
        document = builders.a_spec(columns={"a": rule, "b": "label"})
        assert faults(document, name=document["project"]) == [], rule
