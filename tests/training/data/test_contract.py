"""What a cell may be, and what is said when it is not; the same on both engines."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

LABEL = {"y": "label"}


def one(judge: Any, meaning: Any, cell: str | None, **others: Any) -> tuple[Any, list[str]]:
    """The typed value and the reasons for one cell of one column."""
    document = {"project": "p1", "task": "classification", "columns": {"x": meaning, **LABEL}, **others}
    row = judge(document, [{"x": cell, "y": "a"}])[0]
    return row["x"], [fault["reason"] for fault in row["_faults"]]


NUMBERS = [
    ("1", 1.0), (" -1.5\t", -1.5), ("+.5", 0.5), ("1.", 1.0), ("1e3", 1000.0), ("1E-2", 0.01), ("007", 7.0),
    ("", None), (None, None), ("  ", None), ("NaN", None), ("N/A", None), ("null", None),
]  # fmt: skip
NOT_NUMBERS = [
    "1,234.5",
    "1_000",
    "1.5d",
    "0x10",
    "inf",
    "-Infinity",
    "1e999",
    "12 kg",
    "tbd",
    "NA",
    "1 2",
    "--1",
    "e5",
]


@pytest.mark.parametrize(("cell", "value"), NUMBERS)
def test_a_number_is_digits_sign_point_exponent(judge: Any, cell: str | None, value: float | None) -> None:
    assert one(judge, "number", cell) == (value, [])


@pytest.mark.parametrize("cell", NOT_NUMBERS)
def test_what_is_no_number_is_a_fault(judge: Any, cell: str) -> None:
    value, reasons = one(judge, "number", cell)
    assert value is None
    assert [reason.split(" (")[0] for reason in reasons] == ["is not a number"]


def test_a_null_value_is_missing_and_no_fault_even_where_a_value_is_required(judge: Any) -> None:
    meaning = {"type": "number", "required": True, "null_values": ["tbd"]}
    assert one(judge, meaning, " tbd ") == (None, [])
    assert one(judge, meaning, "") == (None, ["is required and empty"])
    assert one(judge, meaning, "N/A") == (None, ["is required and empty"])


def moment(*parts: int) -> dt.datetime:
    """In UTC; the engines hand it over without saying so."""
    return dt.datetime(*parts, tzinfo=dt.UTC).replace(tzinfo=None)  # type: ignore[misc, arg-type]


DATES = [
    (None, "2022-03-21", moment(2022, 3, 21)),
    (None, "2022-03-21T04:05:06Z", moment(2022, 3, 21, 4, 5, 6)),
    (None, "2022-03-21 04:05:06.5+01:30", moment(2022, 3, 21, 2, 35, 6, 500000)),
    ("%d-%m-%Y", "21-03-2022", moment(2022, 3, 21)),
    ("%m/%d/%y %I:%M %p", "3/1/99 12:05 AM", moment(1999, 3, 1, 0, 5)),
    ("%d %b %Y", "1 Mar 2022", moment(2022, 3, 1)),
    ("%Y", "2006", moment(2006, 1, 1)),
]  # fmt: skip
NOT_DATES = [
    (None, "2022-02-31"),
    (None, "21/03/2022"),
    ("%d-%m-%Y", "2022-03-21"),
    ("%d-%m-%Y", "31-13-2022"),
    ("%H", ""),
]


@pytest.mark.parametrize(("form", "cell", "value"), DATES)
def test_a_date_follows_its_format(judge: Any, form: str | None, cell: str, value: dt.datetime) -> None:
    assert one(judge, {"type": "date", "format": form}, cell) == (value, [])


@pytest.mark.parametrize(("form", "cell"), NOT_DATES[:4])
def test_what_is_no_date_is_a_fault(judge: Any, form: str | None, cell: str) -> None:
    value, reasons = one(judge, {"type": "date", "format": form}, cell)
    assert value is None
    assert len(reasons) == 1
    assert reasons[0].startswith("is not a date")


def test_text_is_kept_as_written_and_a_category_is_not(judge: Any) -> None:
    assert one(judge, "text", "  N/A ü\n") == ("  N/A ü\n", [])
    assert one(judge, "category", "  red ") == ("red", [])
    assert one(judge, "text", "   ") == (None, [])


def test_labels_are_stripped_and_only_those_allowed_pass(judge: Any) -> None:
    document = {
        "project": "p1",
        "task": "classification",
        "columns": {"x": "text", **LABEL},
        "labels": ["a", "b "],
    }
    rows = judge(document, [{"x": "1", "y": " b"}, {"x": "2", "y": "c"}, {"x": "3", "y": ""}])
    assert [row["y"] for row in rows] == ["b", None, None]
    assert [row["_side"] for row in rows[1:]] == ["quarantined", "unlabelled"]
    assert rows[1]["_faults"] == [{"column": "y", "value": "c", "reason": "is not one of the labels: a, b"}]


def test_a_number_above_makes_two_classes(judge: Any) -> None:
    columns = {"x": "text", "y": {"type": "label", "above": 1}}
    document = {"project": "p1", "task": "classification", "columns": columns}
    rows = judge(document, [{"x": "1", "y": y} for y in ("1", "1.01", "many", "")])
    assert [row["y"] for row in rows] == ["0", "1", None, None]
    assert [row["_side"] for row in rows[2:]] == ["quarantined", "unlabelled"]


def test_a_regression_target_is_a_number(judge: Any) -> None:
    rows = judge(
        {"project": "p1", "task": "regression", "columns": {"x": "text", **LABEL}}, [{"x": "1", "y": "9.5"}]
    )
    assert rows[0]["y"] == 9.5


def test_every_fault_of_a_row_is_listed_and_the_row_is_kept_as_it_was(judge: Any) -> None:
    document = {"project": "p1", "task": "classification", "columns": {"n": "number", "d": "date", **LABEL}}
    row = judge(document, [{"n": " x", "d": "yesterday", "y": "a", "other": "z"}])[0]
    assert [(fault["column"], fault["value"]) for fault in row["_faults"]] == [
        ("n", " x"),
        ("d", "yesterday"),
    ]
    assert dict(row["_record"]) == {"n": " x", "d": "yesterday", "y": "a", "other": "z"}


def test_a_ragged_row_has_one_fault_and_its_text(judge: Any) -> None:
    document = {
        "project": "p1",
        "task": "classification",
        "columns": {"x": {"type": "number", "required": True}, **LABEL},
    }
    row = judge(document, [{"_problem": "has 3 cells where the header has 2", "_text": "1,2,3"}])[0]
    assert [fault["reason"] for fault in row["_faults"]] == ["has 3 cells where the header has 2"]
    assert (row["_side"], row["_text"], row["_record"]) == ("quarantined", "1,2,3", None)


def test_a_column_may_have_any_name(judge: Any) -> None:
    names = ["a b", "ü", 'quo"te', "back`tick", "dot.ted", "select", "per%cent", "_c0"]
    document = {
        "project": "p1",
        "task": "classification",
        "columns": {**dict.fromkeys(names, "number"), **LABEL},
    }
    row = judge(document, [{**dict.fromkeys(names, "1"), "y": "a"}])[0]
    assert [row[name] for name in names] == [1.0] * len(names)


RANGES = [
    ({"type": "number", "minimum": 0, "maximum": 120}, "-0.5", "is below the minimum, 0"),
    ({"type": "number", "minimum": 0, "maximum": 120}, "120.5", "is above the maximum, 120"),
    ({"type": "number", "maximum": 0.25}, "1e9", "is above the maximum, 0.25"),
    ({"type": "date", "minimum": "2020-01-01"}, "2019-12-31", "is below the minimum, 2020-01-01"),
    ({"type": "date", "maximum": "2020-12-31"}, "2021-01-01", "is above the maximum, 2020-12-31"),
    (
        {"type": "date", "maximum": "2020-12-31T12:00:00"},
        "2020-12-31 12:00:01",
        "is above the maximum, 2020-12-31T12:00:00",
    ),
    ({"type": "category", "pattern": "[A-Z]{2}"}, "ABC", "does not match the pattern [A-Z]{2}"),
    ({"type": "category", "pattern": "a|b"}, "ab", "does not match the pattern a|b"),
    ({"type": "text", "pattern": "a.b"}, "a\nb", "does not match the pattern a.b"),
    ({"type": "text", "pattern": "ab"}, "ab\n", "does not match the pattern ab"),
    ({"type": "number", "pattern": "[0-9]+"}, "1.0", "does not match the pattern [0-9]+"),
]
IN_RANGE = [
    ({"type": "number", "minimum": 0, "maximum": 120}, ("0", "120", " 7 ", "", "N/A")),
    (
        {"type": "date", "minimum": "2020-01-01", "maximum": "2020-12-31"},
        ("2020-01-01", "2020-12-31 23:59:59", ""),
    ),
    ({"type": "category", "pattern": "[A-Z]{2}"}, ("AB", " AB ", "")),
    ({"type": "text", "pattern": "(?i)a.*"}, ("Able", "a", "")),
]


@pytest.mark.parametrize(("meaning", "cell", "reason"), RANGES)
def test_a_value_outside_its_rules_is_a_fault_with_value_and_reason(
    judge: Any, meaning: Any, cell: str, reason: str
) -> None:
    document = {"project": "p1", "task": "classification", "columns": {"x": meaning, **LABEL}}
    row = judge(document, [{"x": cell, "y": "a"}])[0]
    assert row["_faults"] == [{"column": "x", "value": cell, "reason": reason}]
    assert row["_side"] == "quarantined"


@pytest.mark.parametrize(("meaning", "cells"), IN_RANGE)
def test_a_value_within_its_rules_and_a_missing_one_are_good(
    judge: Any, meaning: Any, cells: tuple[str, ...]
) -> None:
    document = {"project": "p1", "task": "classification", "columns": {"x": meaning, **LABEL}}
    rows = judge(document, [{"x": cell, "y": "a"} for cell in cells])
    assert [row["_faults"] for row in rows] == [[] for _ in cells]


def test_a_number_that_is_none_has_that_fault_and_no_range(judge: Any) -> None:
    assert len(one(judge, {"type": "number", "minimum": 0}, "abc")[1]) == 1


def test_a_regression_target_and_one_that_is_cut_have_a_range(judge: Any) -> None:
    target = {"type": "label", "maximum": 10}
    for task, meaning in (("regression", target), ("classification", {**target, "above": 5})):
        document = {"project": "p1", "task": task, "columns": {"x": "text", "y": meaning}}
        rows = judge(document, [{"x": "1", "y": "11"}, {"x": "1", "y": "10"}])
        found = [[fault["reason"] for fault in row["_faults"]] for row in rows]
        assert found == [["is above the maximum, 10"], []]


def labelled(judge: Any, rules: dict[str, Any], labels: list[str], cells: list[str]) -> list[Any]:
    """Label and side's fate of cells of the label."""
    columns = {"x": "text", "y": {"type": "label", **rules}}
    document = {"project": "p1", "task": "classification", "columns": columns, "labels": labels}
    rows = judge(document, [{"x": "1", "y": cell} for cell in cells])
    return [row["y"] if not row["_faults"] else "fault" for row in rows]


