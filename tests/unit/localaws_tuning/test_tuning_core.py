"""What a tuning does next, with training jobs that are only simulated: any endings, in any order, with any restarts."""

import dataclasses
import json
import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.localaws.sagemaker.tuning import core, judgement, records
from penstock.localaws.sagemaker.tuning.core import Action, Ending, Finish, Launch, StopTrial
from penstock.localaws.sagemaker.tuning.state import Fate, Hyperband, Plan, Status, Trial, Tuning

FATES = st.sampled_from([Fate.COMPLETED] * 5 + [Fate.FAILED, Fate.LOST, Fate.STOPPED])
ENDINGS = st.tuples(FATES, st.none() | st.floats(-10, 10))
PLANS = st.builds(
    Plan,
    maximize=st.booleans(),
    most_jobs=st.integers(1, 12),
    most_parallel=st.integers(1, 5),
    deadline=st.none() | st.floats(0, 60),
    target=st.none() | st.floats(-10, 10),
    patience=st.none() | st.integers(3, 6),
    on_convergence=st.booleans(),
    early_stopping=st.booleans(),
    hyperband=st.none() | st.builds(Hyperband, st.integers(1, 2), st.integers(3, 9)),
    retries=st.integers(0, 3),
)


def reread(tuning: Tuning) -> Tuning:
    """The tuning as a restarted server finds it."""
    kept = json.loads(json.dumps(dataclasses.asdict(tuning)))
    trials = tuple(records.trial(one) for one in kept["trials"])
    return Tuning(**{**kept, "status": Status(kept["status"]), "trials": trials})


class Machine:
    """Runs a tuning: training jobs report an epoch a tick and end at random ticks, as the dice have it."""

    def __init__(self, plan: Plan, endings: list[tuple[Fate, float | None]], seed: int, stop_at: int) -> None:
        self.plan, self.endings, self.stop_at = plan, endings, stop_at
        self.dice = random.Random(seed)
        self.tuning = core.create(0.0)
        self.curves: dict[int, list[float]] = {}
        self.at = 0.0
        self.launches: list[str] = []
        self.most_at_once = 0

    def run(self, restarts: bool = False) -> Tuning:
        for tick in range(2000):
            self.act(restarts)
            if self.tuning.over:
                return self.tuning
            self.tick(tick)
        raise AssertionError("it does not end")

    def act(self, restarts: bool) -> None:
        for action in self.actions():
            if isinstance(action, Finish):
                self.tuning = core.finished(self.tuning, action, self.at)
            elif isinstance(action, StopTrial):
                self.tuning = core.stopping(self.tuning, action.trial.number)
            else:
                self.launch(action)
            if restarts:
                again = reread(self.tuning)
                assert again == self.tuning
                self.tuning = again
            self.most_at_once = max(self.most_at_once, len(self.tuning.running))

    def actions(self) -> Iterator[Action]:
        while (action := core.next_action(self.plan, self.tuning, self.curves, self.at)) is not None:
            yield action

    def launch(self, action: Launch) -> None:
        number = len(self.tuning.trials) + 1
        setting = self.tuning.settings if action.again is None else action.again.setting
        values = {"x": str(setting)}
        replaces = None if action.again is None else action.again.number
        trial = Trial(number, setting, f"job-{number}", values, self.at, replaces=replaces)
        self.launches.append(trial.name)
        self.tuning = core.launched(self.tuning, trial)

    def tick(self, tick: int) -> None:
        self.at += 1
        if tick == self.stop_at:
            self.tuning = core.stop_requested(self.tuning, self.at)
        for trial in self.tuning.running:
            fate, value = self.endings[trial.number % len(self.endings)]
            if value is not None:
                self.curves.setdefault(trial.number, []).append(value + 1 / (tick + 1))
            if trial.stopping or self.dice.random() < 0.3:
                ending = Ending(
                    self.at, Fate.STOPPED if trial.stopping else fate, value, trial.created, self.at
                )
                self.tuning = core.ended(self.plan, self.tuning, trial.number, ending)


@settings(max_examples=150, deadline=None)
@given(
    plan=PLANS,
    endings=st.lists(ENDINGS, min_size=1, max_size=8),
    seed=st.integers(0, 999),
    stop_at=st.integers(0, 60),
)
def test_a_tuning_keeps_its_limits_ends_and_does_not_mind_restarts(
    plan: Plan, endings: list[tuple[Fate, float | None]], seed: int, stop_at: int
) -> None:
    machine = Machine(plan, endings, seed, stop_at)
    over = machine.run()
    assert machine.most_at_once <= plan.most_parallel
    assert over.settings <= plan.most_jobs
    assert len(set(machine.launches)) == len(machine.launches) == len(over.trials)
    assert not over.running
    for setting in range(over.settings):
        tries = [trial for trial in over.trials if trial.setting == setting]
        assert len(tries) <= 1 + plan.retries
        assert all(trial.fate is Fate.LOST for trial in tries[:-1])
    _check_counters(over)
    _check_best(plan, over)
    assert Machine(plan, endings, seed, stop_at).run(restarts=True) == over


def _check_counters(over: Tuning) -> None:
    counted = records.counters(over)
    for counters in counted.values():
        assert sum(counters.values()) == len(over.trials)
    assert counted["TrainingJobStatusCounters"]["InProgress"] == 0
    assert counted["ObjectiveStatusCounters"]["Succeeded"] == len(over.evaluated)


def _check_best(plan: Plan, over: Tuning) -> None:
    best = judgement.best(plan.maximize, over.evaluated)
    values = [trial.value for trial in over.evaluated if trial.value is not None]
    assert (best is None) == (not values)
    if best is not None:
        assert best.value == (max if plan.maximize else min)(values)
    if over.status is Status.FAILED:
        assert best is None


