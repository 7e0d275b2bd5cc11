"""A job as a trial component: `<job>-aws-training-job`, with its parameters, artefacts, metrics and status.

Made when a job is created with ExperimentConfig; what it shows is read from the job each time, so it is never stale.
"""

import statistics
from collections.abc import Iterator
from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker.experiments.records import COMPONENT, EXPERIMENT, TRIAL
from penstock.localaws.sagemaker.names import moment
from penstock.localaws.sagemaker.plane import Plane

Params = dict[str, Any]
_LONGEST_NAME = 120


def check(plane: Plane, params: Params) -> None:
    """Refuse a job whose ExperimentConfig names what does not exist; raises ServiceError."""
    config = params.get("ExperimentConfig", {})
    if "ExperimentName" in config:
        EXPERIMENT.find(plane, config["ExperimentName"])
    if "TrialName" in config:
        trial = TRIAL.find(plane, config["TrialName"])
        if config.get("ExperimentName", trial["ExperimentName"]) != trial["ExperimentName"]:
            raise ServiceError(
                "ValidationException",
                f"Trial {config['TrialName']} is not in experiment {config['ExperimentName']}.",
            )


def note(plane: Plane, kind: str, name: str, arn: str, request: Params) -> None:
    """Make the component of a job that was just created with ExperimentConfig."""
    config = request.get("ExperimentConfig")
    if not config:
        return
    end = f"-aws-{kind}-job"
    component = f"{name[: _LONGEST_NAME - len(end)]}{end}"
    now = plane.clock.now()
    document = {
        "TrialComponentName": component,
        "DisplayName": config.get("TrialComponentDisplayName", component),
        "Source": {"SourceArn": arn, "SourceType": f"SageMaker{kind.capitalize()}Job"},
        "trials": [_trial(plane, config, name)],
        "created": now,
        "modified": now,
    }
    plane.store.put(COMPONENT.kind, component, document)


def _trial(plane: Plane, config: Params, job: str) -> str:
    """The trial named, or one of the job's own when only an experiment is."""
    if "TrialName" in config:
        return str(config["TrialName"])
    name = job[:_LONGEST_NAME]
    if "ExperimentName" in config and plane.store.get(TRIAL.kind, name) is None:
        TRIAL.create(plane, {"TrialName": name, "ExperimentName": config["ExperimentName"]})
    return name


def shown(plane: Plane, document: Params) -> Params:
    """The component as Describe shows it, with what its job says by now."""
    described = COMPONENT.shown(plane, document)
    source = document.get("Source", {}).get("SourceArn")
    stored = _job(plane, source) if source else None
    if stored is None:
        return described
    job, request = stored["job"], stored["request"]
    status = {"PrimaryStatus": job["status"], "Message": f"Status: {job['transitions'][-1]['status']}"}
    times = (("StartTime", job["started"]), ("EndTime", job["ended"]))
    described |= {"Status": status, **{name: moment(at) for name, at in times if at is not None}}
    described["Parameters"] = dict(_parameters(request))
    described["InputArtifacts"] = dict(_inputs(request))
    output = request.get("OutputDataConfig", {}).get("S3OutputPath")
    if output:
        described["OutputArtifacts"] = {
            "SageMaker.ModelArtifact": {"Value": f"{output.rstrip('/')}/{stored['name']}/output/model.tar.gz"}
        }
    metrics = list(_metrics(plane, stored))
    return described | ({"Metrics": metrics} if metrics else {})


def _job(plane: Plane, address: str) -> Params | None:
    """The job of that ARN as the store has it (see `jobs.work.Record`)."""
    kind, _, lowered = address.rpartition(":")[2].partition("/")
    jobs = plane.store.all(kind.removesuffix("-job"))
    return next((document for name, document in jobs if name.lower() == lowered), None)


def _parameters(request: Params) -> Iterator[tuple[str, Params]]:
    resources = request.get("ResourceConfig", {})
    image = request.get("AlgorithmSpecification", {}).get("TrainingImage")
    facts = {
        "SageMaker.ImageUri": image,
        "SageMaker.InstanceCount": resources.get("InstanceCount"),
        "SageMaker.InstanceType": resources.get("InstanceType"),
        "SageMaker.VolumeSizeInGB": resources.get("VolumeSizeInGB"),
        **request.get("HyperParameters", {}),
    }
    for name, value in facts.items():
        if value is not None:
            yield name, _value(value)


def _value(value: Any) -> Params:
    try:
        return {"NumberValue": float(value)}
    except ValueError:
        return {"StringValue": str(value)}


def _inputs(request: Params) -> Iterator[tuple[str, Params]]:
    for channel in request.get("InputDataConfig", []):
        uri = channel["DataSource"].get("S3DataSource", {}).get("S3Uri")
        if uri:
            kind = {"MediaType": channel["ContentType"]} if channel.get("ContentType") else {}
            yield channel["ChannelName"], {**kind, "Value": uri}


def _metrics(plane: Plane, stored: Params) -> Iterator[Params]:
    points: dict[str, list[tuple[float, float]]] = {}
    for name, value, at in (plane.store.get("training-points", stored["name"]) or {"points": []})["points"]:
        points.setdefault(name, []).append((value, at))
    for name, found in points.items():
        values = [value for value, _ in found]
        yield {
            "MetricName": name,
            "SourceArn": stored["arn"],
            "TimeStamp": moment(found[-1][1]),
            "Max": max(values),
            "Min": min(values),
            "Last": values[-1],
            "Count": len(values),
            "Avg": statistics.fmean(values),
            "StdDev": statistics.pstdev(values),
        }
