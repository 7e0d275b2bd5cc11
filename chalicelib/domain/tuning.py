"""Tuning: which ranges make sense, and the tuning job a run asks SageMaker for."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from chalicelib.domain.jobs import OURS, TOLD, Fit, as_text, definition, hyperparameters, objective
from chalicelib.domain.places import Names
from chalicelib.domain.project import METRICS
from chalicelib.domain.run import RunRecord
from chalicelib.errors import Fault

KINDS = ("integer", "continuous", "categorical")
_SCALES = {"auto": "Auto", "linear": "Linear", "log": "Logarithmic", "reverse_log": "ReverseLogarithmic"}
_MAX_SECONDS = 86_400
"""A day for all training jobs together; the best of those that ended by then goes on."""
_MOST_PARENT_JOBS = 500
"""Of a tuning job to start warm from; more than that, SageMaker refuses."""
Range = Mapping[str, Any]


def faults(spec: Mapping[str, Any]) -> list[Fault]:
    """What a schema cannot say that is wrong with the tuning a spec asks for."""
    if "tune" not in spec:
        return []
    rules = (_way, _metric, _numbers, _ranges)
    return [Fault(where, problem) for rule in rules for where, problem in rule(spec)]


def _way(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if spec.get("learner", {}).get("name") == "auto":
        yield "tune", "learner auto tries several learners; to tune one, name it in learner.name"
    if spec.get("split", {}).get("validation") == 0:
        yield "split.validation", "is 0, and tuning compares candidates on validation rows; leave some"
    if spec.get("retrain", {}).get("warm_start"):
        yield "retrain.warm_start", "goes on from one model, and tuning makes many; leave one of them out"


def _metric(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    metric, known = spec["tune"].get("metric"), [one for one in METRICS.get(spec["task"], ()) if one in TOLD]
    if not known:
        yield "tune", f"train.py tells no metric of a {spec['task']} that candidates could be compared by"
    elif metric is not None and metric not in known:
        yield (
            "tune.metric",
            f"{metric} is not told of validation rows of a {spec['task']}; use one of {', '.join(known)}",
        )


def _numbers(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    tune = spec["tune"]
    jobs, parallel = tune.get("max_jobs", 10), tune.get("parallel", 2)
    if parallel > jobs:
        yield "tune.parallel", f"is {parallel}, more than the {jobs} of max_jobs"
    possible = math.prod(_count(one) for one in tune["ranges"].values())
    if possible < jobs:
        yield (
            "tune.max_jobs",
            f"is {jobs}, and the ranges have only {possible:.0f} combinations; ask for fewer",
        )


def _count(one: Range) -> float:
    """How many values a range has; what is wrong with it is said elsewhere."""
    if "categorical" in one:
        return len(one["categorical"])
    low, high = one.get("integer", (0, math.inf))
    return math.inf if "continuous" in one else max(high - low + 1, 1)


def _ranges(spec: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    fixed = spec.get("learner", {}).get("hyperparameters", {})
    for name, one in spec["tune"]["ranges"].items():
        where = f"tune.ranges.{name}"
        if name in OURS:
            yield where, f"{name} is not a learner's hyperparameter"
        if name in fixed:
            yield where, f"learner.hyperparameters fixes it at {fixed[name]!r}; say it in one place"
        kinds = [kind for kind in KINDS if kind in one]
        if len(kinds) != 1:
            yield where, f"has {' and '.join(kinds) or 'no kind'}; give exactly one of {', '.join(KINDS)}"
        else:
            yield from ((where, problem) for problem in _range(one, kinds[0]))


def _range(one: Range, kind: str) -> Iterator[str]:
    if kind == "categorical":
        if "scale" in one:
            yield "only numbers have a scale; leave it out"
        return
    low, high = one[kind]
    if not low < high:
        yield f"from {low:g} to {high:g} there is nothing to try; the first number must be the smaller"
    if kind == "integer" and not (float(low).is_integer() and float(high).is_integer()):
        yield f"{low:g} and {high:g} are not both whole numbers; use continuous"
    if one.get("scale") == "log" and low <= 0:
        yield f"a logarithmic scale starts above 0, and this at {low:g}"
    if one.get("scale") == "reverse_log" and not (kind == "continuous" and low >= 0 and high < 1):
        yield "a reverse logarithmic scale is for continuous numbers from 0 to below 1"


def tune_request(names: Names, spec: Mapping[str, Any], parent: str | None) -> dict[str, Any]:
    """sagemaker:CreateHyperParameterTuningJob; `parent` is the tuning job to start warm from, if any.

    Every run has a dataset version of its own, so what an earlier tuning knows is transferred, never identical.
    """
    tune, (metric, lower) = spec["tune"], objective(spec)
    fit = Fit(names.tune_job, spec["learner"]["name"], spec["learner"]["hyperparameters"])
    request: dict[str, Any] = {
        "HyperParameterTuningJobName": names.tune_job,
        "HyperParameterTuningJobConfig": {
            "Strategy": tune["strategy"],
            "HyperParameterTuningJobObjective": {
                "Type": "Minimize" if lower else "Maximize",
                "MetricName": f"validation:{metric}",
            },
            "ResourceLimits": {
                "MaxNumberOfTrainingJobs": tune["max_jobs"],
                "MaxParallelTrainingJobs": tune["parallel"],
                "MaxRuntimeInSeconds": _MAX_SECONDS,
            },
            "ParameterRanges": _parameter_ranges(tune["ranges"]),
            "TrainingJobEarlyStoppingType": "Auto" if tune["early_stopping"] else "Off",
            "RandomSeed": spec["split"]["seed"],
        },
        "TrainingJobDefinition": {
            "StaticHyperParameters": hyperparameters(names, fit),
            **definition(names, spec, fit),
        },
        "Tags": names.tags,
    }
    if parent:
        request["WarmStartConfig"] = {
            "ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": parent}],
            "WarmStartType": "TransferLearning",
        }
    return request


def _parameter_ranges(ranges: Mapping[str, Range]) -> dict[str, Any]:
    found: dict[str, list[dict[str, Any]]] = {}
    for name, one in ranges.items():
        kind = next(kind for kind in KINDS if kind in one)
        if kind == "categorical":
            entry: dict[str, Any] = {"Name": name, "Values": [as_text(value) for value in one[kind]]}
        else:
            low, high = (int(end) if kind == "integer" else float(end) for end in one[kind])
            scale = _SCALES[one.get("scale", "auto")]
            entry = {"Name": name, "MinValue": repr(low), "MaxValue": repr(high), "ScalingType": scale}
        found.setdefault(f"{kind.capitalize()}ParameterRanges", []).append(entry)
    return found


def signature(spec: Mapping[str, Any]) -> str:
    """What two tunings must share for one to start warm from the other: learner, objective, hyperparameters' kinds."""
    ranges = spec["tune"]["ranges"]
    kinds = {name: next(kind for kind in KINDS if kind in one) for name, one in ranges.items()}
    shared = [spec["learner"]["name"], objective(spec), kinds, sorted(spec["learner"]["hyperparameters"])]
    return hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()[:16]


def parent_of(spec: Mapping[str, Any], runs: Iterable[RunRecord]) -> str | None:
    """The newest earlier tuning job (`runs` come newest first) that this one can start warm from."""
    if not spec["tune"]["warm_start"]:
        return None
    mine = signature(spec)
    for record in runs:
        tuned = record.summary.get("tuning") or {}
        if tuned.get("signature") == mine and tuned["jobs"] <= _MOST_PARENT_JOBS:
            return str(tuned["job"])
    return None
