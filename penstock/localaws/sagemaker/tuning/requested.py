"""What a (checked) CreateHyperParameterTuningJob request asks for: definitions, their spaces, and the plan."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from penstock.localaws.sagemaker.tuning import judgement, space
from penstock.localaws.sagemaker.tuning.space import Space
from penstock.localaws.sagemaker.tuning.state import Hyperband, Plan

Params = dict[str, Any]

MOST_JOBS = 750
MOST_RANDOM_JOBS = 10_000
MOST_PARALLEL = 100
_TOLD = "_tuning_objective_metric"
_MONTH = 30 * 86_400  # no tuning lasts longer unless it asks to
_EPOCHS = ("epochs", "numepochs", "n-epochs", "n_epochs", "num_epochs")
_AROUND_A_HINT = 10.0  # Autotune searches from a tenth of a hint to ten times it


@dataclass(frozen=True)
class Definition:
    """One kind of training job a tuning launches: the request's own words, its objective, what is searched."""

    given: Params
    objective: Params
    space: Space

    @property
    def name(self) -> str | None:
        """DefinitionName."""
        found: str | None = self.given.get("DefinitionName")
        return found

    @property
    def metric(self) -> str:
        """The objective's metric."""
        return str(self.objective["MetricName"])


def definitions(request: Params) -> list[Definition]:
    """The request's training job definitions."""
    config = request["HyperParameterTuningJobConfig"]
    return [
        Definition(given, objective(given, config) or {}, space.read(ranges(given, config)))
        for given in given_definitions(request)
    ]


def told(request: Params) -> Params:
    """The request as SageMaker keeps it: every definition tells its training jobs which metric counts.

    Built-in algorithms heed it, framework images keep it from the script, and SDK v2 expects Describe to show it.
    """
    config = request["HyperParameterTuningJobConfig"]
    changed = [
        {
            **given,
            "StaticHyperParameters": {
                **given.get("StaticHyperParameters", {}),
                _TOLD: (objective(given, config) or {})["MetricName"],
            },
        }
        for given in given_definitions(request)
    ]
    if request.get("TrainingJobDefinitions"):
        return {**request, "TrainingJobDefinitions": changed}
    return {**request, "TrainingJobDefinition": changed[0]}


def given_definitions(request: Params) -> list[Params]:
    """TrainingJobDefinitions, or the only TrainingJobDefinition."""
    several: list[Params] = request.get("TrainingJobDefinitions") or []
    return several or [request["TrainingJobDefinition"]]


def objective(given: Params, config: Params) -> Params | None:
    """A definition's own objective, else the tuning's."""
    found: Params | None = given.get("TuningObjective") or config.get("HyperParameterTuningJobObjective")
    return found


def ranges(given: Params, config: Params) -> Params:
    """A definition's own ranges, else the tuning's; Autotune's hints are made ranges."""
    found: Params = given.get("HyperParameterRanges") or config.get("ParameterRanges") or {}
    hints = found.get("AutoParameters")
    if not hints:
        return found
    widened = {key: list(found.get(key, [])) for key in _RANGES}
    for hint in hints:
        key, one = _around(hint["Name"], hint["ValueHint"])
        widened[key].append(one)
    return widened


_RANGES = ("IntegerParameterRanges", "ContinuousParameterRanges", "CategoricalParameterRanges")


def _around(name: str, hint: str) -> tuple[str, Params]:
    """The range around an example value; of what is no number, that value alone."""
    try:
        value = float(hint)
    except ValueError:
        return _RANGES[2], {"Name": name, "Values": [hint]}
    low, high = sorted((value / _AROUND_A_HINT, value * _AROUND_A_HINT))
    if hint.lstrip("+-").isdecimal():
        return _RANGES[0], {"Name": name, "MinValue": str(round(low)), "MaxValue": str(round(high))}
    return _RANGES[1], {"Name": name, "MinValue": repr(low), "MaxValue": repr(high)}


def plan(request: Params, created: float) -> Plan:
    """How the tuning is to be carried out; `created` is when it began, in epoch seconds."""
    config = request["HyperParameterTuningJobConfig"]
    limits, criteria = config["ResourceLimits"], config.get("TuningJobCompletionCriteria", {})
    runtime = limits.get("MaxRuntimeInSeconds", _MONTH)
    autotune = "Autotune" in request
    found = definitions(request)
    band = hyperband(request)
    return Plan(
        maximize=found[0].objective["Type"] == "Maximize",
        most_jobs=most_jobs(config, found, band),
        most_parallel=limits["MaxParallelTrainingJobs"],
        deadline=created + runtime,
        target=criteria.get("TargetObjectiveMetricValue"),
        patience=criteria.get("BestObjectiveNotImproving", {}).get("MaxNumberOfTrainingJobsNotImproving"),
        on_convergence=autotune
        or criteria.get("ConvergenceDetected", {}).get("CompleteOnConvergence") == "Enabled",
        early_stopping=config.get("TrainingJobEarlyStoppingType", "Auto" if autotune else "Off") == "Auto"
        and band is None,
        hyperband=band,
        retries=_retries(found),
    )


def _retries(found: Sequence[Definition]) -> int:
    given = [
        one.given["RetryStrategy"]["MaximumRetryAttempts"] for one in found if "RetryStrategy" in one.given
    ]
    return max(given, default=Plan.retries)


def most_jobs(config: Params, found: Sequence[Definition], band: Hyperband | None) -> int:
    """MaxNumberOfTrainingJobs, or what stands for it: the grid, Hyperband's brackets, the quota."""
    asked: int | None = config["ResourceLimits"].get("MaxNumberOfTrainingJobs")
    if asked is not None:
        return asked
    if band is not None:
        return min(sum(judgement.brackets(band)), MOST_JOBS)
    quota = MOST_RANDOM_JOBS if config["Strategy"] == "Random" else MOST_JOBS
    return int(min(sum(space.combinations(one.space) for one in found), quota))


def hyperband(request: Params) -> Hyperband | None:
    """The resources of strategy Hyperband; None for the others, or when MaxResource cannot be told."""
    config = request["HyperParameterTuningJobConfig"]
    if config["Strategy"] != "Hyperband":
        return None
    given = config.get("StrategyConfig", {}).get("HyperbandStrategyConfig", {})
    most = given.get("MaxResource") or _epochs(given_definitions(request))
    return None if most is None else Hyperband(given.get("MinResource", 1), most)


def _epochs(given: Sequence[Params]) -> int | None:
    """The largest number of epochs the static hyperparameters speak of."""
    static = [one.get("StaticHyperParameters", {}) for one in given]
    found = [one[key].strip('"') for one in static for key in _EPOCHS if key in one]
    return max((int(text) for text in found if text.isdigit() and int(text) > 0), default=None)
