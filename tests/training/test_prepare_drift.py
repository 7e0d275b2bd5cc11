"""More than thirty ways in which a file differs from the one the spec was written for: no bad row is learnt from, no
good file is refused; each difference is told of in a way the uploader can act on.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pytest

from tests.training.job import Job, Outcome

ROWS = 40
COLUMNS: dict[str, Any] = {
    "age": {"type": "number", "minimum": 0, "maximum": 120},
    "weight_kg": {"type": "number", "minimum": 2, "maximum": 300},
    "seen": {"type": "date", "format": "%Y-%m-%d", "minimum": "2000-01-01"},
    "city": {"type": "category", "pattern": "[^0-9]+"},
    "note": "text",
    "y": {"type": "label", "ignore_case": True},
}
NAMES = tuple(COLUMNS)
Row = dict[str, str]


def spec(**drift: str) -> dict[str, Any]:
    """The project of all files here."""
    split = {"test": 0.3, "validation": 0.0}
    document = {"project": "drift", "task": "classification", "columns": COLUMNS, "labels": ["Yes", "No"]}
    return {**document, "min_rows": 5, "split": split, "drift": drift}


def rows(start: int = 0) -> list[Row]:
    """Good rows, none like another."""
    return [
        {
            "age": str(20 + place % 60),
            "weight_kg": f"{50 + place * 0.5:.1f}",
            "seen": f"2022-03-{place % 28 + 1:02}",
            "city": ("Zürich", "Rome", "Oslo")[place % 3],
            "note": f"note {start + place}",
            "y": ("Yes", "No")[place % 2],
        }
        for place in range(ROWS)
    ]


def text(
    given: list[Row], names: tuple[str, ...] = NAMES, header: tuple[str, ...] | None = None, by: str = ","
) -> str:
    """As CSV."""
    lines = [by.join(header or names), *(by.join(row[name] for name in names) for row in given)]
    return "\n".join(lines) + "\n"


def every(name: str, change: Callable[[str], str], step: int = 1) -> str:
    """One column's cells changed in every `step`th row."""
    given = rows()
    for row in given[::step]:
        row[name] = change(row[name])
    return text(given)


def named(**new: str) -> str:
    """Columns under other names."""
    return text(rows(), header=tuple(new.get(name, name) for name in NAMES))


def without(*names: str) -> str:
    """Columns left out."""
    return text(rows(), tuple(name for name in NAMES if name not in names))


def added(*names: str) -> str:
    """Columns more."""
    return text([{**row, **dict.fromkeys(names, "7")} for row in rows()], (*NAMES, *names))


def pounds(cell: str) -> str:
    """What weighs some kilograms weighs more than any limit in grams."""
    return str(float(cell) * 1000)


