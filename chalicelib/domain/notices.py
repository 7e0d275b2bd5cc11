"""What people are told of a run: one message a stage, as each ends."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.run import project_of

ALL, ENDS, NONE = "all", "ends", "none"
"""A project's `notices`: one for each stage, one for each run, or none."""
PREPARE, TRAIN, EVALUATE, GATE, REGISTER, RELEASE = (
    "prepare", "train", "evaluate", "gate", "register", "release",
)  # fmt: skip
_RUN = r"(?P<run>[a-z][a-z0-9-]*)"
_LEFT = {
    PREPARE: rf"runs/{_RUN}/prepare\.json",
    EVALUATE: rf"runs/{_RUN}/evaluate/scorecard\.json",
    TRAIN: rf"models/[^/]+/penstock-%s-{_RUN}-\d+-train/output/model\.tar\.gz",
}
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Notice:
    """One stage of one run has ended: how, in a word, what there is to say of it in lines, and where to look."""

    project: str
    run: str
    stage: str
    outcome: str
    lines: Sequence[str]
    link: str | None = None

    @property
    def subject(self) -> str:
        """One line, as in a mail."""
        return f"Penstock: {self.run} {self.stage} {self.outcome}"

    @property
    def text(self) -> str:
        """What a person reads."""
        told = [*self.lines, f"Project {self.project}, run {self.run}"]
        told += [f"Look at: {self.link}"] if self.link else []
        return "\n".join([*told, f"How the run goes on: penstock watch {self.run}"])

    @property
    def attributes(self) -> dict[str, str]:
        """What a subscription may filter by."""
        return {"project": self.project, "run": self.run, "stage": self.stage, "outcome": self.outcome}


def of_document(
    document: Mapping[str, Any], stage: str, outcome: str, *lines: str, link: str | None = None
) -> Notice:
    """The notice of a stage that is given the run document."""
    return Notice(document["project"], document["run"], stage, outcome, lines, link)


def left_by(key: str, place: str) -> tuple[str, str] | None:
    """(stage, run) of an object that a job leaves last, or None; `place` is the product's stage in names of jobs."""
    for stage, pattern in _LEFT.items():
        found = re.fullmatch(pattern % re.escape(place) if stage == TRAIN else pattern, key)
        if found and project_of(found["run"]):
            return stage, found["run"]
    return None


def wanted(spec: Mapping[str, Any] | None, of: str) -> bool:
    """Whether a project's people want notices of this kind: ALL (each stage's) or ENDS (each run's)."""
    return (spec or {}).get("notices", ALL) in {ALL, of}


def of_prepare(project: str, run: str, prepared: Mapping[str, Any]) -> Notice:
    """From prepare.json: verdicts of objects, rows by side, the reason if it refused."""
    verdicts: dict[str, int] = {}
    for one in prepared.get("objects", ()):
        verdicts[one["verdict"]] = verdicts.get(one["verdict"], 0) + 1
    lines = [str(prepared["reason"])] if prepared.get("reason") else []
    lines += [f"Objects: {_counted(verdicts)}", f"Rows: {_counted(prepared.get('rows') or {})}"]
    link = prepared.get("report_uri") or prepared.get("quarantine_uri")
    return Notice(project, run, PREPARE, str(prepared["outcome"]), lines, link)


def of_train(project: str, run: str, uri: str, size: int, rows: Mapping[str, int]) -> Notice:
    """From the model's archive, and the rows it was fitted on."""
    learned = {side: rows[side] for side in ("train", "validation") if rows.get(side)}
    lines = [f"A model of {size} bytes", f"Rows: {_counted(learned)}"]
    return Notice(project, run, TRAIN, "trained", lines, uri)


def of_evaluate(project: str, run: str, scorecard: Mapping[str, Any], report_uri: str) -> Notice:
    """From scorecard.json: the first of its metrics, and on how many rows."""
    numbers = [
        (name, value) for name, value in scorecard["metrics"].items() if isinstance(value, (int, float))
    ]
    lines = [f"{name}: {value:.4g}" for name, value in numbers[:_SHOWN]]
    if scorecard.get("rows") is not None:
        lines.append(f"Rows: {_rows(scorecard['rows'])}")
    return Notice(project, run, EVALUATE, "judged", lines, report_uri)


def _rows(rows: Any) -> str:
    return _counted(rows) if isinstance(rows, Mapping) else str(rows)


def _counted(counts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count) or "none"
