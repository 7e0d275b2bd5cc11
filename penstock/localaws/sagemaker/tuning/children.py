"""The training jobs a tuning launches: what they are asked to do, and what came of them."""

import hashlib
from collections.abc import Mapping
from typing import Any

from penstock.localaws.sagemaker import names
from penstock.localaws.sagemaker.jobs import lifecycle, training
from penstock.localaws.sagemaker.jobs.work import Record
from penstock.localaws.sagemaker.plane import Plane
from penstock.localaws.sagemaker.tuning.checks import invalid
from penstock.localaws.sagemaker.tuning.core import Ending
from penstock.localaws.sagemaker.tuning.requested import Definition, Params
from penstock.localaws.sagemaker.tuning.state import Fate, Trial, Tuning

_REASON_LIMIT = 1024
_COPIED = (
    "RoleArn",
    "InputDataConfig",
    "VpcConfig",
    "OutputDataConfig",
    "StoppingCondition",
    "EnableNetworkIsolation",
    "EnableInterContainerTrafficEncryption",
    "EnableManagedSpotTraining",
    "CheckpointConfig",
    "Environment",
)


def name(tuning: str, born: float, number: int) -> str:
    """`<tuning>-NNN-<hash>`; the same for the same tuning and number, so that no training job is launched twice."""
    digest = hashlib.sha256(f"{tuning}/{born!r}/{number}".encode()).hexdigest()[:8]
    return f"{tuning}-{number:03d}-{digest}"


def request(definition: Definition, job: str, values: Mapping[str, str], tuning_arn: str) -> Params:
    """The CreateTrainingJob request of one setting; Describe shows its TuningJobArn as it shows the rest."""
    given = definition.given
    return {
        "TrainingJobName": job,
        "HyperParameters": {**given.get("StaticHyperParameters", {}), **values},
        "AlgorithmSpecification": given["AlgorithmSpecification"],
        "ResourceConfig": resources(given),
        "TuningJobArn": tuning_arn,
        **{key: given[key] for key in _COPIED if key in given},
    }


def resources(given: Params) -> Params:
    """The instances: of HyperParameterTuningResourceConfig the first choice, which this machine always has."""
    flexible = given.get("HyperParameterTuningResourceConfig")
    if flexible is None:
        found: Params = given["ResourceConfig"]
        return found
    kept = {key: flexible[key] for key in ("VolumeKmsKeyId",) if key in flexible}
    first = flexible.get("InstanceConfigs", [flexible])[0]
    wanted = ("InstanceType", "InstanceCount", "VolumeSizeInGB")
    return {**kept, **{key: first[key] for key in wanted if key in first}}


def predefined(given: Params) -> set[str]:
    """The metrics the image's own algorithm reports; none when it runs a script."""
    asked = {
        "AlgorithmSpecification": {**given["AlgorithmSpecification"], "MetricDefinitions": []},
        "HyperParameters": given.get("StaticHyperParameters", {}),
    }
    return {one["Name"] for one in training.definitions(asked)}


def check_metric(definition: Definition) -> None:
    """Refuse an objective no training job can report. Raises ServiceError."""
    algorithm = definition.given["AlgorithmSpecification"]
    if not algorithm.get("TrainingImage"):
        raise invalid("You must specify AlgorithmSpecification.TrainingImage.")
    built_in, own = predefined(definition.given), algorithm.get("MetricDefinitions", [])
    if built_in and own:
        raise invalid(
            "You can't override the metric definitions for Amazon SageMaker algorithms. "
            "Please retry the request without specifying metric definitions."
        )
    if built_in and definition.metric not in built_in:
        raise invalid(
            f"The objective metric, [{definition.metric}], isn't valid for the [{algorithm['TrainingImage']}] "
            f"algorithm. Choose a valid objective metric: {sorted(built_in)}."
        )
    if not built_in and definition.metric not in {one["Name"] for one in own}:
        raise invalid(
            "A metric is required for this hyperparameter tuning job objective. "
            "Provide a metric in the metric definitions."
        )


