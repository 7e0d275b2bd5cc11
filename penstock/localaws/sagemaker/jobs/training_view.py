"""How a training job is shown: DescribeTrainingJob's answer, and where its artefacts are. Pure.

Structures that are absent stay absent: clients parse strictly.
"""

from typing import Any

from penstock.localaws.sagemaker import names
from penstock.localaws.sagemaker.jobs import lifecycle
from penstock.localaws.sagemaker.jobs.work import Document, Record

DAY = 86_400
NOT_KEPT: Document = {
    "Status": "Terminated",
    "ResourceRetainedBillableTimeInSeconds": 0,
}  # a warm pool, afterwards
_NOT_SHOWN = ("Tags", "SessionChainingConfig")
_FLAGS = ("EnableNetworkIsolation", "EnableInterContainerTrafficEncryption", "EnableManagedSpotTraining")


def output(record: Record) -> str:
    """The S3 directory of a job's artefacts."""
    return f"{record.request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{record.name}/output"


def loose(record: Record) -> bool:
    """Whether the model is uploaded file by file."""
    return bool(record.request["OutputDataConfig"].get("CompressionType") == "NONE")


def artifact(record: Record) -> str:
    """The S3 address of the model."""
    return f"{output(record)}/model" + ("/" if loose(record) else ".tar.gz")


def describe(record: Record) -> Document:
    """DescribeTrainingJob's answer."""
    job = record.job
    described = {
        **_asked(record.request),
        "TrainingJobArn": record.arn,
        "ModelArtifacts": {"S3ModelArtifacts": artifact(record)},
        "TrainingJobStatus": str(job.status),
        "SecondaryStatus": str(job.secondary),
        "CreationTime": names.moment(job.created),
        "LastModifiedTime": names.moment(job.modified),
        "SecondaryStatusTransitions": [_transition(one) for one in job.transitions],
        "FailureReason": job.failure,
        "TrainingStartTime": names.moment(job.started) if job.started is not None else None,
        "TrainingEndTime": names.moment(job.ended) if job.ended is not None else None,
        "TrainingTimeInSeconds": job.billable_seconds,
        "BillableTimeInSeconds": job.billable_seconds,
        "WarmPoolStatus": _warm_pool(record),
        "FinalMetricDataList": [
            {**metric, "Timestamp": names.moment(metric["Timestamp"])}
            for metric in record.extras.get("metrics", [])
        ],
    }
    return {key: value for key, value in described.items() if value not in (None, [], {})}


def _asked(request: Document) -> Document:
    """The request with AWS's defaults."""
    asked = {
        **dict.fromkeys(_FLAGS, False),
        **{key: value for key, value in request.items() if key not in _NOT_SHOWN},
        "StoppingCondition": {"MaxRuntimeInSeconds": DAY, **request.get("StoppingCondition", {})},
        "OutputDataConfig": {"KmsKeyId": "", "CompressionType": "GZIP", **request["OutputDataConfig"]},
    }
    if "ProfilerConfig" in request:
        asked["ProfilingStatus"] = (
            "Disabled" if request["ProfilerConfig"].get("DisableProfiler") else "Enabled"
        )
    if "InputDataConfig" in request:
        defaults = {"CompressionType": "None", "RecordWrapperType": "None"}
        asked["InputDataConfig"] = [{**defaults, **channel} for channel in request["InputDataConfig"]]
    return asked


def _warm_pool(record: Record) -> Document | None:
    """Of a job that asked to keep its instances: it has them while it runs; afterwards nothing is kept here."""
    if not record.request.get("ResourceConfig", {}).get("KeepAlivePeriodInSeconds"):
        return None
    if not record.job.over:
        return {"Status": "InUse"}
    return dict(NOT_KEPT)


def _transition(one: lifecycle.Transition) -> Document:
    shown: dict[str, Any] = {
        "Status": str(one.status),
        "StartTime": names.moment(one.started),
        "StatusMessage": one.message,
    }
    return shown if one.ended is None else {**shown, "EndTime": names.moment(one.ended)}
