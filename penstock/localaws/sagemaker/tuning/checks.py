"""What CreateHyperParameterTuningJob refuses besides what the service model says, in AWS's words if known."""

import math
import re
from collections.abc import Iterator, Sequence

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker.tuning import requested, space
from penstock.localaws.sagemaker.tuning.requested import Definition, Params

_MOST_PARAMETERS = 30
_MOST_HYPERPARAMETERS = 100  # of a training job
_LARGEST = 2**53  # whole numbers beyond it are not exact as floats
_LARGEST_RESOURCE = 20_000
_WHOLE = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")


def check(request: Params) -> None:
    """Refuse a tuning AWS would refuse at once. Raises ServiceError."""
    one, several = request.get("TrainingJobDefinition"), request.get("TrainingJobDefinitions")
    if bool(one) == bool(several):
        raise invalid(
            "You must specify either TrainingJobDefinition or TrainingJobDefinitions, and not both."
        )
    config = request["HyperParameterTuningJobConfig"]
    for given in requested.given_definitions(request):
        _check_objective(given, config)
        _check_ranges(given, config)
        _check_resources(given)
    if several:
        _check_several(several, config)
    found = requested.definitions(request)
    _check_strategy(request, found)
    _check_limits(config)
    _check_combinations(config, found)


def _check_objective(given: Params, config: Params) -> None:
    if requested.objective(given, config) is None:
        raise invalid(
            "You must specify an objective metric: HyperParameterTuningJobObjective or TuningObjective."
        )


def _check_ranges(given: Params, config: Params) -> None:
    ranges = requested.ranges(given, config)
    names = [name for name, _ in _ranges(ranges)]
    _check_names(names, given.get("StaticHyperParameters", {}))
    for one in ranges.get("IntegerParameterRanges", []):
        _check_numbers(one, whole=True)
    for one in ranges.get("ContinuousParameterRanges", []):
        _check_numbers(one, whole=False)
    for one in ranges.get("CategoricalParameterRanges", []):
        if len(set(one["Values"])) != len(one["Values"]):
            raise invalid(f"The values of the categorical hyperparameter [{one['Name']}] must be unique.")


def _check_names(names: Sequence[str], static: Params) -> None:
    """There are some, not too many, each once and none of them static."""
    total = len(names) + len(static)
    doubled = sorted({name for name in names if names.count(name) > 1 or not name})
    both = sorted(set(names) & set(static))
    faults = (
        (not names, "You must specify at least one hyperparameter range."),
        (
            len(names) > _MOST_PARAMETERS,
            f"The number of tunable hyperparameters, [{len(names)}], exceeds the maximum of {_MOST_PARAMETERS}.",
        ),
        (
            total > _MOST_HYPERPARAMETERS,
            f"The total number of hyperparameters, [{total}], exceeds the maximum of {_MOST_HYPERPARAMETERS}.",
        ),
        (bool(doubled), f"Hyperparameter names in the ranges must be unique and not empty: {doubled}."),
        (
            bool(both),
            f"The hyperparameters {both} can't be both static and tunable.",
        ),
    )
    for wrong, text in faults:
        if wrong:
            raise invalid(text)


def _ranges(ranges: Params) -> Iterator[tuple[str, Params]]:
    for key in ("IntegerParameterRanges", "ContinuousParameterRanges", "CategoricalParameterRanges"):
        for one in ranges.get(key, []):
            yield one["Name"], one


def _check_numbers(one: Params, *, whole: bool) -> None:
    name, kind = one["Name"], "integer" if whole else "continuous"
    bounds = []
    for end in ("MinValue", "MaxValue"):
        value = _number(one[end], whole=whole)
        if value is None:
            raise invalid(
                f"{end} [{one[end]}] of the {kind} hyperparameter [{name}] isn't a valid {kind} value."
            )
        bounds.append(value)
    low, high = bounds
    if low > high:
        raise invalid(
            f"The minimum value [{one['MinValue']}] of the hyperparameter [{name}] must be less than or equal to "
            f"the maximum value [{one['MaxValue']}]."
        )
    _check_scaling(one, low, high, whole=whole)


def _check_scaling(one: Params, low: float, high: float, *, whole: bool) -> None:
    scaling, name = one.get("ScalingType", "Auto"), one["Name"]
    if scaling == "Logarithmic" and low <= 0:
        raise invalid(
            f"Logarithmic scaling works only for ranges that have only values greater than 0: hyperparameter [{name}]."
        )
    if scaling == "ReverseLogarithmic":
        if whole:
            raise invalid(
                f"Integer ranges don't support ReverseLogarithmic scaling: hyperparameter [{name}]."
            )
        if not 0 <= low <= high < 1:
            raise invalid(
                "Reverse logarithmic scaling works only for ranges that are entirely within the range 0<=x<1.0: "
                f"hyperparameter [{name}]."
            )


