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


LEAK_FREE = {
    "by": "Id",
    "metrics": {"macro_f1": 0.6},
    "baseline": {"name": "majority class", "metrics": {"macro_f1": 0.4}},
    "champion": None,
    "intervals": {},
    "comparisons": [],
    "note": "Too few rows.",
}


def test_the_leak_free_figure_decides() -> None:
    """All test rows say 0.9; those without kin 0.6."""
    verdict = judge(
        builders.a_scorecard(leak_free=LEAK_FREE), {"metric": "macro_f1", "at_least": 0.7}, champion=False
    )
    assert (verdict.passed, verdict.value) == (False, 0.6)
    assert verdict.reason == "macro_f1 (leak-free by Id) 0.6 is below 0.7"


def test_without_the_leak_free_figure_nothing_passes() -> None:
    card = builders.a_scorecard(leak_free={**LEAK_FREE, "metrics": None})
    verdict = judge(card, {"metric": "macro_f1"}, champion=False)
    assert (verdict.passed, verdict.value) == (False, None)
    assert "Too few rows. Split by what belongs together" in verdict.reason


def test_the_champion_is_compared_where_both_were_scored() -> None:
    """Of a learner fitted anew there is no champion: all test rows tell; of rows without kin, these do."""
    card = builders.a_scorecard(leak_free=LEAK_FREE, champion={"metrics": {"macro_f1": 0.8}})
    assert judge(card, BEATS, champion=True).passed
    same = {**LEAK_FREE, "champion": {"metrics": {"macro_f1": 0.65}}}
    refused = judge(builders.a_scorecard(leak_free=same), BEATS, champion=True)
    assert "does not beat the released model (0.65" in refused.reason


def test_how_sure_it_is_is_said_and_does_not_decide() -> None:
    card = builders.a_scorecard(
        intervals={"macro_f1": {"low": 0.85, "high": 0.94}},
        champion={"metrics": {"macro_f1": 0.89}},
        comparisons=[{"with": "champion", "metric": "macro_f1", "p_value": 0.4}],
    )
    verdict = judge(card, {**BEATS, "at_least": 0.88}, champion=True)
    assert verdict.passed
    assert "not sure: its interval is 0.85 to 0.94" in verdict.reason
    assert "may be chance, p = 0.4" in verdict.reason
    assert "not sure" not in judge(card, {**BEATS, "at_least": 0.8}, champion=True).reason
