"""Hyperparameters and requests are read strictly: everything wrong is named, nothing else raises."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from learners.errors import BadData, BadRequest
from learners.hyperparameters import Choice, Number, flag, parse
from learners.schema import Feature, Reader

FEATURES = [
    Feature("n", "number", null_values=["tbd"]),
    Feature("c", "category", categories=["1", "2.0", "true"]),
    Feature("d", "date", format="%d-%m-%Y"),
    Feature("t", "text"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)


@given(st.lists(st.dictionaries(st.sampled_from("ncdtx"), JSON), min_size=1, max_size=3))
def test_any_json_is_read_or_refused_with_its_faults(records: list[dict[str, Any]]) -> None:
    read, faults = outcome(records)
    assert bool(read) != bool(faults)
    assert {len(column) for column in read.values()} <= {len(records)}
    assert all(fault["instance"] < len(records) and fault["problem"] for fault in faults)


def outcome(records: list[dict[str, Any]]) -> tuple[dict[str, list[Any]], list[dict[str, Any]]]:
    try:
        return Reader(FEATURES).columns(records), []
    except BadRequest as error:
        return {}, error.detail["faults"]


@pytest.mark.parametrize(
    ("column", "value", "read"),
    [
        ("n", "tbd", None),
        ("n", " 1e3 ", 1000.0),
        ("n", True, 1.0),
        ("n", float("nan"), None),
        ("c", 1, "1"),
        ("c", 1.0, "1"),
        ("c", 2, "2.0"),
        ("c", True, "true"),
        ("c", 7, "7"),
        ("c", " ", None),
        ("d", "31-01-2024", dt.datetime.fromisoformat("2024-01-31")),
        ("d", "2024-01-31T01:00:00+02:00", dt.datetime.fromisoformat("2024-01-30T23:00")),
        ("d", dt.date(2024, 1, 31), dt.datetime.fromisoformat("2024-01-31")),
        ("t", 5, "5"),
    ],
)
def test_values_are_read_as_the_uploads_wrote_them(column: str, value: Any, read: Any) -> None:
    assert Reader(FEATURES).columns([{column: value}])[column] == [read]


@pytest.mark.parametrize(
    ("column", "value", "problem"),
    [
        ("n", "wide", "'wide' is not a number"),
        ("n", 10**400, "is not a number"),
        ("n", "inf", "must be finite"),
        ("c", [], "[] is not a string"),
        ("d", "32-01-2024", "is not a date like %d-%m-%Y or ISO 8601"),
        ("d", 5, "5 is not a date"),
        ("d", "0001-01-01T00:00:00+14:00", "out of range"),
        ("t", {}, "is not text"),
    ],
)
def test_values_that_cannot_be_are_faults(column: str, value: Any, problem: str) -> None:
    with pytest.raises(BadRequest) as caught:
        Reader(FEATURES).columns([{"n": 1}, {column: value}])
    (fault,) = caught.value.detail["faults"]
    assert (fault["instance"], fault["column"]) == (1, column)
    assert problem in fault["problem"]


def test_hyperparameters_are_numbers_flags_and_choices() -> None:
    known = {
        "depth": Number(6, 1, 16, whole=True),
        "refit": flag(True),
        "weight": Choice("none", ("none", "even")),
    }
    assert parse({}, known) == {"depth": 6, "refit": True, "weight": "none"}
    assert parse({"d": "3.0", "refit": "False", "weight": "EVEN"}, known, {"d": "depth"}) == {
        "depth": 3,
        "refit": False,
        "weight": "even",
    }


def test_all_faulty_hyperparameters_are_named_at_once() -> None:
    known = {"depth": Number(6, 1, 16, whole=True), "rate": Number(0.1, 0, 1), "refit": flag(True)}
    with pytest.raises(BadData) as caught:
        parse({"depth": "2.5", "rate": "nan", "refit": "perhaps", "hue": "1"}, known)
    said = str(caught.value)
    assert "depth is '2.5', and must be a whole number from 1 to 16" in said
    assert "rate is 'nan'" in said
    assert "refit is 'perhaps', and must be one of true, false" in said
    assert "hue is not known" in said