def simulate(plan: Plan, endings: list[tuple[Fate, float | None]], stop_at: int = -1) -> Tuning:
    return Machine(plan, endings, 1, stop_at).run()


def test_five_training_jobs_without_success_fail_the_tuning() -> None:
    over = simulate(Plan(maximize=False, most_jobs=20, most_parallel=1), [(Fate.FAILED, None)])
    assert (over.status, len(over.trials)) == (Status.FAILED, 5)
    assert (over.failure or "").startswith(
        "No training job succeeded after 5 attempts. For additional details,"
    )


def test_fewer_training_jobs_than_five_without_success_fail_it_too() -> None:
    over = simulate(Plan(maximize=False, most_jobs=2, most_parallel=2), [(Fate.COMPLETED, None)])
    assert (over.status, len(over.trials)) == (Status.FAILED, 2)


def test_one_success_keeps_a_tuning_going_to_its_end() -> None:
    endings = [(Fate.FAILED, None)] * 3 + [(Fate.COMPLETED, 1.0)]
    over = simulate(Plan(maximize=False, most_jobs=12, most_parallel=1), endings)
    assert (over.status, len(over.trials), len(over.evaluated)) == (Status.COMPLETED, 12, 3)


def test_a_lost_training_job_is_tried_again_with_its_setting_and_does_not_count() -> None:
    over = simulate(
        Plan(maximize=False, most_jobs=3, most_parallel=1), [(Fate.COMPLETED, 1.0), (Fate.LOST, None)]
    )
    assert over.status is Status.COMPLETED
    assert over.settings == 3
    assert [trial.setting for trial in over.trials] == [0, 0, 1, 1, 2] + [2] * (len(over.trials) - 5)
    assert {trial.replaces for trial in over.trials if trial.replaces} == {
        trial.number for trial in over.trials if trial.fate is Fate.LOST
    }


def test_a_training_job_that_was_asked_to_end_is_not_tried_again_when_it_is_lost() -> None:
    plan = Plan(maximize=False, most_jobs=1, most_parallel=1)
    tuning = core.stopping(core.launched(core.create(0.0), Trial(1, 0, "job-1", {}, 0.0)), 1)
    tuning = core.ended(plan, tuning, 1, Ending(1.0, Fate.LOST, None))
    assert tuning.trials[0].fate is Fate.STOPPED
    assert isinstance(core.next_action(plan, tuning, {}, 1.0), Finish)


def test_a_setting_lost_too_often_is_given_up() -> None:
    over = simulate(Plan(maximize=False, most_jobs=2, most_parallel=1, retries=2), [(Fate.LOST, None)])
    assert (over.status, len(over.trials)) == (Status.FAILED, 6)


def test_a_stop_waits_for_the_training_jobs() -> None:
    tuning = core.launched(core.create(0.0), Trial(1, 0, "job-1", {}, 0.0))
    plan = Plan(maximize=False, most_jobs=3, most_parallel=1)
    tuning = core.stop_requested(tuning, 1.0)
    assert tuning.status is Status.STOPPING
    assert core.next_action(plan, tuning, {}, 1.0) == StopTrial(tuning.trials[0])
    tuning = core.stopping(tuning, 1)
    assert core.next_action(plan, tuning, {}, 2.0) is None
    tuning = core.ended(plan, tuning, 1, Ending(3.0, Fate.STOPPED, 0.5))
    assert core.next_action(plan, tuning, {}, 3.0) == Finish(Status.STOPPED)
    assert tuning.evaluated[0].value == 0.5


def test_the_end_of_the_time_stops_what_runs_and_completes() -> None:
    plan = Plan(maximize=False, most_jobs=3, most_parallel=1, deadline=10.0)
    tuning = core.launched(core.create(0.0), Trial(1, 0, "job-1", {}, 0.0))
    assert core.next_action(plan, tuning, {}, 9.9) is None
    assert core.next_action(plan, tuning, {}, 10.0) == StopTrial(tuning.trials[0])
    tuning = core.ended(plan, core.stopping(tuning, 1), 1, Ending(11.0, Fate.STOPPED, 0.5))
    assert core.next_action(plan, tuning, {}, 11.0) == Finish(Status.COMPLETED)


def test_a_target_that_is_reached_completes() -> None:
    over = simulate(Plan(maximize=True, most_jobs=9, most_parallel=1, target=0.9), [(Fate.COMPLETED, 0.9)])
    assert (over.status, len(over.trials)) == (Status.COMPLETED, 1)


def test_training_jobs_that_do_not_improve_by_one_percent_complete() -> None:
    over = simulate(
        Plan(maximize=True, most_jobs=50, most_parallel=1, patience=3),
        [(Fate.COMPLETED, 1.0), (Fate.COMPLETED, 1.005)],
    )
    assert (over.status, len(over.trials)) == (Status.COMPLETED, 4)


@pytest.mark.parametrize(("asked", "launched"), [(True, 20), (False, 40)])
def test_convergence_is_noted_and_completes_only_when_asked(asked: bool, launched: int) -> None:
    over = simulate(
        Plan(maximize=True, most_jobs=40, most_parallel=1, on_convergence=asked), [(Fate.COMPLETED, 1.0)]
    )
    assert over.converged is not None
    assert len(over.trials) == launched


def test_a_number_that_is_none_is_no_objective() -> None:
    tuning = core.launched(core.create(0.0), Trial(1, 0, "job-1", {}, 0.0))
    plan = Plan(maximize=False, most_jobs=3, most_parallel=1)
    tuning = core.ended(plan, tuning, 1, Ending(1.0, Fate.COMPLETED, float("nan")))
    assert tuning.evaluated == ()
    assert core.ended(plan, tuning, 1, Ending(2.0, Fate.COMPLETED, 1.0)) == tuning
