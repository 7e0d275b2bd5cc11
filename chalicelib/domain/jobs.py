"""The requests a run makes of Glue and SageMaker, whole and in AWS's own words: the machine only passes them on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.places import Names, Place
from chalicelib.domain.project import LOWER_IS_BETTER, METRICS

IMAGES = {
    "curve": "sklearn",
    "gradient_boosting": "xgboost",
    "script": "sklearn",
    "text_cnn": "sklearn",
    "text_forest": "sklearn",
    "text_linear": "sklearn",
    "text_sequence": "sklearn",
    "word_vectors": "sklearn",
}
JOB_IMAGES = {"text_cnn": "pytorch", "text_sequence": "pytorch"}
"""Where training (and Evaluate, which may fit anew) takes another image than serving: NumPy answers with a network."""
_PROCESSING = "/opt/ml/processing"
TOLD = (
    "accuracy",
    "macro_f1",
    "auc",
    "log_loss",
    "f1",
    "pr_auc",
    "tpr_at_fpr",
    "rmse",
    "mae",
    "r2",
    "neighbour_auc",
    "coverage",
)
"""What train.py says of the validation rows, one a line; SageMaker keeps them with the job and in CloudWatch."""
_EACH_ROUND = {"log_loss": "m?logloss", "rmse": "rmse"}
"""What boosting calls them on the way, `[12] train-logloss:… validation-logloss:…`; tuning stops early by these."""
OURS = ("learner", "project", "run")
"""Hyperparameters of train.py itself, not of a learner."""
_MODEL = "model"
"""The channel an earlier model comes in by, for a learner that goes on from it."""
_TRAIN_SECONDS, _EVALUATE_SECONDS, _VOLUME_GB = 3600, 3600, 10


@dataclass(frozen=True, slots=True)
class Fit:
    """What one training job fits, and for how many seconds at most; `model` is where it goes on from, if anywhere."""

    job: str
    learner: str
    hyperparameters: Mapping[str, Any]
    seconds: int = _TRAIN_SECONDS
    model: str | None = None


def claim_document(
    names: Names,
    spec: Mapping[str, Any],
    champion: Mapping[str, Any] | None,
    learning: Mapping[str, Any],
    *,
    objects: int,
    claimed_now: int,
) -> dict[str, Any]:
    """Everything the later states need, under the key `claim` of the run document.

    `learning` is what the spec's way to a model asks for: exactly one of `train`, `tune` and `auto`.
    """
    return {
        "objects": objects,
        "claimed_now": claimed_now,
        "version": names.version,
        "learner": spec["learner"]["name"],
        "objects_uri": names.of_run("objects.json"),
        "spec_uri": names.of_run("project.json"),
        "prepare_uri": names.of_run("prepare.json"),
        "dataset_uri": names.dataset,
        "artifact_uri": names.artifact,
        "scorecard_uri": f"{names.evaluation}scorecard.json",
        "report_uri": f"{names.evaluation}report.html",
        "probe_uri": f"{names.evaluation}probe.json",
        "champion": dict(champion) if champion else None,
        "prepare": prepare_request(names),
        **learning,
        "evaluate": evaluate_request(names, spec, champion),
    }


def prepare_request(names: Names) -> dict[str, Any]:
    """glue:StartJobRun."""
    arguments = {
        "--project": names.project,
        "--run": names.run,
        "--version": str(names.version),
        "--bucket": names.place.bucket,
        "--database": names.place.glue_database,
        "--objects_uri": names.of_run("objects.json"),
        "--spec_uri": names.of_run("project.json"),
        "--result_uri": names.of_run("prepare.json"),
        "--lake_uri": f"{names.root}/lake/{names.project}/",
    }
    return {"JobName": names.place.glue_job, "Arguments": arguments}


def erase_request(
    place: Place, project: str, erasure: str, spec_uri: str, capture_prefix: str
) -> dict[str, Any]:
    """glue:StartJobRun of an erasure. The keys themselves are in a document: arguments can be read for months."""
    arguments = {
        "--project": project,
        "--erasure": erasure,
        "--bucket": place.bucket,
        "--work_prefix": f"runs/erasures/{project}/{erasure}/",
        "--spec_uri": spec_uri,
        "--capture_prefix": capture_prefix,
    }
    return {"JobName": f"penstock-{place.stage}-erase", "Arguments": arguments}


def learner_name(spec: Mapping[str, Any]) -> str:
    """The spec's learner; of `auto` nothing is known before the candidates are ranked."""
    return str(spec["learner"]["name"])


