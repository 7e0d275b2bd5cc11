"""What happens to a tuning, as pure functions: events change its state, `next_action` says what to do about it.

    InProgress → Completed | Failed;  a stop while it runs: → Stopping → (training jobs end) → Stopped

`next_action` depends on nothing but the state, so a tuning taken up again after a restart goes on where it was. Each
action, once carried out, changes the state so that it is not asked for again. An event that comes too late changes
nothing.
"""

import dataclasses
import math
from dataclasses import dataclass

from penstock.localaws.sagemaker.tuning import judgement
from penstock.localaws.sagemaker.tuning.state import (
    Curves,
    Fate,
    Plan,
    Status,
    Trial,
    Tuning,
    Why,
)

ATTEMPTS = 5  # so many training jobs end without success, and AWS gives up
_NO_SUCCESS = (
    "No training job succeeded after {} attempts. For additional details, please take a look at the training job "
    "failures by listing training jobs for the hyperparameter tuning job."
)


@dataclass(frozen=True)
class Launch:
    """Start the next training job: with a new setting, or with that of `again`, which was lost."""

    again: Trial | None = None


@dataclass(frozen=True)
class StopTrial:
    """Ask a trial's training job to end."""

    trial: Trial


@dataclass(frozen=True)
class Finish:
    """Nothing runs and nothing is left to do."""

    status: Status
    failure: str | None = None


Action = Launch | StopTrial | Finish


@dataclass(frozen=True)
class Ending:
    """How a training job ended. `value` is the objective it reported last."""

    at: float
    fate: Fate
    value: float | None = None
    started: float | None = None
    ended: float | None = None
    failure: str | None = None


def create(at: float) -> Tuning:
    """A tuning as it is born."""
    return Tuning(Status.IN_PROGRESS, created=at, modified=at)


# --- events ---


def launched(tuning: Tuning, trial: Trial) -> Tuning:
    """A training job is about to be started; its trial is the last one from now on."""
    return dataclasses.replace(tuning, trials=(*tuning.trials, trial))


def stopping(tuning: Tuning, number: int) -> Tuning:
    """A trial was asked to end."""
    return _with(tuning, dataclasses.replace(tuning.trials[number - 1], stopping=True))


def ended(plan: Plan, tuning: Tuning, number: int, ending: Ending) -> Tuning:
    """A trial's training job has ended."""
    trial = tuning.trials[number - 1]
    if not trial.running:
        return tuning
    value = ending.value if ending.value is not None and math.isfinite(ending.value) else None
    fate = Fate.STOPPED if ending.fate is Fate.LOST and trial.stopping else ending.fate
    done = dataclasses.replace(
        trial,
        fate=fate,
        value=value if fate in (Fate.COMPLETED, Fate.STOPPED) else None,
        started=ending.started,
        ended=ending.ended if ending.ended is not None else ending.at,
        failure=ending.failure,
    )
    after = _with(tuning, done)
    if after.converged is None and judgement.has_converged(plan.maximize, _values(after)):
        return dataclasses.replace(after, converged=ending.at)
    return after


def stop_requested(tuning: Tuning, at: float) -> Tuning:
    """Somebody called StopHyperParameterTuningJob."""
    if tuning.status is not Status.IN_PROGRESS:
        return tuning
    return dataclasses.replace(tuning, status=Status.STOPPING, modified=at)


def finished(tuning: Tuning, finish: Finish, at: float) -> Tuning:
    """It is over."""
    return dataclasses.replace(tuning, status=finish.status, failure=finish.failure, ended=at, modified=at)


def _with(tuning: Tuning, trial: Trial) -> Tuning:
    at = trial.number - 1
    return dataclasses.replace(tuning, trials=(*tuning.trials[:at], trial, *tuning.trials[at + 1 :]))


# --- decisions ---


def next_action(plan: Plan, tuning: Tuning, curves: Curves, now: float) -> Action | None:
    """What is to be done next; None: wait for an event."""
    if tuning.over:
        return None
    why = reason_to_end(plan, tuning, now)
    if why is not None:
        return _wind_up(plan, tuning, why)
    if len(tuning.running) < plan.most_parallel:
        again = _to_try_again(plan, tuning)
        if again is not None or tuning.settings < plan.most_jobs:
            return Launch(again)
    wasteful = judgement.wasteful(plan, tuning, curves)
    return None if wasteful is None else StopTrial(wasteful)


def reason_to_end(plan: Plan, tuning: Tuning, now: float) -> Why | None:
    """Why no more training jobs are launched; None while there is none."""
    values = _values(tuning)
    reasons = (
        (Why.STOPPED, tuning.status is Status.STOPPING),
        (Why.TARGET, plan.target is not None and judgement.reached(plan.maximize, plan.target, values)),
        (Why.HOPELESS, not values and len(_attempts(plan, tuning)) >= min(ATTEMPTS, plan.most_jobs)),
        (
            Why.NOT_IMPROVING,
            plan.patience is not None and judgement.not_improving(plan.maximize, values) >= plan.patience,
        ),
        (Why.CONVERGED, plan.on_convergence and tuning.converged is not None),
        (Why.TIME, plan.deadline is not None and now >= plan.deadline),
        (Why.DONE, _all_done(plan, tuning)),
    )
    return next((why for why, holds in reasons if holds), None)


def _wind_up(plan: Plan, tuning: Tuning, why: Why) -> Action | None:
    """Stop what runs, then end."""
    running = tuning.running
    if running:
        to_stop = next((trial for trial in running if not trial.stopping), None)
        return None if to_stop is None else StopTrial(to_stop)
    if why is Why.STOPPED:
        return Finish(Status.STOPPED)
    if not tuning.evaluated and why is not Why.TIME:
        return Finish(Status.FAILED, _NO_SUCCESS.format(len(_attempts(plan, tuning))))
    return Finish(Status.COMPLETED)


def _all_done(plan: Plan, tuning: Tuning) -> bool:
    return not tuning.running and tuning.settings >= plan.most_jobs and _to_try_again(plan, tuning) is None


def _to_try_again(plan: Plan, tuning: Tuning) -> Trial | None:
    """A lost trial whose setting has a try left and is not being tried."""
    replaced = {trial.replaces for trial in tuning.trials}
    lost = [trial for trial in tuning.trials if trial.fate is Fate.LOST and trial.number not in replaced]
    return next((trial for trial in lost if _tries(tuning, trial) <= plan.retries), None)


def _tries(tuning: Tuning, trial: Trial) -> int:
    return sum(other.setting == trial.setting for other in tuning.trials)


def _attempts(plan: Plan, tuning: Tuning) -> list[Trial]:
    """The trials that ended for good: lost ones that are tried again are none."""
    replaced = {trial.replaces for trial in tuning.trials}
    return [
        trial
        for trial in tuning.trials
        if not trial.running
        and (
            trial.fate is not Fate.LOST
            or (trial.number not in replaced and _tries(tuning, trial) > plan.retries)
        )
    ]


def _values(tuning: Tuning) -> list[float]:
    return [trial.value for trial in tuning.evaluated if trial.value is not None]
