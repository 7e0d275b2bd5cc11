"""An erasure: which keys are asked for, without saying them, how far it is, and the receipt at its end."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from chalicelib.domain.ledger import MAX_TRIES
from chalicelib.domain.model_version import Champion
from chalicelib.domain.run import RunRecord
from chalicelib.errors import Fault

WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"
MOST_KEYS = 1000
LONGEST_KEY = 1024
"""Bytes of one part of a key."""
_LEARNT = ("train", "validation")
_MOST_NAMED = 20
_SEPARATOR = "\x1f"


@dataclass(frozen=True, slots=True)
class Erasure:
    """What is kept of an erasure. `digests` say of which keys it is, to who knows the keys: see `digest`."""

    project: str
    id: str
    columns: tuple[str, ...]
    digests: tuple[str, ...]
    dry_run: bool
    requested_at: str
    state: str = WAITING
    run: str | None = None
    tries: int = 0
    receipt: Mapping[str, Any] = field(default_factory=dict)

    @property
    def waits(self) -> bool:
        """Whether a run is to come for it."""
        return self.state in {WAITING, RUNNING, FAILED}

    @property
    def may_run(self) -> bool:
        """Whether it has not failed too often."""
        return self.waits and self.tries < MAX_TRIES

    def done_by(self, run: str) -> bool:
        """Whether that run has carried it out."""
        return self.state == DONE and self.run == run

    def same_as(self, digests: Collection[str], *, dry_run: bool) -> bool:
        """Whether it is under way, and asks for the same."""
        return self.waits and self.dry_run == dry_run and set(self.digests) == set(digests)

    def as_of(self, holder: str | None) -> Erasure:
        """As it is when `holder` is the run that has the project: a run that died carries nothing out any more."""
        if not self.waits or (self.state == RUNNING and holder == self.run):
            return self
        return replace(self, state=WAITING if self.may_run else FAILED)

    def document(self) -> dict[str, Any]:
        """For a person: no key, and nothing of a record."""
        return {
            "project": self.project,
            "erasure": self.id,
            "state": self.state,
            "dry_run": self.dry_run,
            "columns": list(self.columns),
            "keys": len(self.digests),
            "digests": list(self.digests),
            "requested_at": self.requested_at,
            "run": self.run,
            "receipt": dict(self.receipt) or None,
        }


def digest(secret: str, key: Sequence[str]) -> str:
    """A key's HMAC-SHA-256 under the project's secret: equal keys have equal ones, and nobody can guess back."""
    return hmac.new(bytes.fromhex(secret), _SEPARATOR.join(key).encode(), hashlib.sha256).hexdigest()


def keys_of(asked: Any, columns: Sequence[str]) -> tuple[list[list[str]], list[Fault]]:
    """The keys of a request, each as the text of the key columns without white space around it, and its faults."""
    if not isinstance(asked, list) or not 1 <= len(asked) <= MOST_KEYS:
        return [], [Fault("keys", f"is a list of 1 to {MOST_KEYS:,} keys")]
    keys: list[list[str]] = []
    faults = []
    for place, one in enumerate(asked):
        parts = one if isinstance(one, list) else [one]
        problem = _problem(parts, columns)
        if problem:
            faults.append(Fault(f"keys.{place}", problem))
        else:
            keys.append([str(part).strip() for part in parts])
    return [list(key) for key in dict.fromkeys(map(tuple, keys))], faults


def _problem(parts: Sequence[Any], columns: Sequence[str]) -> str | None:
    if len(parts) != len(columns):
        return f"has {len(parts)} parts; the project's key is [{', '.join(columns)}]: give a list of {len(columns)}"
    for part in parts:
        if isinstance(part, bool) or not isinstance(part, (str, int)):
            return "is neither text nor a whole number; write it as the files have it, as text"
        if not str(part).strip():
            return "is empty"
        if len(str(part).encode()) > LONGEST_KEY:
            return f"is longer than {LONGEST_KEY:,} bytes"
        if _SEPARATOR in str(part) or "\0" in str(part):
            return "holds a control character that no key of a table can hold"
    return None


def models(
    datasets: Iterable[Mapping[str, Any]], runs: Iterable[RunRecord], champion: Champion | None
) -> list[dict[str, Any]]:
    """The models that have seen the records: by the dataset versions that held them, and the runs made of these."""
    touched = {int(one["version"]): dict(one["rows"]) for one in datasets}
    named = []
    for run in runs:
        rows = touched.get(int(run.summary.get("dataset_version") or 0), {})
        learnt, judged = sum(rows.get(side, 0) for side in _LEARNT), rows.get("test", 0)
        package = run.summary.get("model_package_arn")
        if not (learnt or judged) or not package:
            continue
        answers = champion is not None and champion.run == run.run
        said = {
            "run": run.run,
            "dataset_version": run.summary["dataset_version"],
            "model_package_arn": package,
        }
        named.append({**said, "learnt_from_rows": learnt, "judged_by_rows": judged, "champion": answers})
    return named


def advice(named: Sequence[Mapping[str, Any]], unsearched: int) -> list[str]:
    """What a person should do next."""
    said = []
    if any(one["champion"] and one["learnt_from_rows"] for one in named):
        said.append(
            "The model that answers has learnt from the record. The run that follows trains one without it; see that "
            "it is released."
        )
    if any(not one["champion"] for one in named):
        said.append("Delete the model packages and artefacts named in models that are not needed any more.")
    if unsearched:
        said.append(
            "Look through the objects named in unsearched, or delete them: nothing could be read in them."
        )
    return said


def receipt(
    result: Mapping[str, Any], asked: Erasure, runs: Iterable[RunRecord], champion: Champion | None
) -> dict[str, Any]:
    """The receipt: what the job says, the models by name, and what is left to do. It holds no key."""
    named = models(result["datasets"], runs, champion)
    told = {name: value for name, value in result.items() if name not in {"rewritten", "removed", "complete"}}
    changed = {"uploads_rewritten": len(result["rewritten"]), "uploads_removed": len(result["removed"])}
    head = {"keys": len(asked.digests), "digests": list(asked.digests), "requested_at": asked.requested_at}
    todo = advice(named, result["unsearched_count"])
    return {**told, **head, **changed, "models": named, "advice": [] if asked.dry_run else todo}


def short(whole: Mapping[str, Any]) -> dict[str, Any]:
    """A receipt as the ledger keeps it: lists cut to what an item has room for; the document in S3 has all."""
    return {
        name: value[:_MOST_NAMED] if isinstance(value, list) and name != "digests" else value
        for name, value in whole.items()
    }