def image_of(place: Place, learner: str) -> str:
    """The container image that serves what a learner makes."""
    return place.images[IMAGES.get(learner, "sklearn")]


def job_image_of(place: Place, learner: str) -> str:
    """The container image a learner is trained and evaluated in."""
    return place.images[JOB_IMAGES.get(learner) or IMAGES.get(learner, "sklearn")]


def learner_of(document: Mapping[str, Any]) -> str:
    """The learner whose model a run goes on with: the one that Rank chose, else the one Claim named."""
    return str(document["train"].get("learner") or document["claim"]["learner"])


def objective(spec: Mapping[str, Any]) -> tuple[str, bool]:
    """The metric of the validation rows that candidates are compared by, and whether lower is better.

    The spec's own for tuning, else the gate's, else, when train.py does not tell that one, the task's first.
    """
    wanted = (spec.get("tune", {}).get("metric"), spec["gate"]["metric"], METRICS[spec["task"]][0])
    metric = next(one for one in wanted if one in TOLD)
    return metric, metric in LOWER_IS_BETTER


WARM_STARTS = frozenset({"gradient_boosting"})
"""Learners that can go on from an earlier model of theirs."""


def only_fit(names: Names, spec: Mapping[str, Any], champion: Mapping[str, Any] | None) -> Fit:
    """The one training job of a spec that names its learner; from the released model on, if it says so and they match.

    train.py looks closer, at classes, columns and sides, and begins anew where going on would not be honest.
    """
    learner, given = learner_name(spec), spec["learner"]["hyperparameters"]
    warm = spec["retrain"]["warm_start"] and learner in WARM_STARTS
    same = champion is not None and champion.get("learner") == learner
    return Fit(
        names.train_job,
        learner,
        given,
        model=str(champion["artifact_uri"]) if champion and warm and same else None,
    )


def train_request(names: Names, spec: Mapping[str, Any], fit: Fit) -> dict[str, Any]:
    """sagemaker:CreateTrainingJob in script mode."""
    return {
        "TrainingJobName": fit.job,
        "HyperParameters": hyperparameters(names, fit),
        **definition(names, spec, fit),
        "Tags": names.tags,
    }


def definition(names: Names, spec: Mapping[str, Any], fit: Fit) -> dict[str, Any]:
    """What a training job is besides its name and hyperparameters; a tuning job says it of all of its own."""
    channels = ["train", "validation"] if spec["split"]["validation"] else ["train"]
    data = [_channel(name, f"{names.dataset}{name}/", "application/x-parquet") for name in channels]
    data.append(_channel("dataset", f"{names.dataset}dataset.json", "application/json"))
    if fit.learner == "script":
        archive = f"{names.root}/drop/{names.project}/{spec['learner']['source']}"
        data.append(_channel("source", archive, "application/gzip"))
    if fit.model:
        data.append(_channel(_MODEL, fit.model, "application/x-tar"))
    return {
        "AlgorithmSpecification": {
            "TrainingImage": job_image_of(names.place, fit.learner),
            "TrainingInputMode": "File",
            "MetricDefinitions": [
                {"Name": f"validation:{metric}", "Regex": _pattern(metric)} for metric in TOLD
            ],
        },
        "RoleArn": names.place.jobs_role_arn,
        "InputDataConfig": data,
        "OutputDataConfig": {"S3OutputPath": names.models},
        "ResourceConfig": _machine(names.place),
        "StoppingCondition": {"MaxRuntimeInSeconds": fit.seconds},
    }


def _pattern(metric: str) -> str:
    """The expression that finds a metric in what training says, at its end and, where it is told, in each round."""
    each = rf"|\[\d+\] .*validation-{_EACH_ROUND[metric]}:" if metric in _EACH_ROUND else ""
    return rf"^(?:validation:{metric}={each})(\S+)"


