"""What the service model does not say about Create…Job requests: what AWS refuses besides, and what we do not have.

The words are AWS's where a public report has them. What only S3 or the images can tell is in `admission`.
"""

from collections.abc import Sequence
from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker.jobs import hosts

Params = dict[str, Any]

_LIMIT_WORDS = (
    "The account-level service limit '{type} for {what} job usage' is {limit} Instances, with current utilization of "
    "0 Instances and a request delta of {count} Instances. Please use AWS Service Quotas to request an increase for "
    "this quota. (The embedded AWS is one machine: it runs at most {limit} instances of a job.)"
)


def check_training(params: Params) -> None:
    """Refuse a training job AWS would refuse at once, or that asks for what the embedded AWS does not do."""
    algorithm = params.get("AlgorithmSpecification") or {}
    if algorithm.get("AlgorithmName"):
        raise _unsupported("algorithm by name (AlgorithmName)", "Give TrainingImage.")
    if not algorithm.get("TrainingImage"):
        raise _invalid("You must specify AlgorithmSpecification.TrainingImage.")
    if params.get("ServerlessJobConfig"):
        raise _unsupported("serverless training job", "Give ResourceConfig.")
    resources = params.get("ResourceConfig")
    if not resources:
        raise _invalid("You must specify ResourceConfig.")
    _check_instances("training", resources)
    _check_times(params)
    channels = params.get("InputDataConfig", [])
    names = [channel["ChannelName"] for channel in channels]
    if len(set(names)) != len(names):
        raise _invalid("Channel names must be unique within InputDataConfig.")
    groups = [group["InstanceGroupName"] for group in resources.get("InstanceGroups", [])]
    for channel in channels:
        _check_channel(channel, channel.get("InputMode", algorithm["TrainingInputMode"]), groups)


def _check_channel(channel: Params, mode: str, groups: Sequence[str]) -> None:
    name, source = channel["ChannelName"], channel["DataSource"].get("S3DataSource")
    if name in (".", ".."):
        raise _invalid(f"Channel name {name!r} cannot be the name of a directory.")
    if source is None:
        raise _unsupported(f"file system or dataset behind a channel ({name})", "Give an S3DataSource.")
    unknown = sorted(set(source.get("InstanceGroupNames") or []) - set(groups))
    if unknown:
        raise _invalid(
            f"Channel {name} names instance groups that are not in ResourceConfig: {', '.join(unknown)}."
        )
    if source["S3DataType"] == "Converse":
        raise _unsupported("S3DataType Converse", "Use S3Prefix, ManifestFile or AugmentedManifestFile.")
    if source["S3DataType"] == "AugmentedManifestFile":
        if mode != "Pipe":
            raise _invalid("AugmentedManifestFile can only be used if the channel's input mode is Pipe.")
        if not source.get("AttributeNames"):
            raise _invalid("AttributeNames must be given for S3DataType AugmentedManifestFile.")


def _check_times(params: Params) -> None:
    condition = params.get("StoppingCondition", {})
    longest = condition.get("MaxRuntimeInSeconds", 86_400)
    if params.get("EnableManagedSpotTraining") and condition.get("MaxWaitTimeInSeconds", 0) < longest:
        raise _invalid(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds"
        )


def check_processing(params: Params) -> None:
    """The same for a processing job."""
    _check_instances("processing", params["ProcessingResources"].get("ClusterConfig") or {})
    inputs = params.get("ProcessingInputs", [])
    outputs = params.get("ProcessingOutputConfig", {}).get("Outputs", [])
    for items, key in ((inputs, "InputName"), (outputs, "OutputName")):
        if len({item[key] for item in items}) != len(items):
            raise _invalid(f"{key} must be unique within a processing job.")
    for item in inputs:
        _check_input(item)
    for item in outputs:
        if not item.get("AppManaged") and not item.get("S3Output", {}).get("LocalPath"):
            raise _unsupported("processing output without S3Output and LocalPath", "Give both.")


def _check_input(item: Params) -> None:
    source = item.get("S3Input")
    if item.get("AppManaged"):
        return  # the job fetches it by itself
    if source is None or not source.get("LocalPath"):
        raise _unsupported("processing input without S3Input and LocalPath", "Give both.")
    if source.get("S3InputMode", "File") == "Pipe":
        raise _unsupported("input mode Pipe for processing jobs", "Use File.")
    if source.get("S3CompressionType", "None") == "Gzip":
        raise _invalid(
            "S3CompressionType Gzip can only be used if Pipe mode is specified as the S3InputMode."
        )
    if source["S3DataType"] not in ("S3Prefix", "ManifestFile"):
        raise _unsupported(f"S3DataType {source['S3DataType']}", "Use S3Prefix or ManifestFile.")


def _check_instances(what: str, resources: Params) -> None:
    """Known types, named groups, and no more instances than a machine bears."""
    groups = resources.get("InstanceGroups") or []
    if groups and (resources.get("InstanceType") or resources.get("InstanceCount")):
        raise _invalid("InstanceGroups cannot be given together with InstanceType and InstanceCount.")
    if len({group["InstanceGroupName"] for group in groups}) != len(groups):
        raise _invalid("InstanceGroupName must be unique within InstanceGroups.")
    if not groups and "InstanceType" not in resources:
        raise _unsupported(f"{what} job without InstanceType", "Give InstanceType and InstanceCount.")
    if any(not one.get("InstanceType") or one.get("InstanceCount", 1) < 1 for one in groups or [resources]):
        raise _invalid("InstanceCount must be at least 1, and every instance group needs an InstanceType.")
    count = sum(one.get("InstanceCount", 1) for one in groups or [resources])
    if count > hosts.MOST_INSTANCES:
        kind = (groups or [resources])[0]["InstanceType"]
        words = _LIMIT_WORDS.format(type=kind, what=what, limit=hosts.MOST_INSTANCES, count=count)
        raise ServiceError("ResourceLimitExceeded", words)


def _invalid(text: str) -> ServiceError:
    return ServiceError("ValidationException", text)


def _unsupported(what: str, instead: str) -> ServiceError:
    return ServiceError("UnsupportedOperation", f"The embedded AWS has no {what}. {instead}")
