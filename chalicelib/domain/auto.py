"""Learner `auto`: which learners can be tried on a project, and what each may cost (AutoML)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from chalicelib.domain.jobs import IMAGES, JOB_IMAGES, TOLD, Fit, train_request
from chalicelib.domain.places import Names
from chalicelib.domain.prices import usd_per_second
from chalicelib.domain.project import METRICS, columns_of
from chalicelib.errors import Fault

AUTO = "auto"
"""The name a spec gives when it leaves the choice of the learner to Rank."""
_TABULAR, _TEXT = ("number", "category", "date"), ("text",)
_READS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "gradient_boosting": (_TABULAR, ("classification", "regression")),
    "text_linear": (_TEXT, ("classification",)),
    "text_forest": (_TEXT, ("classification",)),
    "text_cnn": (_TEXT, ("classification",)),
    "text_sequence": (_TEXT, ("classification",)),
    "curve": (("number", "date"), ("regression",)),
}
"""What each learner reads and for which tasks, the quickest first: when the money is short, the last are left out."""
LEAST_SECONDS = 60
"""A candidate that may run for less than this is not worth starting."""


def applicable(spec: Mapping[str, Any]) -> list[str]:
    """The learners that can learn from this project's columns for its task, the quickest first.

    A curve goes through one column; among several, one must say which by naming it. A network needs PyTorch and most of
    the time there is: it is tried when it is named.
    """
    columns = sum(len(columns_of(spec, kind)) for kind in (*_TABULAR, *_TEXT))
    light = [name for name in _READS if name not in JOB_IMAGES]
    fit = [name for name in light if _unfit(name, spec) is None]
    return [name for name in fit if name != "curve" or columns == 1]


def _unfit(name: str, spec: Mapping[str, Any]) -> str | None:
    if name not in _READS or name not in IMAGES:
        known = ", ".join(one for one in _READS if one in IMAGES)
        return f"{name!r} is no learner that can be tried; use {known}"
    reads, tasks = _READS[name]
    if spec["task"] not in tasks:
        return f"{name} does not learn a {spec['task']} here"
    if not any(columns_of(spec, kind) for kind in reads):
        return f"{name} reads columns of type {', '.join(reads)}, and there is none"
    return None


def candidates(spec: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Learners with their hyperparameters: those the spec names, else every applicable one with its defaults."""
    named = spec.get("auto", {}).get("learners") or applicable(spec)
    return [{"hyperparameters": {}, **({"name": one} if isinstance(one, str) else one)} for one in named]


def faults(spec: Mapping[str, Any]) -> list[Fault]:
    """What a schema cannot say that is wrong with an automatic choice of learner."""
    if spec.get("learner", {}).get("name") != AUTO:
        return [Fault("auto", "is read only with learner: {name: auto}")] if "auto" in spec else []
    return [Fault(where, problem) for where, problem in _auto(spec)]


def _auto(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if spec["learner"].get("hyperparameters"):
        yield "learner.hyperparameters", "belong to one learner; give them with its name in auto.learners"
    if spec.get("split", {}).get("validation") == 0:
        yield "split.validation", "is 0, and the candidates are ranked on validation rows; leave some"
    if spec.get("retrain", {}).get("warm_start"):
        yield "retrain.warm_start", "goes on from one model, and auto makes several; leave one of them out"
    if not any(metric in TOLD for metric in METRICS.get(spec["task"], ())):
        yield "learner.name", f"candidates of a {spec['task']} cannot be ranked; name a learner"
    for number, one in enumerate(candidates(spec)):
        problem = _unfit(one["name"], spec)
        if problem:
            yield f"auto.learners.{number}", problem
    if not candidates(spec):
        yield "learner.name", "no learner can be tried on these columns; name one"


def auto_request(names: Names, spec: Mapping[str, Any]) -> dict[str, Any]:
    """A training request a candidate, and the names of those the money does not reach for.

    No candidate may run longer than `minutes`, nor cost more than its share of `usd`: SageMaker stops it then.
    """
    found = candidates(spec)
    price = usd_per_second(names.place.instance_type)
    affordable = len(found) if price is None else int(spec["auto"]["usd"] / price / LEAST_SECONDS)
    tried, left = found[: max(affordable, 1)], found[max(affordable, 1) :]
    seconds = int(spec["auto"]["minutes"] * 60)
    if price is not None:
        seconds = max(min(seconds, int(spec["auto"]["usd"] / price / len(tried))), 1)
    fits = [
        Fit(names.candidate_job(number), one["name"], one["hyperparameters"], seconds)
        for number, one in enumerate(tried, start=1)
    ]
    return {
        "jobs": [train_request(names, spec, fit) for fit in fits],
        "left_out": [one["name"] for one in left],
    }
