"""What is different about a file's columns, what is said of it, and what the spec says becomes of it."""

from __future__ import annotations

from typing import Any

import pytest
from data import drift, spec
from data.drift import Cells

COLUMNS = {
    "age": "number",
    "born": {"type": "date", "format": "%d-%m-%Y"},
    "city": "category",
    "note": {"type": "text", "required": True},
    "y": "label",
}
HEADER = ("age", "born", "city", "note", "y")


def meaning(policies: dict[str, str] | None = None, **others: Any) -> spec.Spec:
    """A spec with these policies."""
    document = {"project": "p1", "task": "classification", "columns": COLUMNS, "labels": ["a", "b"]}
    return spec.parse({**document, "drift": policies or {}, **others})


def judged(header: tuple[str, ...], cells: Cells | None = None, **policies: str) -> drift.Judged:
    """A header against the spec."""
    return drift.judge(header, meaning(policies), lambda: cells or {})


def said(found: drift.Judged) -> list[tuple[str, str]]:
    """Kinds and columns."""
    return [(one.kind, one.column) for one in found.changes]


@pytest.mark.parametrize("header", [HEADER, HEADER[::-1], (*HEADER, "column_6")])
def test_the_specs_columns_in_any_order_are_no_drift(header: tuple[str, ...]) -> None:
    assert judged(header, added="refuse") == drift.Judged(header, (), None)


def test_an_added_column_is_told_of_and_refused_only_where_the_spec_says_so() -> None:
    header = (*HEADER, "height")
    found = judged(header)
    assert (said(found), found.problem) == ([("added", "height")], None)
    refused = judged(header, added="refuse")
    assert refused.problem is not None
    assert "'height'" in refused.problem


def test_a_missing_column_is_told_of_and_what_the_rows_need_is_refused() -> None:
    found = judged(("born", "city", "note", "y"))
    assert (said(found), found.problem) == ([("missing", "age")], None)
    for name, word in (("y", "target column 'y'"), ("note", "required column 'note'")):
        header = tuple(one for one in HEADER if one != name)
        assert word in str(judged(header).problem)
        assert judged(header, missing="accept").problem is None
    nothing = judged(("y", "other"), missing="accept")
    assert "any column to learn from" in str(nothing.problem)


RENAMED = [
    ("Age", "a-g-e", ["1", " 2.5", "", "-3"], True),
    ("Age", "a-g-e", ["one", "two", "3"], False),
    ("born", "born_", ["21-03-2022", "1-1-1999"], True),
    ("born", "born_", ["2022-03-21"], False),
    ("city", "City.", ["Rome"], True),
    ("city", "town", ["Rome"], False),
    ("y", " Y ", ["A", "b"], True),
    ("y", "Y.", ["c", "d"], False),
]


@pytest.mark.parametrize(("old", "new", "cells", "same"), RENAMED)
def test_a_column_is_renamed_when_its_name_is_almost_one_and_its_values_fit(
    old: str, new: str, cells: list[str], same: bool
) -> None:
    old = old.lower()
    header = tuple(new if name == old else name for name in HEADER)
    found = judged(header, {new: cells})
    assert (("renamed", old) in said(found)) is same
    if same:
        assert repr(new) in str(found.problem)
        accepted = judged(header, {new: cells}, renamed="accept")
        assert (accepted.header, accepted.problem) == (HEADER, None)
        assert accepted.changes[0].document() == {
            "kind": "renamed", "column": old, "was": old, "is": new,
            "hint": f"it is read as {old!r}, as the spec accepts renamed columns",
        }  # fmt: skip


def test_numbered_columns_are_not_one_another() -> None:
    columns = {**{f"pixel_{place}": "number" for place in range(12)}, "y": "label"}
    document = spec.parse({"project": "p1", "task": "classification", "columns": columns})
    header = (*(f"pixel_{place}" for place in range(11)), "pixel_12", "y")
    found = drift.judge(header, document, lambda: {"pixel_12": ["1"]})
    assert (said(found), found.problem) == ([("missing", "pixel_11"), ("added", "pixel_12")], None)


def test_one_column_is_not_renamed_to_two() -> None:
    header = ("a_ge", "ag_e", "born", "city", "note", "y")
    found = judged(header, {"a_ge": ["1"], "ag_e": ["2"]}, renamed="accept")
    assert found.header == ("age", "ag_e", "born", "city", "note", "y")


def test_what_a_reference_may_bring_is_not_missing() -> None:
    sources = {"rows": {"path": "r/*"}, "more": {"path": "m/*", "kind": "reference", "join_on": ["age"]}}
    found = drift.judge(("age", "y"), meaning(sources=sources), dict)
    assert (found.changes, found.problem) == ((), None)


def test_the_last_version_tells_what_is_news() -> None:
    found = judged((*HEADER, "height", "weight"))
    told = drift.news(found.changes, found.header, [*HEADER, "height", "shoe"], meaning())
    assert [(one.kind, one.column) for one in told] == [("added", "weight"), ("missing", "shoe")]
    assert drift.news(found.changes, found.header, [], meaning()) == found.changes
