"""Which training jobs are stopped early, by the median rule and by Hyperband; and what counts as an improvement."""

import pytest

from penstock.localaws.sagemaker.tuning import core, judgement
from penstock.localaws.sagemaker.tuning.core import Ending
from penstock.localaws.sagemaker.tuning.state import Fate, Hyperband, Plan, Trial, Tuning

MEDIAN = Plan(maximize=False, most_jobs=10, most_parallel=10, early_stopping=True)
BAND = Plan(maximize=True, most_jobs=10, most_parallel=10, hyperband=Hyperband(1, 9))


def tuning(plan: Plan, running: int, ended: int = 0) -> Tuning:
    """A tuning with `ended` training jobs over, then `running` ones."""
    made = core.create(0.0)
    for number in range(1, ended + running + 1):
        made = core.launched(made, Trial(number, number - 1, f"job-{number}", {}, 0.0))
    for number in range(1, ended + 1):
        made = core.ended(plan, made, number, Ending(float(number), Fate.COMPLETED, 1.0))
    return made


EARLIER = {1: [1.0, 0.5], 2: [2.0, 1.0], 3: [3.0, 2.0]}  # running averages after two epochs: 0.75, 1.5, 2.5


@pytest.mark.parametrize(
    ("curve", "stopped"),
    [
        ([9.0, 1.6], True),
        ([9.0, 1.5], False),
        ([2.1], True),
        ([2.0], False),
        ([], False),
        ([9.0, 1.6, 0.0], True),
        ([9.0, 1.5, 9.0], False),
    ],
)
def test_worse_than_the_median_of_running_averages_is_stopped(curve: list[float], stopped: bool) -> None:
    """Beyond what earlier training jobs reached, their last epoch counts: a look may come late."""
    now = tuning(MEDIAN, running=1, ended=3)
    found = judgement.wasteful(MEDIAN, now, {**EARLIER, 4: curve})
    assert (found is not None) == stopped


def test_the_median_of_maximized_objectives_is_a_floor() -> None:
    plan = Plan(maximize=True, most_jobs=10, most_parallel=10, early_stopping=True)
    now = tuning(plan, running=1, ended=3)
    assert judgement.wasteful(plan, now, {**EARLIER, 4: [9.0, 1.4]}) == now.trials[3]
    assert judgement.wasteful(plan, now, {**EARLIER, 4: [0.0, 1.6]}) is None


def test_too_few_earlier_training_jobs_stop_nothing() -> None:
    now = tuning(MEDIAN, running=1, ended=2)
    assert judgement.wasteful(MEDIAN, now, {**EARLIER, 3: [99.0]}) is None


def test_without_early_stopping_nothing_is_stopped() -> None:
    plan = Plan(maximize=False, most_jobs=10, most_parallel=10)
    assert judgement.wasteful(plan, tuning(plan, 1, 3), {**EARLIER, 4: [99.0, 99.0]}) is None


def test_a_trial_is_asked_to_end_once() -> None:
    now = core.stopping(tuning(MEDIAN, running=1, ended=3), 4)
    assert judgement.wasteful(MEDIAN, now, {**EARLIER, 4: [99.0]}) is None


def test_hyperband_brackets_and_rungs() -> None:
    band = Hyperband(1, 9)
    assert [judgement.rungs(band, bracket) for bracket in range(3)] == [[1, 3], [3], []]
    assert judgement.brackets(band) == [9, 5, 3]
    assert [judgement.bracket_of(band, setting) for setting in (0, 8, 9, 13, 14, 16, 17)] == [
        0,
        0,
        1,
        1,
        2,
        2,
        0,
    ]


def test_hyperband_goes_on_with_the_best_third_at_each_rung() -> None:
    now = tuning(BAND, running=6)
    curves = {number: [float(number)] for number in range(1, 7)}
    stopped = []
    while (trial := judgement.wasteful(BAND, now, curves)) is not None:
        stopped.append(trial.number)
        now = core.stopping(now, trial.number)
    assert stopped == [1, 2, 3, 4]


def test_hyperband_stops_nothing_before_its_least_resource() -> None:
    plan = Plan(maximize=True, most_jobs=10, most_parallel=10, hyperband=Hyperband(3, 27))
    curves = {number: [float(number)] * 2 for number in range(1, 7)}
    assert judgement.wasteful(plan, tuning(plan, running=6), curves) is None


def test_hyperband_stops_at_its_most_resource() -> None:
    now = tuning(BAND, running=1)
    assert judgement.wasteful(BAND, now, {1: [1.0] * 8}) is None
    assert judgement.wasteful(BAND, now, {1: [1.0] * 9}) == now.trials[0]


def test_hyperband_compares_within_a_bracket_only() -> None:
    now = tuning(BAND, running=10)  # the tenth is the first of bracket 1
    curves = {number: [100.0] for number in range(1, 10)} | {10: [0.0] * 3}
    found = judgement.wasteful(BAND, now, curves)
    assert found is None or found.number != 10


def test_an_improvement_is_more_than_one_percent_of_the_best() -> None:
    assert judgement.not_improving(True, [1.0, 1.009, 1.005]) == 2
    assert judgement.not_improving(True, [1.0, 1.02, 1.025]) == 1
    assert judgement.not_improving(False, [-1.0, -1.02]) == 0
    assert judgement.not_improving(False, [1.0, 0.9, 0.95, 0.895]) == 2
    assert judgement.not_improving(False, []) == 0
    assert judgement.not_improving(True, [0.0, 0.000001]) == 0