def hyperparameters(names: Names, fit: Fit) -> dict[str, str]:
    """All strings, as the API wants; what script mode itself reads is JSON, as the SageMaker SDK sends it."""
    return {
        **{name: as_text(value) for name, value in fit.hyperparameters.items()},
        "learner": fit.learner,
        "project": names.project,
        "run": names.run,
        "sagemaker_program": json.dumps("train.py"),
        "sagemaker_submit_directory": json.dumps(names.code("training.tar.gz")),
    }


def own_hyperparameters(given: Mapping[str, str]) -> dict[str, str]:
    """A learner's own of all that a training job was given."""
    return {
        name: value
        for name, value in given.items()
        if name not in OURS and not name.startswith(("sagemaker_", "_"))
    }


def as_text(value: Any) -> str:
    """A hyperparameter as the API takes it."""
    return value if isinstance(value, str) else json.dumps(value)


def evaluate_request(
    names: Names,
    spec: Mapping[str, Any],
    champion: Mapping[str, Any] | None,
    *,
    learner: str | None = None,
    artifact: str | None = None,
) -> dict[str, Any]:
    """sagemaker:CreateProcessingJob, for the model of Train, or for the one that Rank chose."""
    inputs = {
        "code": (names.code("source/"), "input/code"),
        "model": (artifact or names.artifact, "model"),
        "test": (f"{names.dataset}test/", "test"),
        "train": (f"{names.dataset}train/", "train"),
        "dataset": (f"{names.dataset}dataset.json", "dataset"),
        "spec": (names.of_run("project.json"), "spec"),
    }
    if spec["split"]["validation"]:
        inputs["validation"] = (f"{names.dataset}validation/", "validation")
    if champion:
        inputs["champion"] = (str(champion["artifact_uri"]), "champion")
    return {
        "ProcessingJobName": names.evaluate_job,
        "AppSpecification": {
            "ImageUri": job_image_of(names.place, learner or learner_name(spec)),
            "ContainerEntrypoint": ["python3", f"{_PROCESSING}/input/code/evaluate.py"],
        },
        "RoleArn": names.place.jobs_role_arn,
        "Environment": {
            "PENSTOCK_STAGE": names.place.stage,
            "PENSTOCK_PROJECT": names.project,
            "PENSTOCK_RUN": names.run,
        },
        "ProcessingInputs": [_input(name, *where) for name, where in inputs.items()],
        "ProcessingOutputConfig": {"Outputs": _outputs(names)},
        "ProcessingResources": {"ClusterConfig": _machine(names.place)},
        "StoppingCondition": {"MaxRuntimeInSeconds": _EVALUATE_SECONDS},
        "Tags": names.tags,
    }


def _channel(name: str, uri: str, content_type: str) -> dict[str, Any]:
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, "S3DataDistributionType": "FullyReplicated"}
    return {
        "ChannelName": name,
        "ContentType": content_type,
        "InputMode": "File",
        "DataSource": {"S3DataSource": source},
    }


def _input(name: str, uri: str, path: str) -> dict[str, Any]:
    source = {
        "S3Uri": uri,
        "LocalPath": f"{_PROCESSING}/{path}",
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
        "S3DataDistributionType": "FullyReplicated",
    }
    return {"InputName": name, "S3Input": source}


def _outputs(names: Names) -> list[dict[str, Any]]:
    """The judgement for people and the machine, and its figures and predictions as tables of the lake."""
    lake, version = f"{names.root}/lake/{names.project}/", f"version={names.version:06d}/"
    places = {
        "evaluate": (names.evaluation, "output"),
        "scorecards": (f"{lake}scorecards/{version}", "scorecards"),
        "predictions": (f"{lake}predictions/{version}", "predictions"),
    }
    return [
        {
            "OutputName": name,
            "S3Output": {"S3Uri": uri, "LocalPath": f"{_PROCESSING}/{path}", "S3UploadMode": "EndOfJob"},
        }
        for name, (uri, path) in places.items()
    ]


def _machine(place: Place) -> dict[str, Any]:
    return {"InstanceType": place.instance_type, "InstanceCount": 1, "VolumeSizeInGB": _VOLUME_GB}
