"""The requests a run makes of Glue and SageMaker, whole and in AWS's own words: the machine only passes them on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

IMAGES = {"text_forest": "sklearn", "gradient_boosting": "xgboost"}
_PROCESSING = "/opt/ml/processing"
_METRICS = ("accuracy", "macro_f1", "auc", "log_loss", "f1", "pr_auc", "tpr_at_fpr", "rmse", "mae", "r2")
"""What train.py says of the validation rows, one a line; SageMaker keeps them with the job and in CloudWatch."""
_TRAIN_SECONDS, _EVALUATE_SECONDS, _VOLUME_GB = 3600, 3600, 10


class Place(Protocol):
    """Where a stage keeps things (chalicelib.settings.Settings is one)."""

    @property
    def stage(self) -> str:
        """Which copy of the product."""

    @property
    def bucket(self) -> str:
        """The stage's bucket."""

    @property
    def glue_job(self) -> str:
        """The job that prepares."""

    @property
    def glue_database(self) -> str:
        """The catalog."""

    @property
    def jobs_role_arn(self) -> str:
        """The role jobs run as."""

    @property
    def code_prefix(self) -> str:
        """Where the job code lies."""

    @property
    def images(self) -> Mapping[str, str]:
        """Container images by family."""

    @property
    def instance_type(self) -> str:
        """For training and evaluation."""


class Names:
    """Every name and S3 address of one run and attempt."""

    def __init__(self, place: Place, project: str, run: str, attempt: int, version: int) -> None:
        self.place, self.project, self.run, self.attempt, self.version = place, project, run, attempt, version
        self.root = f"s3://{place.bucket}"
        self.train_job = f"penstock-{place.stage}-{run}-{attempt}-train"
        self.evaluate_job = f"penstock-{place.stage}-{run}-{attempt}-eval"
        self.dataset = f"{self.root}/lake/{project}/prepared/version={version:06d}/"
        self.models = f"{self.root}/models/{project}/"
        self.artifact = f"{self.models}{self.train_job}/output/model.tar.gz"
        self.evaluation = f"{self.root}/runs/{run}/evaluate/"

    def of_run(self, name: str) -> str:
        """The address of one of the run's own documents."""
        return f"{self.root}/runs/{self.run}/{name}"

    def code(self, name: str) -> str:
        """The address of one of the job code's files."""
        return f"{self.root}/{self.place.code_prefix}/{name}"

    @property
    def tags(self) -> list[dict[str, str]]:
        """What cost reports and the clean-up go by."""
        return [
            {"Key": "penstock:project", "Value": self.project},
            {"Key": "penstock:run", "Value": self.run},
        ]


def claim_document(
    names: Names,
    spec: Mapping[str, Any],
    champion: Mapping[str, Any] | None,
    *,
    objects: int,
    claimed_now: int,
) -> dict[str, Any]:
    """Everything the later states need, under the key `claim` of the run document."""
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
        "train": train_request(names, spec),
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


def image_of(place: Place, spec: Mapping[str, Any]) -> str:
    """The container image of the spec's learner, for training, evaluation and serving alike."""
    return place.images[IMAGES[spec["learner"]["name"]]]


def train_request(names: Names, spec: Mapping[str, Any]) -> dict[str, Any]:
    """sagemaker:CreateTrainingJob in script mode."""
    channels = ["train", "validation"] if spec["split"]["validation"] else ["train"]
    data = [_channel(name, f"{names.dataset}{name}/", "application/x-parquet") for name in channels]
    return {
        "TrainingJobName": names.train_job,
        "AlgorithmSpecification": {
            "TrainingImage": image_of(names.place, spec),
            "TrainingInputMode": "File",
            "MetricDefinitions": [
                {"Name": f"validation:{metric}", "Regex": rf"^validation:{metric}=(\S+)"}
                for metric in _METRICS
            ],
        },
        "RoleArn": names.place.jobs_role_arn,
        "HyperParameters": hyperparameters(names, spec),
        "InputDataConfig": [*data, _channel("dataset", f"{names.dataset}dataset.json", "application/json")],
        "OutputDataConfig": {"S3OutputPath": names.models},
        "ResourceConfig": _machine(names.place),
        "StoppingCondition": {"MaxRuntimeInSeconds": _TRAIN_SECONDS},
        "Tags": names.tags,
    }


def hyperparameters(names: Names, spec: Mapping[str, Any]) -> dict[str, str]:
    """All strings, as the API wants; what script mode itself reads is JSON, as the SageMaker SDK sends it."""
    given = spec["learner"]["hyperparameters"].items()
    return {
        **{name: value if isinstance(value, str) else json.dumps(value) for name, value in given},
        "learner": spec["learner"]["name"],
        "project": names.project,
        "run": names.run,
        "sagemaker_program": json.dumps("train.py"),
        "sagemaker_submit_directory": json.dumps(names.code("training.tar.gz")),
    }


def evaluate_request(
    names: Names, spec: Mapping[str, Any], champion: Mapping[str, Any] | None
) -> dict[str, Any]:
    """sagemaker:CreateProcessingJob."""
    inputs = {
        "code": (names.code("source/"), "input/code"),
        "model": (names.artifact, "model"),
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
            "ImageUri": image_of(names.place, spec),
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