def test_a_label_is_spelt_as_in_labels(judge: Any) -> None:
    given = ["positive", " POSITIVE ", "Größe", "größe", "Negativ"]
    assert labelled(judge, {}, ["Positive", "Größe"], given) == ["fault", "fault", "Größe", "fault", "fault"]
    rules = {"ignore_case": True}
    found = labelled(judge, rules, ["Positive", "Größe"], given)
    assert found == ["Positive", "Positive", "Größe", "Größe", "fault"]
    assert labelled(judge, rules, ["no", "NO"], ["NO", "no", "No"]) == ["NO", "no", "no"]


def test_white_space_around_a_label_is_part_of_it_only_when_the_spec_says_so(judge: Any) -> None:
    assert labelled(judge, {"trim": False}, ["a", " b"], ["a", " a", " b", "b", "  "]) == [
        "a",
        "fault",
        " b",
        "fault",
        None,
    ]


def test_a_retyped_cell_is_missing_where_the_spec_coerces(judge: Any) -> None:
    columns = {
        "n": "number",
        "d": "date",
        "r": {"type": "number", "required": True},
        "c": "category",
        **LABEL,
    }
    document = {
        "project": "p1", "task": "classification", "columns": columns, "drift": {"retyped": "coerce"},
    }  # fmt: skip
    good = {"n": "1", "d": "2022-03-21", "r": "1", "c": "x", "y": "a"}
    rows = judge(document, [good, {**good, "n": "one", "d": "then"}, {**good, "n": "", "r": "one"}])
    assert [row["_coerced"] for row in rows] == [[], ["n", "d"], []]
    assert [len(row["_faults"]) for row in rows] == [0, 0, 1]
    assert (rows[1]["n"], rows[1]["d"], rows[1]["c"]) == (None, None, "x")
