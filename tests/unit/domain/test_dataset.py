"""What a preparation says of an upload becomes its verdict, and nothing an earlier run counted is lost."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.dataset import live, settlements
from chalicelib.domain.ledger import CLAIMED, IGNORED, PREPARED, REFUSED
from tests import builders

COUNTED = {"good": 12, "refused": 1, "unlabelled": 0}
NOTHING = {"good": 0, "refused": 0, "unlabelled": 0}


def _word(record: Any, verdict: str, rows: dict[str, int]) -> dict[str, Any]:
    return {"key": record.key, "etag": record.etag, "verdict": verdict, "reason": None, "rows": rows}


def _settled(record: Any, word: dict[str, Any], outcome: str) -> list[tuple[str, Any]]:
    said = {"outcome": outcome, "objects": [word]}
    moves = settlements([record], "churn-0002-b", said, at="now", reason="why", blame=True)
    return [(move.after.verdict, move.after.rows) for move in moves]


def test_a_refused_run_leaves_earlier_counts_alone() -> None:
    """It ended before it counted: an upload prepared before keeps its rows and its run."""
    record = replace(builders.a_record(verdict=PREPARED), rows=COUNTED, run="churn-0001-a")
    assert _settled(record, _word(record, PREPARED, NOTHING), REFUSED) == []


@pytest.mark.parametrize("rows", [COUNTED, NOTHING])
def test_a_whole_run_counts_anew(rows: dict[str, int]) -> None:
    """A changed spec may judge old rows otherwise: the newest whole run is right."""
    record = replace(builders.a_record(verdict=PREPARED), rows={"good": 1, "refused": 0, "unlabelled": 0})
    assert _settled(record, _word(record, PREPARED, rows), PREPARED) == [(PREPARED, rows)]


def test_a_refused_run_still_settles_what_it_claimed() -> None:
    """The refused file is told so, the sound one beside it is told its rows."""
    record = replace(builders.a_record(verdict=CLAIMED), run="churn-0002-b")
    assert _settled(record, _word(record, REFUSED, NOTHING), REFUSED) == [(REFUSED, NOTHING)]
    assert _settled(record, _word(record, PREPARED, COUNTED), REFUSED) == [(PREPARED, COUNTED)]


@pytest.mark.parametrize("before", [CLAIMED, PREPARED])
@pytest.mark.parametrize("outcome", [PREPARED, REFUSED])
def test_what_no_source_takes_is_ignored_and_no_longer_part_of_the_dataset(before: str, outcome: str) -> None:
    """Also an upload that was part of it until the spec named its sources."""
    record = replace(builders.a_record(verdict=before), run="churn-0002-b")
    assert _settled(record, _word(record, IGNORED, {}), outcome) == [(IGNORED, {})]
    ignored = replace(record, verdict=IGNORED)
    assert live([ignored], "churn-0002-b") == []
