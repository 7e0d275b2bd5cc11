"""What a tuning knows of itself: its plan, which never changes, and its trials, one a training job. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

Curves = Mapping[int, Sequence[float]]  # trial's number → its objective, epoch by epoch, as far as it got


class Status(StrEnum):
    """HyperParameterTuningJobStatus."""

    IN_PROGRESS = "InProgress"
    STOPPING = "Stopping"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPED = "Stopped"


OVER = frozenset({Status.COMPLETED, Status.FAILED, Status.STOPPED})


class Fate(StrEnum):
    """What became of a training job."""

    RUNNING = "running"
    COMPLETED = "completed"
    STOPPED = "stopped"
    FAILED = "failed"  # a client's or the algorithm's fault: NonRetryableError
    LOST = "lost"  # an internal error: RetryableError, the setting is tried again


class Why(StrEnum):
    """Why a tuning launches no more."""

    STOPPED = "somebody stopped it"
    HOPELESS = "no training job succeeded"
    TARGET = "the target is reached"
    NOT_IMPROVING = "the best has not improved"
    CONVERGED = "it has converged"
    TIME = "its time is over"
    DONE = "every training job has ended"


@dataclass(frozen=True)
class Hyperband:
    """MinResource and MaxResource, in epochs: how often a training job may report its objective."""

    least: int
    most: int


@dataclass(frozen=True)
class Plan:
    """What a tuning was asked for. `deadline` in epoch seconds; `retries` of one setting after internal errors."""

    maximize: bool
    most_jobs: int
    most_parallel: int
    deadline: float | None = None
    target: float | None = None
    patience: int | None = None
    on_convergence: bool = False
    early_stopping: bool = False
    hyperband: Hyperband | None = None
    retries: int = 5


@dataclass(frozen=True)
class Trial:
    """One training job. `number` counts from 1; `replaces` is the number of a lost one whose setting it tries again.

    `setting` counts the settings from 0: a replacement has that of what it replaces. `value` is the objective, None
    while there is none. Times are epoch seconds.
    """

    number: int
    setting: int
    name: str
    values: Mapping[str, str]
    created: float
    definition: int = 0
    replaces: int | None = None
    stopping: bool = False
    fate: Fate = Fate.RUNNING
    value: float | None = None
    started: float | None = None
    ended: float | None = None
    failure: str | None = None

    @property
    def running(self) -> bool:
        """Whether its training job has not ended."""
        return self.fate is Fate.RUNNING


@dataclass(frozen=True)
class Tuning:
    """A tuning job. `trials` by number. `converged` is when convergence was seen. Times are epoch seconds."""

    status: Status
    created: float
    modified: float
    trials: tuple[Trial, ...] = ()
    ended: float | None = None
    failure: str | None = None
    converged: float | None = None

    @property
    def over(self) -> bool:
        """Whether nothing happens to it any more."""
        return self.status in OVER

    @property
    def running(self) -> tuple[Trial, ...]:
        """The trials that have not ended."""
        return tuple(trial for trial in self.trials if trial.running)

    @property
    def evaluated(self) -> tuple[Trial, ...]:
        """The trials that ended with an objective, in the order they ended."""
        found = [trial for trial in self.trials if not trial.running and trial.value is not None]
        return tuple(sorted(found, key=lambda trial: (trial.ended or 0.0, trial.number)))

    @property
    def settings(self) -> int:
        """How many settings were launched; replacements do not count."""
        return sum(trial.replaces is None for trial in self.trials)
