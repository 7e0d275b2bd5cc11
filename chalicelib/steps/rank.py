"""Rank: of the models a run has tried, put the best on the validation rows in the place of the trained one.

One that failed does not matter while another is there; when all have failed, the reason says why each did.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from chalicelib.domain import prices, ranking
from chalicelib.domain.jobs import evaluate_request, objective, own_hyperparameters
from chalicelib.domain.places import Names
from chalicelib.domain.ranking import Candidate
from chalicelib.domain.tuning import signature
from chalicelib.errors import JobFailed
from chalicelib.observability import note
from chalicelib.ports import Ports

_ENDED_BADLY = "States.TaskFailed"
"""What the machine calls a job that it has seen end otherwise than completed."""


@dataclass(frozen=True, slots=True)
class Rank:
    """The run document after Tune or Auto."""

    document: Mapping[str, Any]


def run(command: Rank, ports: Ports) -> dict[str, Any]:
    """Answers `rank` (who won, of how many, at what cost, and what Evaluate is to ask) and `train`, the best job."""
    document = command.document
    spec = ports.documents.read(document["claim"]["spec_uri"])
    if spec is None:
        raise JobFailed(document["claim"]["spec_uri"], "it is gone", "Start the run again.", status=500)
    metric, lower = objective(spec)
    found = ranking.ranked((one.judged_by(metric) for one in _candidates(document, spec, ports)), lower=lower)
    uri = _keep(document, found, metric, ports)
    if not found or not found[0].usable:
        advice = f"See {uri} and the jobs' logs; mend the cause, and the next run tries again."
        raise JobFailed("candidates", ranking.why_none(found), advice)
    best = ports.jobs.training(found[0].job)
    note(run=document["run"], project=document["project"], best=best.job, candidates=len(found))
    return {
        "rank": _summary(document, spec, found, uri, best, ports),
        "train": {
            "job": best.job,
            "artifact": best.artifact,
            "seconds": best.seconds,
            "learner": best.learner,
            "metrics": dict(best.metrics),
            "hyperparameters": dict(own_hyperparameters(best.hyperparameters)),
        },
    }


def _candidates(document: Mapping[str, Any], spec: Mapping[str, Any], ports: Ports) -> list[Candidate]:
    if "tune" in document:
        tune = document["tune"]
        if tune.get("error", _ENDED_BADLY) != _ENDED_BADLY:  # there is no such job: SageMaker refused it
            advice = "Mend what it names in the spec's tune, or the stage's quotas and rights."
            raise JobFailed(f"tuning job {tune['job']}", f"{tune['error']}: {tune.get('cause')}", advice)
        return ports.jobs.tuned(tune["job"], spec["learner"]["name"])
    return [_tried(one, ports) for one in document["auto"]]


def _tried(one: Mapping[str, Any], ports: Ports) -> Candidate:
    """What SageMaker says of a candidate's job; of one that was never created, what the machine was told."""
    if one.get("error") not in {None, _ENDED_BADLY, "States.Timeout"}:
        return Candidate(
            one["job"], one["learner"], status="Failed", reason=f"{one['error']}: {one['cause']}"
        )
    return ports.jobs.training(one["job"])


def _keep(document: Mapping[str, Any], found: list[Candidate], metric: str, ports: Ports) -> str:
    uri = f"s3://{ports.settings.bucket}/runs/{document['run']}/candidates.json"
    left_out = document["claim"].get("auto", {}).get("left_out", [])
    own = [_own(one) for one in found]
    ports.documents.write(uri, ranking.table(own, metric, ports.settings.instance_type, left_out))
    return uri


def _own(one: Candidate) -> Candidate:
    return replace(one, hyperparameters=own_hyperparameters(one.hyperparameters))


def _summary(
    document: Mapping[str, Any],
    spec: Mapping[str, Any],
    found: list[Candidate],
    uri: str,
    best: Candidate,
    ports: Ports,
) -> dict[str, Any]:
    claim, seconds = document["claim"], ranking.seconds(found)
    names = Names(ports.settings, document["project"], document["run"], document["attempt"], claim["version"])
    told: dict[str, Any] = {
        "metric": objective(spec)[0],
        "value": found[0].value,
        "candidates": len(found),
        "failed": sum(not one.usable for one in found),
        "seconds": seconds,
        "usd": prices.cost(ports.settings.instance_type, seconds),
        "candidates_uri": uri,
        "evaluate": evaluate_request(
            names, spec, claim["champion"], learner=best.learner, artifact=best.artifact
        ),
    }
    if "tune" in document:
        told["tuning"] = {"job": document["tune"]["job"], "signature": signature(spec), "jobs": len(found)}
    return told
