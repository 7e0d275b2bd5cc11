"""What the service model does not say about Create…Job requests: what AWS refuses besides, and what we do not have."""

from typing import Any

from penstock.localaws.errors import ServiceError

Params = dict[str, Any]


def check_training(params: Params) -> None:
    """Refuse a training job AWS would refuse at once, or that asks for what the embedded AWS does not do."""
    algorithm = params.get("AlgorithmSpecification")
    if not algorithm or not algorithm.get("TrainingImage"):
        raise _invalid("You must specify AlgorithmSpecification.TrainingImage.")
    resources = params.get("ResourceConfig")
    if not resources:
        raise _invalid("You must specify ResourceConfig.")
    _one_instance("training", resources)
    channels = params.get("InputDataConfig", [])
    channel_names = [channel["ChannelName"] for channel in channels]
    if len(set(channel_names)) != len(channel_names):
        raise _invalid("Channel names must be unique within InputDataConfig.")
    for channel in channels:
        mode = channel.get("InputMode", algorithm["TrainingInputMode"])
        _check_channel(channel["DataSource"].get("S3DataSource"), mode)


def _check_channel(source: Params | None, mode: str) -> None:
    if source is None:
        raise _unsupported("a channel without S3DataSource", "Put the data in S3.")
    if mode == "Pipe":
        raise _unsupported("input mode Pipe", "Use File or FastFile.")
    _s3_source(source)


def check_processing(params: Params) -> None:
    """The same for a processing job."""
    _one_instance("processing", params["ProcessingResources"].get("ClusterConfig"))
    inputs = params.get("ProcessingInputs", [])
    outputs = params.get("ProcessingOutputConfig", {}).get("Outputs", [])
    for items, key in ((inputs, "InputName"), (outputs, "OutputName")):
        if len({item[key] for item in items}) != len(items):
            raise _invalid(f"{key} must be unique within a processing job.")
    for item in inputs:
        source = item.get("S3Input")
        if source is None or not source.get("LocalPath") or item.get("AppManaged"):
            raise _unsupported("a processing input without S3Input and LocalPath", "Give both.")
        if source.get("S3InputMode", "File") == "Pipe":
            raise _unsupported("input mode Pipe", "Use File.")
        _s3_source(source)
    for item in outputs:
        if not item.get("S3Output", {}).get("LocalPath") or item.get("AppManaged"):
            raise _unsupported("a processing output without S3Output and LocalPath", "Give both.")


def _s3_source(source: Params) -> None:
    if source["S3DataType"] not in ("S3Prefix", "ManifestFile"):
        raise _unsupported(f"S3DataType {source['S3DataType']}", "Use S3Prefix or ManifestFile.")


def _one_instance(what: str, resources: Params | None) -> None:
    resources = resources or {}
    if "InstanceType" not in resources:
        raise _unsupported(f"a {what} job without InstanceType", "Give an instance type and InstanceCount 1.")
    count, instance = resources.get("InstanceCount", 1), resources["InstanceType"]
    if count > 1:
        raise ServiceError(
            "ResourceLimitExceeded",
            f"The account-level service limit '{instance} for {what} job usage' is 1 Instances, with current "
            f"utilization of 0 Instances and a request delta of {count} Instances. "
            "The embedded AWS is one machine.",
        )


def _invalid(text: str) -> ServiceError:
    return ServiceError("ValidationException", text)


def _unsupported(what: str, instead: str) -> ServiceError:
    return ServiceError("UnsupportedOperation", f"The embedded AWS has no {what}. {instead}")
