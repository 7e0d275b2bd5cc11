"""The limits of each hop are one table: what the docs say is what the code holds to."""

from __future__ import annotations

from pathlib import Path

import pytest

from chalicelib.domain import limits
from chalicelib.wiring import _PROMPT

PAGE = Path(__file__).parents[3] / "docs" / "steps" / "predict.md"


@pytest.mark.parametrize("limit", limits.TABLE, ids=lambda limit: limit.hop)
def test_the_docs_have_every_line_of_the_table(limit: limits.Limit) -> None:
    assert f"| {limit.hop} | {limit.most} | {limit.answered} |" in PAGE.read_text(encoding="utf-8")


def test_the_docs_say_our_own_limits() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert f"{limits.INSTANCES:,} records a request" in page
    assert f"within {limits.MODEL_SECONDS} s" in page
    assert f"nested deeper than {limits.DEPTH}" in page
    assert limits.BODY == limits.ANSWER == 5 * limits.MB


def test_we_answer_before_api_gateway_gives_up() -> None:
    assert _PROMPT.read_timeout == limits.MODEL_SECONDS
    assert _PROMPT.connect_timeout + _PROMPT.read_timeout + 2 < 29  # two seconds for a cold start
