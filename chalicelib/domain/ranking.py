"""Candidates for a run's model, best first: the training jobs of a tuning, or the learners that `auto` tried."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from chalicelib.domain.prices import cost

COMPLETED = "Completed"


@dataclass(frozen=True, slots=True)
class Candidate:
    """One training job: its own hyperparameters, what it told of the validation rows, and how it ended.

    `value` is the metric that decides; `status` and `reason` are SageMaker's; `seconds` is what is paid for.
    """

    job: str
    learner: str
    hyperparameters: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    value: float | None = None
    status: str = COMPLETED
    reason: str | None = None
    seconds: float | None = None
    artifact: str | None = None

    @property
    def usable(self) -> bool:
        """Whether it left a model that can be compared."""
        return self.status == COMPLETED and self.value is not None

    def judged_by(self, metric: str) -> Candidate:
        """The same with its value of the metric that decides."""
        return self if self.value is not None else replace(self, value=self.metrics.get(metric))


def ranked(found: Iterable[Candidate], *, lower: bool) -> list[Candidate]:
    """Best first, those that cannot be compared last; of equals, the one that was quicker, then by name."""

    def order(one: Candidate) -> tuple[bool, float, float, str]:
        value = one.value if one.usable and one.value is not None else 0.0
        return not one.usable, value if lower else -value, one.seconds or 0.0, one.job

    return sorted(found, key=order)


def table(found: list[Candidate], metric: str, instance_type: str, left_out: list[str]) -> dict[str, Any]:
    """candidates.json: what was tried, best first, each with its estimated cost; and what the budget left out."""
    rows = [
        {"rank": place, **asdict(one), "usd": cost(instance_type, one.seconds)}
        for place, one in enumerate(found, start=1)
    ]
    return {"metric": metric, "instance": instance_type, "candidates": rows, "left_out": left_out}


def seconds(found: Iterable[Candidate]) -> float:
    """What is paid for in all."""
    return round(sum(one.seconds or 0.0 for one in found), 3)


def why_none(found: list[Candidate]) -> str:
    """In words: none of the candidates can go on, and why, each reason once."""
    if not found:
        return "no training job was started"
    reasons: dict[str, list[str]] = {}
    for one in found:
        words = one.reason or ("told no value of the metric" if one.status == COMPLETED else one.status)
        reasons.setdefault(words, []).append(f"{one.learner} ({one.job})")
    told = [
        f"{names[0]}{f' and {len(names) - 1} more' if names[1:] else ''}: {words}"
        for words, names in reasons.items()
    ]
    return f"all {len(found)} failed; " + "; ".join(told[:3])