def _number(text: str, *, whole: bool) -> float | None:
    """The number a bound says, None when it says none that can be searched."""
    if not (_WHOLE if whole else _DECIMAL).fullmatch(text):
        return None
    value = float(text)
    usable = math.isfinite(value) and (not whole or abs(value) <= _LARGEST)
    return value if usable else None


def _check_resources(given: Params) -> None:
    """Exactly one of the two ways to name instances."""
    flexible = given.get("HyperParameterTuningResourceConfig")
    if bool(flexible) == bool(given.get("ResourceConfig")):
        raise invalid(
            "You must specify either ResourceConfig or HyperParameterTuningResourceConfig, and not both, "
            "in a training job definition."
        )
    if flexible and bool(flexible.get("InstanceConfigs")) == bool(flexible.get("InstanceType")):
        raise invalid(
            "You must specify either InstanceType or InstanceConfigs, and not both, "
            "in HyperParameterTuningResourceConfig."
        )


def _check_several(several: Sequence[Params], config: Params) -> None:
    names = [given.get("DefinitionName") for given in several]
    if None in names or len(set(names)) != len(names):
        raise invalid("Every definition in TrainingJobDefinitions must have a DefinitionName of its own.")
    types = {(requested.objective(given, config) or {}).get("Type") for given in several}
    if len(types) > 1:
        raise invalid("The objectives of all TrainingJobDefinitions must have the same Type.")


def _check_strategy(request: Params, found: Sequence[Definition]) -> None:
    config = request["HyperParameterTuningJobConfig"]
    strategy = config["Strategy"]
    if strategy != "Hyperband" and "StrategyConfig" in config:
        raise invalid("StrategyConfig is supported only when Strategy is Hyperband.")
    if strategy == "Hyperband":
        _check_hyperband(request)
    if strategy == "Grid":
        _check_grid(config, found)


def _check_hyperband(request: Params) -> None:
    config = request["HyperParameterTuningJobConfig"]
    if config.get("TrainingJobEarlyStoppingType", "Off") != "Off":
        raise invalid("TrainingJobEarlyStoppingType must be Off to use the Hyperband strategy.")
    band = requested.hyperband(request)
    if band is None:
        raise invalid(
            "MaxResource is required for the Hyperband strategy: give it in HyperbandStrategyConfig, or the number of "
            "epochs as a static hyperparameter (epochs, numepochs, n-epochs, n_epochs or num_epochs)."
        )
    if not band.least < band.most <= _LARGEST_RESOURCE:
        raise invalid(
            f"MinResource [{band.least}] must be less than MaxResource [{band.most}], "
            f"which can be at most {_LARGEST_RESOURCE}."
        )


def _check_grid(config: Params, found: Sequence[Definition]) -> None:
    if any(one.kind is not space.Kind.CATEGORICAL for definition in found for one in definition.space):
        raise invalid("The Grid strategy supports only categorical hyperparameter ranges.")
    size = int(sum(space.combinations(one.space) for one in found))
    asked = config["ResourceLimits"].get("MaxNumberOfTrainingJobs", size)
    if asked != size:
        raise invalid(
            f"MaxNumberOfTrainingJobs, [{asked}], must be equal to the total number of categorical combinations, "
            f"[{size}], for the Grid strategy. You can also leave it out."
        )
    if size > requested.MOST_JOBS:
        raise _exceeded("training jobs per hyperparameter tuning job", requested.MOST_JOBS, size)


def _check_limits(config: Params) -> None:
    limits = config["ResourceLimits"]
    quota = requested.MOST_RANDOM_JOBS if config["Strategy"] == "Random" else requested.MOST_JOBS
    jobs, parallel = limits.get("MaxNumberOfTrainingJobs"), limits["MaxParallelTrainingJobs"]
    if jobs is not None and jobs > quota:
        raise _exceeded("training jobs per hyperparameter tuning job", quota, jobs)
    if parallel > requested.MOST_PARALLEL:
        raise _exceeded(
            "parallel training jobs per hyperparameter tuning job", requested.MOST_PARALLEL, parallel
        )


def _check_combinations(config: Params, found: Sequence[Definition]) -> None:
    jobs = config["ResourceLimits"].get("MaxNumberOfTrainingJobs")
    size = sum(space.combinations(one.space) for one in found)
    if jobs is not None and size < jobs:
        raise invalid(
            "You don't have enough combinations of hyperparameter ranges. The total number of hyperparameter "
            f"combinations for the provided ranges [{float(size)}] must be equal or greater than the value of "
            f"MaxNumberOfJobs, [{jobs}]. Provide additional ranges."
        )


def invalid(text: str) -> ServiceError:
    """A request AWS calls invalid."""
    return ServiceError("ValidationException", text)


def _exceeded(what: str, quota: int, asked: int) -> ServiceError:
    return ServiceError(
        "ResourceLimitExceeded",
        f"The account-level service limit 'Maximum number of {what}' is {quota}, with current utilization of 0 "
        f"and a request delta of {asked}. Please use AWS Service Quotas to request an increase for this quota. If AWS "
        "Service Quotas is not available, contact AWS support to request an increase for this quota.",
    )
