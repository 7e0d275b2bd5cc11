"""Carries out a tuning: one thread a tuning does what `core.next_action` says and tells it what became of that.

What a tuning becomes is kept before anything follows from it. A trial is kept before its training job is created, under
a name that depends on nothing but the tuning and the trial's number: whatever a crash interrupts is found again.
"""

import dataclasses
import logging
import queue
import threading
from collections.abc import Callable

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker.jobs import training
from penstock.localaws.sagemaker.jobs.lifecycle import INTERNAL_ERROR
from penstock.localaws.sagemaker.jobs.operations import TRAINING
from penstock.localaws.sagemaker.jobs.runner import Runner
from penstock.localaws.sagemaker.plane import Plane
from penstock.localaws.sagemaker.tuning import children, core, records, requested, search, space, views, warm
from penstock.localaws.sagemaker.tuning.core import Ending, Finish, Launch, StopTrial
from penstock.localaws.sagemaker.tuning.records import Header
from penstock.localaws.sagemaker.tuning.state import Curves, Fate, Status, Trial, Tuning

log = logging.getLogger("penstock.localaws.sagemaker")

_LOOK_SECONDS = 0.2  # how often a tuning that stops training jobs early looks at their metrics
_LONGEST_WAIT = 3600.0
_THREAD_SECONDS = 10.0  # a training job just being created when everything stops
_HEARS_WITHIN_SECONDS = 30.0
_EVENT = "SageMaker HyperParameter Tuning Job State Change"
_STOP = 0  # in the inbox: somebody wants the tuning stopped; other numbers are trials that have ended


class Conductor:
    """One tuning under way. `done` is called when it is over or put aside."""

    def __init__(self, plane: Plane, header: Header, tuning: Tuning, done: Callable[[str], None]) -> None:
        self._plane = plane
        self._header = header
        self._tuning = tuning
        self._done = done
        self._plan = requested.plan(header.request, tuning.created)
        self._definitions = requested.definitions(header.request)
        self._prior = warm.tried(records.prior(plane.store, header.name))
        self._curves: dict[int, list[float]] = {}
        self._inbox: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._heard = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"tuning-{header.name}", daemon=True)

    def start(self) -> None:
        """Begin, or go on."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the tuning to end; it is Stopping when this returns, unless it has ended meanwhile."""
        self._post(_STOP)
        self._heard.wait(_HEARS_WITHIN_SECONDS)

    def close(self) -> None:
        """Put the tuning aside: it goes on when the server starts again."""
        self._closing = True
        self._plane.clock.wake()

    def join(self, seconds: float) -> None:
        """Wait until its thread has ended."""
        self._thread.join(seconds)

    def _post(self, what: int) -> None:
        self._inbox.put(what)
        self._plane.clock.wake()

    def _run(self) -> None:
        try:
            self._conduct()
        except Exception:
            if not self._closing:
                log.exception("tuning %s failed for a reason of ours", self._header.name)
                self._keep(
                    core.finished(
                        self._tuning, Finish(Status.FAILED, INTERNAL_ERROR), self._plane.clock.now()
                    )
                )
        finally:
            self._done(self._header.name)

    def _conduct(self) -> None:
        for trial in self._tuning.running:
            self._start(trial)
        while not self._closing:
            self._hear()
            action = core.next_action(self._plan, self._tuning, self._look(), self._plane.clock.now())
            if isinstance(action, Finish):
                self._finish(action)
                return
            if isinstance(action, Launch):
                self._launch(action.again)
            elif isinstance(action, StopTrial):
                self._stop(action.trial)
            else:
                self._plane.clock.wait(self._patience(), lambda: self._closing or not self._inbox.empty())

    def _patience(self) -> float:
        if self._watches and self._tuning.running:
            return _LOOK_SECONDS
        left = (self._plan.deadline or float("inf")) - self._plane.clock.now()
        return min(max(left, 0.0), _LONGEST_WAIT)

    @property
    def _watches(self) -> bool:
        return self._plan.early_stopping or self._plan.hyperband is not None

    def _hear(self) -> None:
        """Take in what has happened."""
        while not self._inbox.empty():
            number = self._inbox.get()
            if number == _STOP:
                self._keep(core.stop_requested(self._tuning, self._plane.clock.now()))
                self._heard.set()
            else:
                self._take_in(self._tuning.trials[number - 1])

    def _take_in(self, trial: Trial) -> None:
        record, now = children.stored(self._plane, trial.name), self._plane.clock.now()
        if record is None:
            ending = Ending(now, Fate.FAILED, failure="ClientError: the training job was deleted.")
        elif record.job.over:
            ending = children.ending(record, self._definitions[trial.definition].metric, now)
        else:
            return  # the server is being stopped
        self._curves.pop(trial.number, None)  # it may have reported more since the last look
        self._keep(core.ended(self._plan, self._tuning, trial.number, ending))

    def _look(self) -> Curves:
        """What the training jobs have reported so far, when that matters."""
        if not self._watches:
            return {}
        for trial in self._tuning.trials:
            if trial.running or trial.number not in self._curves:
                metric = self._definitions[trial.definition].metric
                self._curves[trial.number] = children.curve(self._plane, trial.name, metric)
        return self._curves

    def _launch(self, again: Trial | None) -> None:
        setting = self._tuning.settings if again is None else again.setting
        definition, index = self._place(setting)
        values = self._propose(definition, index) if again is None else again.values
        number = len(self._tuning.trials) + 1
        trial = Trial(
            number,
            setting,
            children.name(self._header.name, self._tuning.created, number),
            values,
            self._plane.clock.now(),
            definition,
            None if again is None else again.number,
        )
        self._keep(core.launched(self._tuning, trial))
        self._start(trial)

    def _place(self, setting: int) -> tuple[int, int]:
        """Which definition a setting belongs to, and which of that definition's settings it is."""
        config = self._header.request["HyperParameterTuningJobConfig"]
        if config["Strategy"] != "Grid":
            index, definition = divmod(setting, len(self._definitions))
            return definition, index
        for definition, one in enumerate(self._definitions):
            size = int(space.combinations(one.space))
            if setting < size:
                return definition, setting
            setting -= size
        raise AssertionError("a grid has no more settings than its plan says")

    def _propose(self, definition: int, index: int) -> space.Values:
        config = self._header.request["HyperParameterTuningJobConfig"]
        how = search.Search(
            config["Strategy"],
            self._definitions[definition].space,
            self._plan.maximize,
            f"{self._header.seed}/{definition}",
        )
        tried = [
            search.Tried(dict(trial.values), trial.value, trial.running)
            for trial in self._tuning.trials
            if trial.definition == definition
        ]
        return search.propose(how, index, tried, self._prior)

    def _start(self, trial: Trial) -> None:
        """Create the trial's training job unless there is one already, and wait for its end."""
        definition = self._definitions[trial.definition]
        request = children.request(definition, trial.name, trial.values, self._header.arn)
        if "Tags" in self._header.request:
            request["Tags"] = self._header.request["Tags"]
        try:
            if children.stored(self._plane, trial.name) is None:
                TRAINING.create(self._plane, request)
        except ServiceError as refused:
            reason = f"ClientError: {refused.message}"
            now = self._plane.clock.now()
            self._keep(
                core.ended(self._plan, self._tuning, trial.number, Ending(now, Fate.FAILED, failure=reason))
            )
        else:
            threading.Thread(
                target=self._watch, args=(trial,), name=f"watch-{trial.name}", daemon=True
            ).start()

    def _watch(self, trial: Trial) -> None:
        self._plane.part(Runner).wait(training.KIND, trial.name, None)
        self._post(trial.number)

    def _stop(self, trial: Trial) -> None:
        self._keep(core.stopping(self._tuning, trial.number))
        self._plane.part(Runner).stop(training.KIND, trial.name)  # one that ends just now needs no stop

    def _finish(self, finish: Finish) -> None:
        if finish.failure is not None:
            reason = children.explained(finish.failure, self._tuning, self._definitions)
            finish = dataclasses.replace(finish, failure=reason)
        self._keep(core.finished(self._tuning, finish, self._plane.clock.now()))

    def _keep(self, after: Tuning) -> None:
        """Store what the tuning has become, then announce a new status."""
        before, self._tuning = self._tuning, after
        records.write(self._plane.store, self._header, before, after)
        if before.status is not after.status:
            announce(self._plane, self._header, after)


