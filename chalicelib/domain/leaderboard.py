"""A project's runs as rows to choose by: learner, data, how good the model is, what it cost, and the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from chalicelib.domain.jobs import own_hyperparameters
from chalicelib.domain.prices import cost
from chalicelib.domain.project import LOWER_IS_BETTER
from chalicelib.domain.run import FAILED, REFUSED, RUNNING, RunRecord


def facts(
    document: Mapping[str, Any], scorecard: Mapping[str, Any] | None, instance_type: str
) -> dict[str, Any]:
    """What a run's record keeps for comparison, from its document and its scorecard (None if it came to none)."""
    claim, train, rank = (document.get(name) or {} for name in ("claim", "train", "rank"))
    if not train:
        return {}
    given = (claim.get("train") or {}).get("HyperParameters", {})
    return {
        "learner": train.get("learner") or claim.get("learner"),
        "hyperparameters": train.get("hyperparameters") or own_hyperparameters(given),
        "training_job": train["job"],
        "validation": {
            name.removeprefix("validation:"): value for name, value in (train.get("metrics") or {}).items()
        },
        "test": (scorecard or {}).get("metrics") or {},
        "usd": usd(document, instance_type),
        "candidates": rank.get("candidates"),
        "candidates_uri": rank.get("candidates_uri"),
        "tuning": rank.get("tuning"),
    }


def usd(document: Mapping[str, Any], instance_type: str) -> float | None:
    """The estimated cost of a run's training, that of all its candidates, and its evaluation."""
    train, rank, evaluate = (document.get(name) or {} for name in ("train", "rank", "evaluate"))
    seconds = rank.get("seconds", train.get("seconds"))
    return None if seconds is None else cost(instance_type, seconds + (evaluate.get("seconds") or 0.0))


def ranked(records: Iterable[RunRecord], metric: str, champion: str | None) -> list[dict[str, Any]]:
    """The runs that came to a model, the best by `metric` on the test rows first; those not judged by it last.

    Figures of different dataset versions are of different test rows: the row says which.
    """
    rows = [_row(record, metric, champion) for record in records if record.summary.get("training_job")]
    lower = metric in LOWER_IS_BETTER

    def order(row: Mapping[str, Any]) -> tuple[bool, float]:
        value = row["value"]
        return value is None, (value if lower else -value) if value is not None else 0.0

    return [{"rank": place, **row} for place, row in enumerate(sorted(rows, key=order), start=1)]


def _row(record: RunRecord, metric: str, champion: str | None) -> dict[str, Any]:
    kept = ("learner", "hyperparameters", "dataset_version", "validation", "test", "usd", "candidates")
    summary = record.summary
    return {
        "run": record.run,
        "value": (summary.get("test") or {}).get(metric),
        "verdict": _verdict(record, champion),
        "reason": record.reason,
        "when": record.ended_at,
        "model_package_arn": summary.get("model_package_arn"),
        **{name: summary.get(name) for name in kept},
    }


def _verdict(record: RunRecord, champion: str | None) -> str:
    """In a word: champion, released (before another was), registered, refused, failed, or running."""
    if record.run == champion:
        return "champion"
    if record.state in {REFUSED, FAILED, RUNNING}:
        return record.state.lower()
    return "released" if record.summary.get("endpoint") else "registered"
