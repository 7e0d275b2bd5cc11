"""A project document as Prepare reads it: what is left out, and what is written."""

from __future__ import annotations

from typing import Any

import pytest
from data import results, spec
from learners.problem import Dataset
from learners.schema import Feature, Reader

COLUMNS = {"id": "id", "day": {"type": "date", "format": "%d-%m-%Y"}, "n": "number", "y": "label"}
DOCUMENT: dict[str, Any] = {"project": "p", "task": "classification", "columns": COLUMNS}


def test_what_is_left_out_changes_nothing() -> None:
    read = spec.parse(DOCUMENT)
    assert read.sources == (spec.SourceRule("data", "**", "upserts"),)
    assert (read.key, read.version_by, read.drop_duplicates) == ((), None, False)
    assert (read.drift, read.leaks, read.limits) == (spec.Drift(), spec.Leaks(), spec.Limits())


def test_sources_key_and_policies_are_read() -> None:
    read = spec.parse(
        {
            **DOCUMENT,
            "sources": {
                "new": {"path": "upserts/**", "format": "tsv", "header": False},
                "deletes": {"path": "deletes/**"},
                "names": {"path": "*.csv", "kind": "reference", "join_on": ["id", "n"]},
            },
            "key": "id",
            "version_by": {"column": "day"},
            "columns": {**COLUMNS, "n": {"type": "number", "minimum": 0, "maximum": 9}},
            "split": {"method": "time", "by": "day"},
            "drift": {"added": "refuse"},
            "leaks": {"action": "fail"},
            "limits": {"max_rows": 5},
        }
    )
    assert [one.kind for one in read.sources] == ["upserts", "deletes", "reference"]
    assert (read.sources[0].format, read.sources[0].header) == ("tsv", False)
    assert read.sources[2].join_on == ("id", "n")
    assert read.key == ("id",)
    assert read.version_by == spec.VersionBy("day", "%d-%m-%Y")  # the column's own format
    assert (read.columns[2].minimum, read.columns[2].maximum) == (0.0, 9.0)
    assert (read.split.by, read.drift.added, read.drift.missing) == ("day", "refuse", "refuse")
    assert (read.leaks.action, read.limits.max_rows, read.limits.max_object_mb) == ("fail", 5, None)


@pytest.mark.parametrize(
    ("more", "moves"),
    [
        ({}, False),
        ({"key": "id"}, True),  # hashed with the day and the number, which a newer version may change
        ({"key": ["id", "day", "n"]}, False),
        ({"key": "id", "split": {"group": "id"}}, False),
        ({"key": "id", "columns": {"id": "id", "n": "ignore", "y": "label"}}, False),
    ],
)
def test_a_dataset_says_whether_a_corrected_row_may_change_sides(more: dict[str, Any], moves: bool) -> None:
    told = results.sided(spec.parse({**DOCUMENT, **more}))
    assert ("key" in told) == moves


def test_what_means_missing_in_files_means_it_in_requests() -> None:
    """dataset.json tells the words; learners keep them with their features, and both doors read requests by these."""
    columns = {
        "n": {"type": "number", "null_values": ["tbd", "NaN"]},
        "t": {"type": "text", "null_values": ["-"]},
    }
    read = spec.parse({**DOCUMENT, "columns": {**columns, "id": "id", "y": "label"}})
    told = results.dataset(read, 1, "r", [*read.names, "more"], results.Tally(), [])
    features = [Feature(c.name, c.role, c.format, list(c.null_values)) for c in Dataset.read(told).features]
    given = [{"n": " "}, {"n": "tbd"}, {"n": "N/A"}, {"n": "2"}, {"t": "-"}, {"t": "null"}]
    assert Reader(features).columns(given) == {
        "n": [None, None, None, 2.0, None, None],
        "t": [None, None, None, None, None, "null"],
    }
    assert all("null_values" not in one for one in told["columns"] if one["name"] in {"id", "y", "more"})
