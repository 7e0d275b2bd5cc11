"""Ranges: what is a value, how a range is searched, what a training job gets."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.localaws.sagemaker.tuning import space
from penstock.localaws.sagemaker.tuning.space import Kind, Range, Scaling


def number(kind: str, low: str, high: str, scaling: str | None = None) -> Range:
    one = {"Name": "n", "MinValue": low, "MaxValue": high, **({"ScalingType": scaling} if scaling else {})}
    (found,) = space.read({f"{kind}ParameterRanges": [one]})
    return found


BOUNDS = st.tuples(st.floats(0.001, 0.99), st.floats(0.001, 0.99)).map(sorted)


@given(bounds=BOUNDS, scaling=st.sampled_from(list(Scaling)), seed=st.integers(0, 1000))
def test_a_continuous_value_drawn_lies_in_its_range_and_has_its_coordinate(
    bounds: list[float], scaling: Scaling, seed: int
) -> None:
    one = Range("n", Kind.CONTINUOUS, bounds[0], bounds[1], scaling)
    text = one.draw(random.Random(seed))
    assert one.holds(text)
    coordinate = one.coordinate(text)
    assert coordinate is not None
    assert float(one.text(coordinate)) == pytest.approx(float(text), rel=1e-9)


@given(low=st.integers(-50, 50), width=st.integers(0, 20), seed=st.integers(0, 1000))
def test_an_integer_is_written_as_one(low: int, width: int, seed: int) -> None:
    one = number("Integer", str(low), str(low + width))
    assert low <= int(one.draw(random.Random(seed))) <= low + width
    assert one.size == width + 1


def test_both_ends_of_an_integer_range_are_drawn() -> None:
    one, dice = number("Integer", "1", "1000", "Logarithmic"), random.Random(1)
    drawn = {int(one.draw(dice)) for _ in range(5000)}
    assert min(drawn) == 1
    assert max(drawn) > 900


def test_logarithmic_draws_are_spread_by_magnitude_and_reverse_ones_towards_one() -> None:
    dice = random.Random(3)
    small = [float(number("Continuous", "0.0001", "1", "Logarithmic").draw(dice)) for _ in range(2000)]
    assert 0.4 < sum(value < 0.01 for value in small) / 2000 < 0.6
    near_one = [
        float(number("Continuous", "0.0", "0.9999", "ReverseLogarithmic").draw(dice)) for _ in range(2000)
    ]
    assert 0.4 < sum(value > 0.99 for value in near_one) / 2000 < 0.6


@pytest.mark.parametrize(
    ("low", "high", "scaling"),
    [("0.001", "0.1", Scaling.LOGARITHMIC), ("0.5", "1", Scaling.LINEAR), ("0", "1000", Scaling.LINEAR)],
)
def test_auto_searches_wide_positive_ranges_by_magnitude(low: str, high: str, scaling: Scaling) -> None:
    assert number("Continuous", low, high).scaling is scaling
    assert number("Continuous", low, high, "Auto").scaling is scaling


def test_every_combination_has_its_number() -> None:
    whole = space.read(
        {
            "CategoricalParameterRanges": [{"Name": "c", "Values": ["a", "b", "z"]}],
            "IntegerParameterRanges": [{"Name": "n", "MinValue": "2", "MaxValue": "5"}],
        }
    )
    assert space.combinations(whole) == 12
    found = [space.nth(whole, at) for at in range(12)]
    assert len({tuple(sorted(one.items())) for one in found}) == 12
    assert all(space.fit(whole, one) == one for one in found)
    assert space.combinations(space.read({"ContinuousParameterRanges": []})) == 1
    assert space.combinations((number("Continuous", "0", "1"),)) == math.inf


def test_what_lies_outside_does_not_fit() -> None:
    whole = (number("Integer", "1", "5"), Range("c", Kind.CATEGORICAL, categories=("a",)))
    assert space.fit(whole, {"n": "3", "c": "a", "other": "x"}) == {"n": "3", "c": "a"}
    for values in (
        {"n": "6", "c": "a"},
        {"n": "3", "c": "b"},
        {"n": "3"},
        {"n": "2.5", "c": "a"},
        {"n": "x", "c": "a"},
    ):
        assert space.fit(whole, values) is None
