"""`penstock cost`: the threshold table of a scorecard, priced anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from penstock.cli.__main__ import main

ROWS = [
    {"cutoff": 0.1, "tp": 5, "fp": 40, "fn": 0, "tn": 55},
    {"cutoff": 0.3, "tp": 4, "fp": 10, "fn": 1, "tn": 85},
    {"cutoff": 0.5, "tp": 2, "fp": 1, "fn": 3, "tn": 94},
]


def card(folder: Path, thresholds: list[dict[str, float]] | None) -> str:
    path = folder / "scorecard.json"
    path.write_text(json.dumps({"thresholds": thresholds, "settings": {"positive": "fraud"}}))
    return str(path)


def test_the_cheapest_depends_on_what_mistakes_cost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    judged = card(tmp_path, ROWS)
    for prices, cutoff, price in (
        (("--fp", "100", "--fn", "500", "--tn", "1"), 0.3, 1585),
        (("--fp", "1", "--fn", "1000"), 0.1, 40),
        (("--fp", "100", "--fn", "1"), 0.5, 103),
    ):
        assert main(["--json", "cost", judged, *prices]) == 0
        answer = json.loads(capsys.readouterr().out)
        assert (answer["cheapest"]["cutoff"], answer["cheapest"]["cost"]) == (cutoff, price)
        assert [row["cutoff"] for row in answer["at"]] == [0.5, 0.3]


def test_people_get_a_table_and_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", card(tmp_path, ROWS), "--fp", "100", "--fn", "500", "--at", "0.11"]) == 0
    said = capsys.readouterr().out
    assert "call a row “fraud” from a score of 0.30 on" in said
    assert "0.30 (cheapest)" in said


def test_what_has_no_cutoffs_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", card(tmp_path, None), "--fp", "1", "--fn", "1"]) == 1
    assert "Only a model of two classes" in capsys.readouterr().err
    assert main(["cost", str(tmp_path / "none.json"), "--fp", "1", "--fn", "1"]) == 1
    assert "there is no such file" in capsys.readouterr().err
