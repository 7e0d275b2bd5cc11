"""Which setting comes next: always the same for the same past, no setting twice, and TPE learns."""

from collections.abc import Callable

import pytest

from penstock.localaws.sagemaker.tuning import search, space
from penstock.localaws.sagemaker.tuning.search import Search, Tried
from penstock.localaws.sagemaker.tuning.space import Values

TWO = space.read(
    {
        "ContinuousParameterRanges": [
            {"Name": "rate", "MinValue": "0.0001", "MaxValue": "1", "ScalingType": "Logarithmic"},
            {"Name": "share", "MinValue": "0", "MaxValue": "1"},
        ]
    }
)
MIXED = space.read(
    {
        "ContinuousParameterRanges": [
            {"Name": "decay", "MinValue": "0.5", "MaxValue": "0.999", "ScalingType": "ReverseLogarithmic"}
        ],
        "IntegerParameterRanges": [{"Name": "depth", "MinValue": "1", "MaxValue": "1000"}],
        "CategoricalParameterRanges": [{"Name": "booster", "Values": ["tree", "line"]}],
    }
)
FEW = space.read({"IntegerParameterRanges": [{"Name": "epochs", "MinValue": "2", "MaxValue": "7"}]})


def smooth(values: Values) -> float:
    """Least at rate 0.01, share 0.7; as deep in every direction."""
    rate = space.Range("rate", space.Kind.CONTINUOUS, 0.0001, 1, space.Scaling.LOGARITHMIC)
    at = rate.coordinate(values["rate"])
    assert at is not None
    return ((at + 4.6) / 9.2) ** 2 + (float(values["share"]) - 0.7) ** 2


def run(how: Search, jobs: int, objective: Callable[[Values], float], parallel: int = 1) -> list[Tried]:
    """Tune with `parallel` jobs at once that end in turn."""
    tried: list[Tried] = []
    for number in range(jobs):
        running = [
            Tried(one.values, None, True) if len(tried) - at < parallel else one
            for at, one in enumerate(tried)
        ]
        values = search.propose(how, number, running)
        tried.append(Tried(values, objective(values), running=False))
    return tried


@pytest.mark.parametrize("strategy", ["Random", "Bayesian", "Hyperband"])
def test_the_same_seed_finds_the_same_settings_and_another_others(strategy: str) -> None:
    first = run(Search(strategy, MIXED, True, "7"), 14, lambda values: float(values["decay"]), parallel=3)
    again = run(Search(strategy, MIXED, True, "7"), 14, lambda values: float(values["decay"]), parallel=3)
    other = run(Search(strategy, MIXED, True, "8"), 14, lambda values: float(values["decay"]), parallel=3)
    assert first == again
    assert first != other
    assert all(space.fit(MIXED, one.values) == one.values for one in first)


@pytest.mark.parametrize("strategy", ["Random", "Bayesian"])
def test_no_setting_is_tried_twice_while_there_are_others(strategy: str) -> None:
    tried = run(Search(strategy, FEW, False, "1"), 6, lambda values: 1 / float(values["epochs"]))
    assert sorted(one.values["epochs"] for one in tried) == list("234567")


def test_a_grid_goes_through_every_combination() -> None:
    grid = space.read(
        {
            "CategoricalParameterRanges": [
                {"Name": "a", "Values": ["1", "2"]},
                {"Name": "b", "Values": ["x", "y", "z"]},
            ]
        }
    )
    tried = run(Search("Grid", grid, False, "1"), 6, lambda values: 0.0)
    assert {tuple(one.values.values()) for one in tried} == {(a, b) for a in "12" for b in "xyz"}


def test_tpe_finds_better_settings_than_chance() -> None:
    """Over ten seeds; the search is deterministic, so is this comparison."""
    wins = 0
    for seed in range(10):
        best = {
            strategy: min(
                one.value
                for one in run(Search(strategy, TWO, False, str(seed)), 30, smooth)
                if one.value is not None
            )
            for strategy in ("Bayesian", "Random")
        }
        wins += best["Bayesian"] < best["Random"]
    assert wins >= 8


def test_tpe_maximizes_what_is_to_be_maximized() -> None:
    tried = run(Search("Bayesian", TWO, True, "3"), 40, lambda values: -smooth(values))
    late = [one.value for one in tried[20:] if one.value is not None]
    early = [one.value for one in tried[:10] if one.value is not None]
    assert sum(late) / len(late) > sum(early) / len(early)


def test_a_warm_start_begins_where_the_parents_ended() -> None:
    how = Search("Bayesian", TWO, False, "5")
    parents = run(how, 40, smooth)
    cold = search.propose(Search("Bayesian", TWO, False, "99"), 0, [])
    warm = search.propose(Search("Bayesian", TWO, False, "99"), 0, [], parents)
    assert smooth(warm) < smooth(cold)


def test_settings_without_an_objective_do_not_disturb() -> None:
    failed = [Tried({"rate": "0.5", "share": "0.5"}, None, running=False)] * 3
    how = Search("Bayesian", TWO, False, "5")
    assert search.propose(how, 3, failed) == search.propose(how, 3, [])
