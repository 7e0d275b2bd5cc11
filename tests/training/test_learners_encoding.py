"""The encoder: one function for training and serving that never raises at prediction."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from learners.encoding import DATE_PARTS, Encoder
from learners.problem import Column
from learners.schema import Feature

ENCODER = Encoder(
    [Feature("n", "number"), Feature("c", "category", categories=["a", "b", "ü"]), Feature("d", "date")]
)
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.binary(max_size=4),
    st.datetimes(timezones=st.none() | st.just(dt.UTC)),
    st.dates(),
    st.decimals(),
    st.complex_numbers(),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
    st.just(np.datetime64("NaT")),
    st.just(np.float32("nan")),
    st.just(object()),
)


@given(st.lists(st.tuples(ODD, ODD, ODD), max_size=6))
def test_nothing_raises_and_everything_is_a_finite_number_or_missing(
    rows: list[tuple[Any, Any, Any]],
) -> None:
    columns = {name: [row[place] for row in rows] for place, name in enumerate("ncd")}
    matrix = ENCODER.matrix(columns, len(rows))
    assert matrix.shape == (len(rows), 2 + len(DATE_PARTS))
    assert matrix.dtype == np.float32
    assert not np.isinf(matrix).any()


@given(
    st.lists(
        st.tuples(st.floats() | st.none(), st.sampled_from(["a", "b", "z", None]), st.datetimes()), min_size=1
    )
)
def test_rows_together_and_one_by_one_are_the_same(rows: list[tuple[Any, Any, Any]]) -> None:
    columns = {name: [row[place] for row in rows] for place, name in enumerate("ncd")}
    alone = [
        ENCODER.matrix({name: [values[k]] for name, values in columns.items()}, 1) for k in range(len(rows))
    ]
    np.testing.assert_array_equal(ENCODER.matrix(columns, len(rows)), np.concatenate(alone))


def test_a_date_is_five_numbers() -> None:
    matrix = ENCODER.matrix(
        {"d": [dt.datetime.fromisoformat("2024-02-29T23:59"), "1969-12-31T23:00:00-05:00", None]}, 3
    )
    assert matrix[0, 2:].tolist() == [2024, 2, 29, 3, 19782]
    assert matrix[1, 2:].tolist() == [1970, 1, 1, 3, 0]
    assert np.isnan(matrix[2]).all()


def test_arrays_and_lists_are_the_same() -> None:
    moments = np.array(["2024-01-31T10:00", "NaT"], dtype="datetime64[us]")
    arrays = ENCODER.matrix({"n": np.array([1.5, np.nan]), "d": moments}, 2)
    lists = ENCODER.matrix(
        {"n": ["1.5", None], "d": [dt.datetime.fromisoformat("2024-01-31T10:00"), None]}, 2
    )
    np.testing.assert_array_equal(arrays, lists)


def test_numbers_too_large_for_32_bits_stay_finite() -> None:
    assert np.isfinite(ENCODER.matrix({"n": [1e300, Decimal("1e300")]}, 2)[:, 0]).all()


def test_unseen_and_missing_categories_are_missing() -> None:
    codes = ENCODER.matrix({"c": ["b", "ü", "B", "", None, 3]}, 6)[:, 1]
    assert codes[:2].tolist() == [1, 2]
    assert np.isnan(codes[2:]).all()


def test_few_categories_are_all_kept_and_of_many_the_rare_are_not() -> None:
    column = [Column("c", "category")]
    few = Encoder.fit(column, {"c": ["x", "y", None, "y"]}, min_rows=5, max_categories=1000)
    assert few.features[0].categories == ["x", "y"]
    many = [f"rare {k}" for k in range(100)] + ["often"] * 5 + ["oftener"] * 6
    assert Encoder.fit(column, {"c": many}, 5, 1000).features[0].categories == ["often", "oftener"]
    assert Encoder.fit(column, {"c": many}, 5, 1).features[0].categories == ["oftener"]
