"""Warm start: what a tuning takes from earlier ones, and which earlier ones it may take it from."""

import dataclasses
from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker.store import Store
from penstock.localaws.sagemaker.tuning import judgement, records, requested, space
from penstock.localaws.sagemaker.tuning.checks import invalid
from penstock.localaws.sagemaker.tuning.requested import Definition, Params
from penstock.localaws.sagemaker.tuning.search import Tried
from penstock.localaws.sagemaker.tuning.state import Trial, Tuning

_MOST_EARLIER = 500
_IDENTICAL = "IdenticalDataAndAlgorithm"


@dataclasses.dataclass(frozen=True)
class Parent:
    """An earlier tuning with its only definition."""

    name: str
    definition: Definition
    tuning: Tuning


def gather(store: Store, request: Params) -> Params | None:
    """What the request's warm start brings, to be kept with the tuning; None without one. Raises ServiceError."""
    config = request.get("WarmStartConfig")
    if config is None:
        return None
    found = requested.definitions(request)
    if len(found) != 1 or request.get("TrainingJobDefinitions"):
        raise invalid("WarmStartConfig can't be used with TrainingJobDefinitions.")
    parents = [_parent(store, name) for name in _names(config)]
    if sum(len(parent.tuning.trials) for parent in parents) > _MOST_EARLIER:
        raise invalid(
            f"The parent tuning jobs have launched more than {_MOST_EARLIER} training jobs in total."
        )
    for parent in parents:
        _check(config["WarmStartType"], found[0], parent)
    prior: Params = {"tried": [one for parent in parents for one in _tried(parent, found[0])], "best": None}
    if config["WarmStartType"] == _IDENTICAL:
        prior["best"] = _best(parents)
    return prior


def _names(config: Params) -> list[str]:
    names = [one.get("HyperParameterTuningJobName", "") for one in config["ParentHyperParameterTuningJobs"]]
    if len({records.key(name) for name in names}) != len(names):
        raise invalid("The parent tuning jobs of a warm start must be different ones.")
    return names


def _parent(store: Store, name: str) -> Parent:
    kept = records.read(store, name)
    if kept is None:
        raise missing(name)
    header, tuning = kept
    if not tuning.over:
        raise invalid(
            f"The parent tuning job [{name}] is in status {tuning.status}. "
            "A parent must be in a terminal state: Completed, Stopped or Failed."
        )
    found = requested.definitions(header.request)
    if len(found) != 1:
        raise invalid(f"The parent tuning job [{name}] has several training job definitions.")
    return Parent(header.name, found[0], tuning)


def _check(kind: str, mine: Definition, parent: Parent) -> None:
    theirs = parent.definition
    if mine.objective != theirs.objective:
        raise invalid(
            f"The objective metric must be the same as that of the parent tuning job [{parent.name}]: "
            f"{theirs.objective['Type']} {theirs.metric}."
        )
    if _parameters(mine) != _parameters(theirs):
        raise invalid(
            "The total number of static plus tunable hyperparameters must be the same as in the parent tuning job "
            f"[{parent.name}]: {_parameters(theirs)}, not {_parameters(mine)}."
        )
    kinds = {one.name: one.kind for one in theirs.space}
    changed = sorted(one.name for one in mine.space if kinds.get(one.name, one.kind) != one.kind)
    if changed:
        raise invalid(
            f"The hyperparameters {changed} have another type in the parent tuning job [{parent.name}]."
        )
    if kind == _IDENTICAL and _data_and_algorithm(mine) != _data_and_algorithm(theirs):
        raise invalid(
            f"WarmStartType {_IDENTICAL} requires the training image and the input data of the parent tuning job "
            f"[{parent.name}]. Use TransferLearning when they change."
        )


def _parameters(definition: Definition) -> int:
    return len(definition.space) + len(definition.given.get("StaticHyperParameters", {}))


def _data_and_algorithm(definition: Definition) -> tuple[Any, Any]:
    given = definition.given
    return given["AlgorithmSpecification"].get("TrainingImage"), given.get("InputDataConfig")


def _tried(parent: Parent, mine: Definition) -> list[Params]:
    """The parent's settings that lie in this tuning's ranges; what it held static counts as tried at that value."""
    static = parent.definition.given.get("StaticHyperParameters", {})
    fitting = [
        (space.fit(mine.space, {**static, **trial.values}), trial.value) for trial in parent.tuning.evaluated
    ]
    return [{"values": values, "value": value} for values, value in fitting if values is not None]


def _best(parents: list[Parent]) -> Params | None:
    maximize = parents[0].definition.objective["Type"] == "Maximize"
    found: tuple[Parent, Trial] | None = None
    for parent in parents:
        theirs = judgement.best(maximize, parent.tuning.evaluated)
        if theirs and (found is None or judgement.best(maximize, (found[1], theirs)) is theirs):
            found = (parent, theirs)
    return None if found is None else {"tuning": found[0].name, "trial": dataclasses.asdict(found[1])}


def tried(prior: Params | None) -> list[Tried]:
    """The earlier settings, for the search."""
    return [Tried(one["values"], one["value"], running=False) for one in (prior or {}).get("tried", [])]


def missing(name: str) -> ServiceError:
    """What AWS answers for a tuning that does not exist."""
    return ServiceError("ResourceNotFound", f"Amazon SageMaker can't find a tuning job with the name {name}.")