def stored(plane: Plane, job: str) -> Record | None:
    """The training job as it stands; None when there is none."""
    document = plane.store.get(training.KIND.name, job)
    return None if document is None else Record.read(document)


def ending(record: Record, metric: str, at: float) -> Ending:
    """What a training job that is over tells its tuning."""
    job = record.job
    final = {one["MetricName"]: one["Value"] for one in record.extras.get("metrics", [])}
    return Ending(
        at,
        _fate(job),
        value=final.get(metric),
        started=job.started,
        ended=job.ended,
        failure=job.failure,
    )


def _fate(job: lifecycle.Job) -> Fate:
    if job.status is lifecycle.Status.COMPLETED:
        return Fate.COMPLETED
    if job.status is lifecycle.Status.STOPPED:
        return Fate.STOPPED
    internal = (job.failure or "").startswith("InternalServerError")
    return Fate.LOST if internal else Fate.FAILED


def curve(plane: Plane, job: str, metric: str) -> list[float]:
    """The objective a training job has reported so far, epoch by epoch."""
    return [value for reported, value, _ in training.points(plane, job) if reported == metric]


def explained(failure: str, tuning: Tuning, found: list[Definition]) -> str:
    """The tuning's FailureReason, with what AWS leaves its reader to find out: no line matched the regex."""
    silent = [trial for trial in tuning.trials if trial.fate is Fate.COMPLETED and trial.value is None]
    if not silent:
        return failure[:_REASON_LIMIT]
    definition, first = found[silent[0].definition], silent[0]
    said = (
        f"{failure} {len(silent)} completed without the objective metric {definition.metric}: no line of their logs "
        f'matched its regular expression "{_regex(definition)}". Compare it with what they printed: log group '
        f"{training.LOG_GROUP}, streams {first.name}/algo-1-*."
    )
    return said[:_REASON_LIMIT]


def _regex(definition: Definition) -> str:
    given = definition.given
    asked: dict[str, Any] = {
        "AlgorithmSpecification": given["AlgorithmSpecification"],
        "HyperParameters": given.get("StaticHyperParameters", {}),
    }
    matching = [one["Regex"] for one in training.definitions(asked) if one["Name"] == definition.metric]
    return matching[0][:300] if matching else ""


def summary(plane: Plane, trial: Trial, definition: Definition) -> Params:
    """HyperParameterTrainingJobSummary; of a trial that runs, its training job tells how it stands."""
    record = stored(plane, trial.name) if trial.running else None
    job = record.job if record else None
    started = job.started if job else trial.started
    shown = {
        "TrainingJobDefinitionName": definition.name,
        "TrainingJobName": trial.name,
        "TrainingJobArn": names.arn(plane.place, "training-job", trial.name),
        "CreationTime": names.moment(trial.created),
        "TrainingStartTime": None if started is None else names.moment(started),
        "TrainingEndTime": None if trial.ended is None else names.moment(trial.ended),
        "TrainingJobStatus": _status(trial, job),
        "TunedHyperParameters": dict(trial.values),
        "FailureReason": trial.failure,
        "ObjectiveStatus": objective_status(trial),
        "FinalHyperParameterTuningJobObjectiveMetric": _final(trial, definition),
    }
    return {key: value for key, value in shown.items() if value is not None}


def _status(trial: Trial, job: lifecycle.Job | None) -> str:
    if trial.running:
        stopping = job is not None and job.status is lifecycle.Status.STOPPING
        return "Stopping" if stopping else "InProgress"
    return {Fate.COMPLETED: "Completed", Fate.STOPPED: "Stopped"}.get(trial.fate, "Failed")


def objective_status(trial: Trial) -> str:
    """ObjectiveStatus of a trial."""
    if trial.running:
        return "Pending"
    return "Failed" if trial.value is None else "Succeeded"


def _final(trial: Trial, definition: Definition) -> Params | None:
    if trial.value is None:
        return None
    return {"Type": definition.objective["Type"], "MetricName": definition.metric, "Value": trial.value}
