"""The newest rows judge: no row of the test is older than one that was learned from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from data import spec, timesplit
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.data.bench import Bench

COLUMNS = {"x": "number", "day": "date", "y": "label"}
DOCUMENT: dict[str, Any] = {
    "project": "p1", "task": "classification", "columns": COLUMNS,
    "split": {"method": "time", "by": "day", "test": 0.2, "validation": 0.1},
}  # fmt: skip
SIDES = ("train", "validation", "test")
START = date(2024, 1, 1)


def rows(days: list[int | None]) -> list[dict[str, Any]]:
    return [{"x": "1", "day": "" if day is None else str(START + timedelta(day)), "y": "a"} for day in days]


def sides(bench: Bench, document: dict[str, Any], given_rows: list[dict[str, Any]]) -> list[str]:
    """The side of each row, in order, as Prepare deals them."""
    dealt = spec.parse(document).split
    judged = bench.judged(document, given_rows)
    starts = dict(dealt.cuts) or timesplit.cuts(bench.rows(timesplit.moments(judged, dealt)))
    return [row["_side"] for row in bench.rows(timesplit.deal(judged, dealt, starts).order_by("_row"))]


@pytest.fixture(scope="module")
def quick() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(days=st.lists(st.one_of(st.none(), st.integers(0, 40)), min_size=1, max_size=30))
def test_sides_follow_one_another_in_time(quick: Bench, days: list[int | None]) -> None:
    found = sides(quick, DOCUMENT, rows(days))
    assert set(found) <= set(SIDES)
    dated = [(day, SIDES.index(side)) for day, side in zip(days, found, strict=True) if day is not None]
    for day, place in dated:
        for other, other_place in dated:
            assert day >= other or place <= other_place
            assert day != other or place == other_place
    assert all(side == "train" for day, side in zip(days, found, strict=True) if day is None)
    assert found.count("test") <= 0.2 * len(dated) + 1e-9
    assert found.count("test") + found.count("validation") <= 0.3 * len(dated) + 1e-9


@settings(max_examples=15, deadline=None)
@given(st.permutations(range(20)))
def test_the_order_of_arrival_changes_nothing(quick: Bench, days: list[int]) -> None:
    found = dict(zip(days, sides(quick, DOCUMENT, rows(list(days))), strict=True))
    assert [found[day] for day in range(20)] == ["train"] * 14 + ["validation"] * 2 + ["test"] * 4


def test_both_engines_cut_at_the_same_moment(bench: Bench) -> None:
    days: list[int | None] = [*range(10), 9, None, 3]
    expected = ["train"] * 8 + ["validation"] + ["test"] + ["test", "train", "train"]
    assert sides(bench, DOCUMENT, rows(days)) == expected


def test_rows_that_are_not_labelled_or_not_good_are_left_where_they_are(bench: Bench) -> None:
    given_rows = [
        *rows(list(range(10))),
        {"x": "many", "day": "2030-01-01", "y": "a"},
        {"x": "1", "day": "2030-01-01", "y": ""},
    ]
    assert sides(bench, DOCUMENT, given_rows)[-3:] == ["test", "quarantined", "unlabelled"]


def test_one_moment_has_no_newest_rows(bench: Bench) -> None:
    assert set(sides(bench, DOCUMENT, rows([5] * 10))) == {"train"}


def test_pinned_cuts_keep_every_row_on_its_side_when_newer_ones_come(bench: Bench) -> None:
    pinned = {**DOCUMENT["split"], "cuts": {"validation": "2024-01-05", "test": "2024-01-08"}}
    document = {**DOCUMENT, "split": pinned}
    before = sides(bench, document, rows(list(range(10))))
    after = sides(bench, document, rows(list(range(30))))
    assert before == ["train"] * 4 + ["validation"] * 3 + ["test"] * 3
    assert after[:10] == before
    assert set(after[10:]) == {"test"}
    free = sides(bench, DOCUMENT, rows(list(range(30))))
    assert free[:10] == ["train"] * 10  # without pins the cuts move, as docs/steps/prepare.md says