# name: (the file, good rows or a word of its refusal, the kinds of drift that are told of)
FILES: dict[str, tuple[bytes, int | str, set[str]]] = {
    name: (body if isinstance(body, bytes) else body.encode(), outcome, kinds)
    for name, (body, outcome, kinds) in {
        "as it should be": (text(rows()), ROWS, set()),
        "reordered": (text(rows(), NAMES[::-1]), ROWS, set()),
        "differently cased": (named(age="AGE", y="Y"), ROWS, set()),
        "one added": (added("height"), ROWS, {"added"}),
        "three added": (added("a1", "a2", "a3"), ROWS, {"added"}),
        "an index without a name": (text([{**row, "": "1"} for row in rows()], ("", *NAMES)), ROWS, set()),
        "an optional column missing": (without("weight_kg"), ROWS, {"missing"}),
        "two optional columns missing": (without("weight_kg", "note"), ROWS, {"missing"}),
        "the target missing": (without("y"), "target column 'y'", {"missing"}),
        "all but the target missing": (text(rows(), ("y",)), "any column to learn from", {"missing"}),
        "renamed, spelt alike": (named(weight_kg="Weight KG"), "'Weight KG'", {"renamed"}),
        "renamed, almost": (named(weight_kg="weights_kg"), "'weights_kg'", {"renamed"}),
        "renamed beyond knowing": (named(weight_kg="mass"), ROWS, {"missing", "added"}),
        "retyped: numbers as words": (every("age", lambda _: "old"), "is not a number", {"retyped"}),
        "retyped in half the rows": (every("age", lambda _: "old", 2), ROWS // 2, {"retyped"}),
        "a few cells of another type": (every("age", lambda _: "old", 10), ROWS - 4, set()),
        "units in the cells": (every("weight_kg", lambda cell: f"{cell} kg"), "is not a number", {"retyped"}),
        "other units": (every("weight_kg", pounds), "is above the maximum, 300", set()),
        "other units in some rows": (every("weight_kg", pounds, 4), ROWS - 10, set()),
        "a negative age": (every("age", lambda cell: f"-{cell}", 8), ROWS - 5, set()),
        "decimal commas": (text(rows(), by=";").replace(".", ","), "is not a number", {"retyped"}),
        "thousands": (every("age", lambda _: '"1,000"', 4), ROWS - 10, set()),
        "other dates": (every("seen", lambda c: "/".join(c.split("-")[::-1])), "is not a date", {"retyped"}),
        "impossible dates": (every("seen", lambda _: "2022-02-31", 5), ROWS - 8, set()),
        "dates before their time": (every("seen", lambda _: "1970-01-01", 5), ROWS - 8, set()),
        "numbers where cities were": (every("city", lambda _: "7", 4), ROWS - 10, set()),
        "labels in capitals": (every("y", lambda cell: f" {cell.upper()} "), ROWS, set()),
        "labels nobody knows": (every("y", lambda _: "Maybe", 4), ROWS - 10, set()),
        "labels missing": (every("y", lambda _: "", 2), ROWS, set()),
        "a byte order mark": (b"\xef\xbb\xbf" + text(rows()).encode(), ROWS, set()),
        "tabs and CRLF": (text(rows(), by="\t").replace("\n", "\r\n"), ROWS, set()),
        "a cell too many": (text(rows()) + "1,2,2022-01-01,Rome,x,Yes,more\n", ROWS, set()),
        "a column twice": (text(rows(), (*NAMES, "age")), "twice", set()),
    }.items()
}


@pytest.fixture(scope="module")
def job(aws: Any, bucket: str, aws_environment: dict[str, str]) -> Job:
    """Drops and runs."""
    return Job(aws("s3"), bucket, aws_environment)


@pytest.fixture(scope="module")
def outcome(job: Job) -> Outcome:
    """All files in one run, as one project's."""
    done = job.run(
        spec(), job.objects("drift", {f"{name}.csv": body for name, (body, _, _) in FILES.items()})
    )
    assert done.status == 0, done.stderr
    return done


@pytest.mark.parametrize("name", FILES)
def test_a_file_has_the_good_rows_it_should_or_is_refused_with_its_reason(
    outcome: Outcome, name: str
) -> None:
    body, expected, kinds = FILES[name]
    verdict = outcome.verdicts[f"{name}.csv"]
    found = verdict["rows"]
    if isinstance(expected, int):
        assert verdict["verdict"] == "prepared", verdict["reason"]
        assert found["good"] + found["unlabelled"] == expected
        assert sum(found.values()) == len(body.splitlines()) - 1
    else:
        assert verdict["verdict"] == "refused"
        assert expected in verdict["reason"]
        assert (found["good"], found["unlabelled"]) == (0, 0)
    assert {change["kind"] for change in verdict["drift"]} == kinds
    assert all(change["hint"] for change in verdict["drift"])


def test_no_bad_row_is_learnt_from(outcome: Outcome) -> None:
    """Whatever is in a dataset obeys the spec: ranges, patterns and labels hold for every row of every side."""
    good = 0
    for side in ("train", "test", "unlabelled"):
        table = outcome.table(side)
        good += table.num_rows
        for name, low, high in (("age", 0, 120), ("weight_kg", 2, 300)):
            found = pc.min_max(table[name]).as_py()
            assert found["min"] is None or low <= found["min"] <= found["max"] <= high
        assert set(table["y"].to_pylist()) <= {"Yes", "No", None}
    assert good == sum(expected for _, expected, _ in FILES.values() if isinstance(expected, int))


POLICIES: list[tuple[str, dict[str, str], int | str, str]] = [
    ("one added", {"added": "refuse"}, "does not name", "added"),
    ("an optional column missing", {"missing": "accept"}, ROWS, "missing"),
    ("the target missing", {"missing": "accept"}, ROWS, "missing"),
    ("renamed, spelt alike", {"renamed": "accept"}, ROWS, "renamed"),
    ("retyped in half the rows", {"retyped": "refuse"}, "refuses retyped columns", "retyped"),
    ("retyped in half the rows", {"retyped": "coerce"}, ROWS, "retyped"),
    ("a few cells of another type", {"retyped": "refuse"}, ROWS - 4, ""),
    ("a few cells of another type", {"retyped": "coerce"}, ROWS, "retyped"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "policy", "expected", "kind"), POLICIES)
def test_the_policy_of_the_spec_is_followed(
    job: Job, name: str, policy: dict[str, str], expected: int | str, kind: str
) -> None:
    files = {"base.csv": text(rows(1000)).encode(), "odd.csv": FILES[name][0]}
    done = job.run(spec(**policy), job.objects("drift", files))
    assert done.status == 0, done.stderr
    verdict = done.verdicts["odd.csv"]
    if isinstance(expected, int):
        assert verdict["rows"]["good"] + verdict["rows"]["unlabelled"] == expected
    else:
        assert expected in verdict["reason"]
    assert [change["kind"] for change in verdict["drift"]] == ([kind] if kind else [])


def test_the_last_version_tells_what_is_news(job: Job) -> None:
    """A column is added once: the next file that has it says nothing new, one that lacks it does."""
    files = {"first.csv": FILES["one added"][0], "second.csv": text(rows(99)).encode()}
    entries = job.objects("drift", files)
    run = "drift-0900-t0"
    first = job.run(spec(), entries[:1], run=run)
    second = job.run(spec(), entries, run=run, version=2)
    assert [change["kind"] for change in first.verdicts["first.csv"]["drift"]] == ["added"]
    assert second.verdicts["first.csv"]["drift"] == []
    told = [(change["kind"], change["column"]) for change in second.verdicts["second.csv"]["drift"]]
    assert told == [("missing", "height")]


def test_the_document_obeys_its_schema(outcome: Outcome) -> None:
    """The diff as other programs read it."""
    jsonschema = pytest.importorskip("jsonschema")
    path = Path(__file__).resolve().parents[2] / "statemachine/contracts/prepare.schema.json"
    jsonschema.validate(outcome.result, json.loads(path.read_text(encoding="utf-8")))
