"""Every row on one side, and on the same side tomorrow."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from data import split
from data.spec import Split
from hypothesis import given, settings
from hypothesis import strategies as st

COLUMNS = {"k": "id", "x": "number", "c": "category", "y": "label"}
DOCUMENT = {"project": "p1", "task": "classification", "columns": COLUMNS, "labels": ["a", "b"]}
PINNED = [{"r": "train", "a": "validation", "e": "test"}[letter] for letter in "rarrrrrerare"]
SIDES = ("train", "validation", "test")

cell = st.one_of(st.text("ab 1.5-,\u00e9\U0001f600", max_size=6), st.integers(-9, 9).map(str))
row = st.fixed_dictionaries({"k": cell, "x": cell, "c": cell, "y": st.sampled_from(["a", " b ", "", "c"])})


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(before=st.lists(row, min_size=1, max_size=8), after=st.lists(row, max_size=8))
def test_a_row_keeps_its_side_when_others_are_added(judge_on_duckdb: Any, before: Any, after: Any) -> None:
    alone = [found["_side"] for found in judge_on_duckdb(DOCUMENT, before)]
    together = [found["_side"] for found in judge_on_duckdb(DOCUMENT, [*before, *after])]
    assert together[: len(before)] == alone
    assert set(together) <= {*SIDES, "unlabelled", "quarantined"}
    assert len(together) == len(before) + len(after)


def test_shares_are_those_asked_for_in_every_class(judge: Any) -> None:
    rows = [{"k": str(place), "x": "1", "c": "z", "y": "ab"[place % 5 == 0]} for place in range(4000)]
    sides = pd.DataFrame(judge({**DOCUMENT, "split": {"test": 0.2, "validation": 0.1, "seed": 7}}, rows))
    shares = sides.groupby("y")["_side"].value_counts(normalize=True).unstack()
    np.testing.assert_allclose(shares["test"], 0.2, atol=0.045)  # three standard errors of 800 rows
    np.testing.assert_allclose(shares["validation"], 0.1, atol=0.035)


def test_sides_are_pinned_on_both_engines(judge: Any) -> None:
    rows = [{"k": f"k{place}", "x": " 1.50", "c": "\u00e9", "y": "a"} for place in range(12)]
    assert [found["_side"] for found in judge(DOCUMENT, rows)] == PINNED


def test_the_label_and_ignored_columns_do_not_move_a_row(judge: Any) -> None:
    rows = [{"k": "1", "x": "2", "c": "3", "y": label, "extra": label} for label in ("a", "b")]
    assert len({found["_side"] for found in judge(DOCUMENT, rows)}) == 1


def test_a_group_stays_together(judge: Any) -> None:
    document = {**DOCUMENT, "columns": {**COLUMNS, "g": "group"}}
    rows = [{"k": str(place), "x": "1", "c": "z", "y": "a", "g": f" g{place % 20}"} for place in range(400)]
    found = pd.DataFrame(judge(document, rows))
    assert (found.groupby("g")["_side"].nunique() == 1).all()
    assert found["_side"].nunique() > 1


def test_shuffled_is_what_pandas_and_numpy_do() -> None:
    frame = pd.DataFrame({"row": np.arange(8021)}).sample(frac=1, random_state=1729)
    cuts = [int((1 - 0.2 - 0.1) * len(frame)), int((1 - 0.1) * len(frame))]
    expected = [frame["row"][:cuts[0]], frame["row"][cuts[0]:cuts[1]], frame["row"][cuts[1]:]]  # fmt: skip
    dealt = split.shuffled(8021, Split("shuffled", 0.1, 0.2, 1729, None)).to_pandas().sort_values("_position")
    for side, rows in zip(SIDES, expected, strict=True):
        assert dealt[dealt["_dealt"] == side]["rank"].tolist() == rows.tolist()
    assert [len(rows) for rows in expected] == [5614, 1604, 803]
