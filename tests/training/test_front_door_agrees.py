"""The front door's check and the model's own reader agree on every value: what one refuses, the other does too."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from learners.errors import BadRequest
from learners.schema import Feature, Reader

from chalicelib.domain.request_schema import RequestSchema

FEATURES = [
    Feature("age", "number", null_values=["?"]),
    Feature("plan", "category", categories=["a", "True", "1"]),
    Feature("since", "date", "%d-%m-%Y"),
    Feature("until", "date"),
    Feature("note", "text"),
]
SCHEMA = RequestSchema({"x-features": [feature.document() for feature in FEATURES]})
READER = Reader(FEATURES)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.dates().map(str),
    st.datetimes().map(str),
    st.dates().map(lambda day: day.strftime("%d-%m-%Y")),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=1),
    st.sampled_from(
        ["?", " ", "1e999", "nan", "-inf", "0x1", "1_000", "\u0663", "2026-02-30", "20260131", "10**400"]
    ),
)
RECORDS = st.dictionaries(
    st.sampled_from([feature.name for feature in FEATURES] + ["other"]), VALUES, min_size=1
)


def refused_by_model(record: dict[str, Any]) -> set[str]:
    """Columns the model's reader names; "" for the record itself."""
    try:
        READER.columns([record])
    except BadRequest as error:
        return {fault["column"] or "" for fault in error.detail["faults"]}
    return set()


@given(RECORDS)
def test_both_name_the_same_columns(record: dict[str, Any]) -> None:
    """But for numbers sent as a text: the model writes them out, and the door holds them to be a mistake."""
    ours = {column for column, _ in SCHEMA.wrong(record)}
    if isinstance(record.get("note"), (int, float)):
        assert "note" in ours
        ours.discard("note")
    assert ours == refused_by_model(record)
