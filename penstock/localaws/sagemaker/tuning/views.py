"""What Describe and the lists show of a tuning."""

from typing import Any

from penstock.localaws.sagemaker import names
from penstock.localaws.sagemaker.plane import Plane
from penstock.localaws.sagemaker.tuning import children, judgement, records, requested
from penstock.localaws.sagemaker.tuning.records import Header
from penstock.localaws.sagemaker.tuning.requested import Definition
from penstock.localaws.sagemaker.tuning.state import Trial, Tuning

Params = dict[str, Any]


def describe(plane: Plane, header: Header, tuning: Tuning) -> Params:
    """DescribeHyperParameterTuningJob's answer."""
    request = {key: value for key, value in header.request.items() if key != "Tags"}
    shown = {
        **request,
        **_definitions(request),
        "HyperParameterTuningJobArn": header.arn,
        "HyperParameterTuningJobStatus": str(tuning.status),
        **_times(tuning.created, tuning.modified, tuning.ended),
        **records.counters(tuning),
        **_best(plane, header, tuning),
        "FailureReason": tuning.failure,
        "TuningJobCompletionDetails": _details(header, tuning),
        "ConsumedResources": {
            "RuntimeInSeconds": round(
                (tuning.ended or max(plane.clock.now(), tuning.created)) - tuning.created
            )
        },
    }
    return {key: value for key, value in shown.items() if value is not None}


def _definitions(request: Params) -> Params:
    """The definitions with a ResourceConfig, also where one instance was named in the flexible way.

    SDK v2 names it so and attaches to a tuning by its ResourceConfig.
    """
    shown = [
        {**given, "ResourceConfig": children.resources(given)}
        if "InstanceType" in given.get("HyperParameterTuningResourceConfig", {})
        else given
        for given in requested.given_definitions(request)
    ]
    if request.get("TrainingJobDefinitions"):
        return {"TrainingJobDefinitions": shown}
    return {"TrainingJobDefinition": shown[0]}


def _times(created: float, modified: float, ended: float | None) -> Params:
    shown = {"CreationTime": names.moment(created), "LastModifiedTime": names.moment(modified)}
    return shown if ended is None else {**shown, "HyperParameterTuningEndTime": names.moment(ended)}


def _best(plane: Plane, header: Header, tuning: Tuning) -> Params:
    """BestTrainingJob, and OverallBestTrainingJob when a warm start asked for it."""
    found = requested.definitions(header.request)
    maximize = found[0].objective["Type"] == "Maximize"
    mine = judgement.best(maximize, tuning.evaluated)
    shown: Params = {}
    if mine is not None:
        shown["BestTrainingJob"] = children.summary(plane, mine, found[mine.definition])
    earlier = (records.prior(plane.store, header.name) or {}).get("best")
    if "WarmStartConfig" in header.request and earlier is not None:
        theirs = records.trial(earlier["trial"])
        overall = judgement.best(maximize, [one for one in (theirs, mine) if one is not None])
        if overall is not None:
            shown["OverallBestTrainingJob"] = {
                **children.summary(plane, overall, found[0]),
                "TuningJobName": earlier["tuning"] if overall is theirs else header.name,
            }
    elif _identical(header.request) and mine is not None:
        shown["OverallBestTrainingJob"] = {**shown["BestTrainingJob"], "TuningJobName": header.name}
    return shown


def _identical(request: Params) -> bool:
    return bool(request.get("WarmStartConfig", {}).get("WarmStartType") == "IdenticalDataAndAlgorithm")


def _details(header: Header, tuning: Tuning) -> Params:
    first = requested.definitions(header.request)[0]
    values = [trial.value for trial in tuning.evaluated if trial.value is not None]
    stale = judgement.not_improving(first.objective["Type"] == "Maximize", values)
    shown: Params = {"NumberOfTrainingJobsObjectiveNotImproving": stale}
    if tuning.converged is not None:
        shown["ConvergenceDetectedTime"] = names.moment(tuning.converged)
    return shown


def summary(kept: Params) -> Params:
    """HyperParameterTuningJobSummary, from a tuning's document alone."""
    config = kept["request"]["HyperParameterTuningJobConfig"]
    return {
        "HyperParameterTuningJobName": kept["name"],
        "HyperParameterTuningJobArn": kept["arn"],
        "HyperParameterTuningJobStatus": kept["status"],
        "Strategy": config["Strategy"],
        **_times(kept["created"], kept["modified"], kept["ended"]),
        **kept["counters"],
        "ResourceLimits": config["ResourceLimits"],
    }


def trial_record(plane: Plane, trial: Trial, definition: Definition) -> Params:
    """A trial for `listing.page`, with its summary."""
    shown = children.summary(plane, trial, definition)
    return {
        "name": trial.name,
        "created": trial.created,
        "modified": trial.ended or trial.created,
        "status": shown["TrainingJobStatus"],
        "value": trial.value,
        "shown": shown,
    }