def announce(plane: Plane, header: Header, tuning: Tuning) -> None:
    """Tell EventBridge how the tuning stands."""
    plane.events.put(_EVENT, views.describe(plane, header, tuning), [header.arn])


class Tunings:
    """All tunings under way on a plane."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self._changed = threading.Condition()
        self._live: dict[str, Conductor] = {}
        self._put_aside: list[Conductor] = []
        self._closing = False

    def begin(self, header: Header, tuning: Tuning) -> None:
        """Carry out a tuning that has just been stored, or was left by a server that is gone."""
        conductor = Conductor(self._plane, header, tuning, self._forget)
        with self._changed:
            self._live[records.key(header.name)] = conductor
        conductor.start()

    def stop(self, name: str) -> bool:
        """Ask a tuning to end; False when it is not under way."""
        with self._changed:
            conductor = self._live.get(records.key(name))
        if conductor is None:
            return False
        conductor.stop()
        return True

    def wait(self, name: str, stop: threading.Event | None) -> None:
        """Block until the tuning is not under way any more, or `stop` is set."""
        with self._changed:
            while records.key(name) in self._live and not self._closing and not (stop and stop.is_set()):
                self._changed.wait(1.0 if stop is None else 0.1)

    def recover(self) -> None:
        """Go on with what an earlier server left."""
        for name in records.unfinished(self._plane):
            kept = records.read(self._plane.store, name)
            if kept is not None and records.key(name) not in self._live:
                self.begin(*kept)

    def close(self) -> None:
        """Put every tuning aside; their training jobs end with the plane."""
        with self._changed:
            self._closing = True
            self._put_aside = list(self._live.values())
            self._changed.notify_all()
        for conductor in self._put_aside:
            conductor.close()
        self.join()

    def join(self) -> None:
        """After `close`: wait until none does anything any more."""
        for conductor in self._put_aside:
            conductor.join(_THREAD_SECONDS)

    def _forget(self, name: str) -> None:
        with self._changed:
            self._live.pop(records.key(name), None)
            self._changed.notify_all()
