"""The files SageMaker puts below /opt/ml before a job starts."""

import json
from pathlib import Path
from typing import Any

Params = dict[str, Any]

HOST = "algo-1"
_GROUP = "homogeneousCluster"


def make_directories(ml: Path, *names: str) -> None:
    """The directories `names` below `ml`, private to us: data may be personal."""
    ml.mkdir(parents=True, mode=0o700)
    for name in names:
        (ml / name).mkdir(parents=True, exist_ok=True)


def write_training_config(ml: Path, params: Params) -> None:
    """hyperparameters.json, inputdataconfig.json, resourceconfig.json and, if asked for, checkpointconfig.json."""
    instance = params.get("ResourceConfig", {}).get("InstanceType", "ml.m5.large")
    _write(ml / "input/config/hyperparameters.json", params.get("HyperParameters", {}))
    _write(ml / "input/config/inputdataconfig.json", input_data_config(params))
    _write(ml / "input/config/resourceconfig.json", resource_config(instance))
    if "CheckpointConfig" in params:
        _write(ml / "input/config/checkpointconfig.json", params["CheckpointConfig"])


def write_processing_config(ml: Path, params: Params, arn: str) -> None:
    """processingjobconfig.json (the request, with the job's ARN) and resourceconfig.json."""
    instance = params["ProcessingResources"]["ClusterConfig"]["InstanceType"]
    request = {key: value for key, value in params.items() if key != "Tags"}
    _write(ml / "config/processingjobconfig.json", {"ProcessingJobArn": arn, **request})
    _write(ml / "config/resourceconfig.json", resource_config(instance))


def input_data_config(params: Params) -> Params:
    """What a container reads about its channels."""
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
    }


def resource_config(instance_type: str) -> Params:
    """A cluster of one."""
    group = {"instance_group_name": _GROUP, "instance_type": instance_type, "hosts": [HOST]}
    return {
        "current_host": HOST,
        "current_instance_type": instance_type,
        "current_group_name": _GROUP,
        "hosts": [HOST],
        "instance_groups": [group],
        "network_interface_name": "eth0",
    }


def _write(path: Path, document: Params) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document), encoding="utf-8")
