"""The gate's verdict: every hurdle, both directions, and the reason in words with numbers."""

from __future__ import annotations

from typing import Any

import pytest

from chalicelib.domain.scorecard import judge
from tests import builders

BEATS = {"metric": "macro_f1", "beat_baseline": True, "beat_champion": True}


@pytest.mark.parametrize(
    ("gate", "card", "champion", "passed", "words"),
    [
        ({"metric": "macro_f1", "at_least": 0.9}, {}, False, True, "macro_f1 0.9 is at least 0.9"),
        ({"metric": "macro_f1", "at_least": 0.91}, {}, False, False, "is below 0.91"),
        ({"metric": "log_loss", "at_most": 0.3}, {}, False, True, "is at most 0.3"),
        ({"metric": "log_loss", "at_most": 0.2}, {}, False, False, "is above 0.2"),
        (
            {"metric": "log_loss", "beat_baseline": True},
            {},
            False,
            True,
            "beats the baseline (majority class, 0.7)",
        ),
        ({"metric": "auc", "beat_baseline": True}, {}, False, True, "met no hurdle"),
        (BEATS, {"champion": {"metrics": {"macro_f1": 0.89}}}, True, True, "beats the released model (0.89"),
        (
            BEATS,
            {"champion": {"metrics": {"macro_f1": 0.9}}},
            True,
            False,
            "does not beat the released model",
        ),
        (BEATS, {"champion": None}, True, False, "not comparable"),
        (BEATS, {"champion": None}, False, True, "beats the baseline"),
        ({**BEATS, "beat_champion": False}, {"champion": None}, True, True, "beats the baseline"),
        ({"metric": "rmse"}, {}, False, False, "has no rmse"),
        (
            BEATS,
            {"baseline": {"name": "x", "metrics": {"macro_f1": 0.9}}},
            False,
            False,
            "does not beat the baseline",
        ),
    ],
)
def test_each_hurdle(
    gate: dict[str, Any], card: dict[str, Any], champion: bool, passed: bool, words: str
) -> None:
    verdict = judge(builders.a_scorecard(**card), gate, champion=champion)
    assert verdict.passed is passed
    assert words in verdict.reason


def test_a_refusal_names_only_what_failed() -> None:
    verdict = judge(
        builders.a_scorecard(),
        {"metric": "macro_f1", "at_least": 0.95, "beat_baseline": True},
        champion=False,
    )
    assert verdict.reason == "macro_f1 0.9 is below 0.95"
