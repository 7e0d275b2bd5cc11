"""What a tuning makes of its objectives: which is best, whether they still improve, which trial is not worth its time.

Sources: AWS's developer guide on early stopping (the median of running averages) and completion criteria (1 %); for
Hyperband, Li et al. 2018, with the asynchronous stopping of Li et al. 2020, since training jobs cannot be paused. Pure.
"""

import statistics
from collections.abc import Iterable, Sequence

from penstock.localaws.sagemaker.tuning.state import Curves, Hyperband, Plan, Trial, Tuning

_IMPROVEMENT = 0.01  # of the best so far
_FEWEST_EARLIER = 3  # a median of fewer says nothing
_FEWEST_TO_CONVERGE = 20
_STEADY_SHARE = 0.5  # converged: so large a share of the trials, the last ones, has not improved the best
_ETA = 3  # Hyperband keeps one in so many


def better(maximize: bool, one: float, other: float) -> bool:
    """Whether `one` is strictly better than `other`."""
    return one > other if maximize else one < other


def best(maximize: bool, trials: Iterable[Trial]) -> Trial | None:
    """The trial with the best objective, the first of equals; None when none has one."""
    found: Trial | None = None
    for trial in trials:
        if trial.value is None:
            continue
        if found is None or found.value is None or better(maximize, trial.value, found.value):
            found = trial
    return found


def not_improving(maximize: bool, values: Iterable[float]) -> int:
    """How many objectives, the last ones, did not improve the best before them by more than 1 %."""
    reference: float | None = None
    count = 0
    for value in values:
        gain = 0.0 if reference is None else (value - reference if maximize else reference - value)
        if reference is None or gain > _IMPROVEMENT * abs(reference):
            reference, count = value, 0
        else:
            count += 1
    return count


def has_converged(maximize: bool, values: Sequence[float]) -> bool:
    """No improvement over half of at least twenty objectives. AWS's criterion is not published; this one is ours."""
    return (
        len(values) >= _FEWEST_TO_CONVERGE and not_improving(maximize, values) >= len(values) * _STEADY_SHARE
    )


def reached(maximize: bool, target: float, values: Iterable[float]) -> bool:
    """Whether an objective is as good as the target."""
    return any(not better(maximize, target, value) for value in values)


def wasteful(plan: Plan, tuning: Tuning, curves: Curves) -> Trial | None:
    """A running trial that should be stopped for what it has reported so far."""
    candidates = [trial for trial in tuning.running if not trial.stopping and curves.get(trial.number)]
    for trial in candidates:
        if plan.hyperband is not None and _halved(plan, plan.hyperband, trial, tuning, curves):
            return trial
        if plan.early_stopping and _below_median(plan.maximize, trial, tuning, curves):
            return trial
    return None


def _below_median(maximize: bool, trial: Trial, tuning: Tuning, curves: Curves) -> bool:
    """Worse than the median of the running averages, up to the same epoch, of those that have ended.

    Looked at is the last epoch that enough of them have reached: a look may come some epochs late.
    """
    mine = curves[trial.number]
    earlier = [
        curves.get(other.number, ()) for other in tuning.evaluated if other.definition == trial.definition
    ]
    lengths = sorted((len(curve) for curve in earlier), reverse=True)
    if len(lengths) < _FEWEST_EARLIER:
        return False
    epoch = min(len(mine), lengths[_FEWEST_EARLIER - 1])
    if epoch == 0:
        return False
    averages = [statistics.fmean(curve[:epoch]) for curve in earlier if len(curve) >= epoch]
    return better(maximize, statistics.median(averages), mine[epoch - 1])


def _halved(plan: Plan, band: Hyperband, trial: Trial, tuning: Tuning, curves: Curves) -> bool:
    """At MaxResource, or not among the best third of its bracket at the last rung it has reached."""
    epoch = len(curves[trial.number])
    if epoch >= band.most:
        return True
    bracket = bracket_of(band, trial.setting)
    passed = [rung for rung in rungs(band, bracket) if rung <= epoch]
    if not passed:
        return False
    rung = passed[-1]
    rivals = [
        curves[other.number][rung - 1]
        for other in tuning.trials
        if len(curves.get(other.number, ())) >= rung and bracket_of(band, other.setting) == bracket
    ]
    keep = max(1, len(rivals) // _ETA)
    mine = curves[trial.number][rung - 1]
    return sum(better(plan.maximize, rival, mine) for rival in rivals) >= keep


def rungs(band: Hyperband, bracket: int) -> list[int]:
    """The epochs, below MaxResource, at which a bracket's trials are compared; bracket 0 compares first."""
    found = []
    rung = band.least * _ETA**bracket
    while rung < band.most:
        found.append(rung)
        rung *= _ETA
    return found


def brackets(band: Hyperband) -> list[int]:
    """How many trials Hyperband gives each bracket."""
    last = len(rungs(band, 0))
    return [-(-(last + 1) * _ETA ** (last - bracket) // (last - bracket + 1)) for bracket in range(last + 1)]


def bracket_of(band: Hyperband, setting: int) -> int:
    """The bracket of a setting: one bracket after the other, then from the start again."""
    sizes = brackets(band)
    left = setting % sum(sizes)
    for bracket, size in enumerate(sizes):
        if left < size:
            return bracket
        left -= size
    raise AssertionError("sizes add up to more than what is left")
