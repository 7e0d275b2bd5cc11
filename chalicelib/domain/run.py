"""A run: its name, the names and places derived from it, and what its end means in words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

MAX_ATTEMPTS = 3
"""Times the same run may be started again after its execution died."""
RUNNING, SUCCEEDED, REFUSED, FAILED, NOTHING = "RUNNING", "SUCCEEDED", "REFUSED", "FAILED", "NOTHING"
STATES = {"succeeded": SUCCEEDED, "refused": REFUSED, "failed": FAILED, "nothing": NOTHING}
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_RUN = re.compile(r"^(?P<project>[a-z][a-z0-9-]{1,23})-(?P<number>\d{4,})-[0-9a-z]+$")
_REASON_LIMIT = 1000


def new_run(project: str, number: int, now: datetime) -> str:
    """A run's name, e.g. churn-0007-t4k2p9: unique by its number, readable by its project, dated by its end."""
    seconds, letters = int(now.timestamp()), ""
    while seconds:
        seconds, digit = divmod(seconds, 36)
        letters = _DIGITS[digit] + letters
    return f"{project}-{number:04d}-{letters or '0'}"


def project_of(run: str) -> str | None:
    """The project in a run's name, or None when it is no run's name."""
    match = _RUN.match(run)
    return match["project"] if match else None


def number_of(run: str) -> int:
    """The number in a run's name: of two runs of a project, the later has the larger. 0 when it is no run's name."""
    match = _RUN.match(run)
    return int(match["number"]) if match else 0


def execution_name(run: str, attempt: int) -> str:
    """The state machine's execution: one a run and attempt, so that starting twice starts once."""
    return f"{run}-{attempt}"


@dataclass(frozen=True, slots=True)
class Lease:
    """Who holds a project. `number` counts up with every take and resume; a dataset version is made of it."""

    project: str
    run: str
    attempt: int
    number: int
    taken_at: str

    @property
    def execution(self) -> str:
        """The name of the execution this lease was taken for."""
        return execution_name(self.run, self.attempt)

    def document(self) -> dict[str, Any]:
        """What the execution is started with."""
        return {"project": self.project, "run": self.run, "attempt": self.attempt}


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What is kept of a run; `summary` holds gate, metrics, model and endpoint in short."""

    project: str
    run: str
    attempt: int
    state: str
    started_at: str
    ended_at: str | None = None
    reason: str | None = None
    error: str | None = None
    noticed: bool = False
    summary: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether the run has come to its end."""
        return self.state != RUNNING

    def row(self, rows: Mapping[str, int] | None) -> dict[str, Any]:
        """The run as a row of the catalog's table of runs; `rows` are Prepare's counts by side, if it counted.

        Times are UTC to the millisecond, as SQL reads them; `seconds` is from start to end.
        """
        ended = self.ended_at or self.started_at
        began, over = datetime.fromisoformat(self.started_at), datetime.fromisoformat(ended)
        kept = ("objects", "learner", "metric", "value", "failed_state", "model_package_arn", "endpoint")
        return {
            "project": self.project,
            "run": self.run,
            "attempt": self.attempt,
            "version": self.summary.get("dataset_version"),
            "state": self.state,
            "started_at": _sql_time(began),
            "ended_at": _sql_time(over),
            "seconds": round((over - began).total_seconds(), 3),
            "reason": self.reason,
            "error": self.error,
            "rows": dict(rows) if rows else None,
            **{name: self.summary.get(name) for name in kept},
        }


def _sql_time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The whole run document at a run's end, `error` among it when a state failed."""

    project: str
    run: str
    attempt: int
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended, in one word and one sentence; `error` is the name that alarms and logs go by."""

    word: str
    reason: str
    error: str | None = None


def outcome(document: Mapping[str, Any], prepared: Mapping[str, Any] | None) -> Outcome:
    """Judge a run by its document and by what Prepare wrote (None if it wrote nothing)."""
    error = document.get("error")
    if error:
        return _failed(error, prepared)
    gate = document.get("gate") or {}
    if gate.get("passed") is False:
        return Outcome("refused", f"The gate refused the model: {gate['reason']}")
    release = document.get("release") or {}
    if release.get("status") == "released":
        return Outcome(
            "succeeded", f"Released to {release['endpoint']}: {gate.get('reason', 'the gate passed')}"
        )
    if document.get("register"):
        package = document["register"]["package_arn"]
        return Outcome(
            "succeeded", f"Model {package} waits for a person's approval: {gate.get('reason', '')}"
        )
    return Outcome(
        "failed", "The run ended before a model was judged. Look at the execution's history.", "Unfinished"
    )


def _failed(error: Mapping[str, Any], prepared: Mapping[str, Any] | None) -> Outcome:
    name, state = str(error.get("Error", "Unknown")), str(error.get("state", "?"))
    words = cause_in_words(str(error.get("Cause", "")))
    if name == "NothingWaiting":
        return Outcome("nothing", words)
    if prepared and prepared.get("outcome") == "refused":
        return Outcome("refused", f"Prepare refused the data: {prepared.get('reason')}", "BadUpload")
    if name == "BadUpload" or (state == "Prepare" and "BadUpload:" in words):
        return Outcome(
            "refused", f"Prepare refused the data: {words.split('BadUpload:', 1)[-1].strip()}", "BadUpload"
        )
    return Outcome("failed", f"{state} failed with {name}: {words}"[:_REASON_LIMIT], name)


def cause_in_words(cause: str) -> str:
    """The sentence inside a state's Cause: Lambda, Glue and SageMaker each wrap theirs in a different JSON."""
    try:
        document = json.loads(cause)
    except ValueError:
        return cause or "no cause was given"
    if isinstance(document, Mapping):
        for name in ("errorMessage", "FailureReason", "ErrorMessage", "ExitMessage", "StatusReason"):
            if document.get(name):
                return str(document[name])
    return cause
