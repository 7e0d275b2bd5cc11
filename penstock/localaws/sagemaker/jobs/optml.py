"""The files SageMaker puts below /opt/ml before a job starts."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from penstock.localaws.sagemaker.jobs import hosts
from penstock.localaws.sagemaker.jobs.hosts import Host

Params = dict[str, Any]


def make_directories(ml: Path, *names: str) -> None:
    """The directories `names` below `ml`, private to us: data may be personal."""
    ml.mkdir(parents=True, mode=0o700)
    for name in names:
        (ml / name).mkdir(parents=True, exist_ok=True)


def write_training_config(ml: Path, params: Params, members: Sequence[Host], current: Host) -> None:
    """hyperparameters.json, inputdataconfig.json, resourceconfig.json and, if asked for, checkpointconfig.json."""
    _write(ml / "input/config/hyperparameters.json", params.get("HyperParameters", {}))
    _write(ml / "input/config/inputdataconfig.json", input_data_config(params, current))
    _write(ml / "input/config/resourceconfig.json", hosts.resource_config(members, current))
    if "CheckpointConfig" in params:
        _write(ml / "input/config/checkpointconfig.json", params["CheckpointConfig"])


def write_processing_config(
    ml: Path, params: Params, arn: str, members: Sequence[Host], current: Host
) -> None:
    """processingjobconfig.json (the request, with the job's ARN) and resourceconfig.json."""
    request = {key: value for key, value in params.items() if key != "Tags"}
    _write(ml / "config/processingjobconfig.json", {"ProcessingJobArn": arn, **request})
    _write(ml / "config/resourceconfig.json", hosts.resource_config(members, current))


def input_data_config(params: Params, current: Host | None = None) -> Params:
    """What a container reads about its channels; those of other instance groups are not among them."""
    default_mode = params["AlgorithmSpecification"]["TrainingInputMode"]
    return {
        channel["ChannelName"]: {
            **({"ContentType": channel["ContentType"]} if channel.get("ContentType") else {}),
            "TrainingInputMode": channel.get("InputMode", default_mode),
            "S3DistributionType": channel["DataSource"]["S3DataSource"].get(
                "S3DataDistributionType", "FullyReplicated"
            ),
            "RecordWrapperType": channel.get("RecordWrapperType", "None"),
        }
        for channel in params.get("InputDataConfig", [])
        if current is None or reaches(channel, current)
    }


def reaches(channel: Params, host: Host) -> bool:
    """Whether a channel is for this host."""
    groups = channel["DataSource"]["S3DataSource"].get("InstanceGroupNames")
    return bool(hosts.in_groups([host], groups or []))


def _write(path: Path, document: Params) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")
