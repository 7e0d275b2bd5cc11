"""Training jobs: their /opt/ml, their command, their artefacts, and how Describe shows them."""

import json
from pathlib import Path
from typing import Any

from penstock.localaws.execution.environment import job_environment
from penstock.localaws.execution.process import Process, ProcessSpec
from penstock.localaws.sagemaker import images, names
from penstock.localaws.sagemaker.faults import client_error
from penstock.localaws.sagemaker.jobs import lifecycle, optml, transfers
from penstock.localaws.sagemaker.jobs.cluster import Cluster
from penstock.localaws.sagemaker.jobs.metrics import MetricReader, Point
from penstock.localaws.sagemaker.jobs.runner import Runner
from penstock.localaws.sagemaker.jobs.work import Document, Kind, Record, exit_failure, read_text
from penstock.localaws.sagemaker.plane import Plane

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
_DAY = 86_400
_SCRIPT_MODE = str(Path(__file__).with_name("script_mode.py"))
_DIRECTORIES = (
    "input/config",
    "input/data",
    "model",
    "output/data",
    "output/intermediate",
    "code",
    "checkpoints",
)
_POINTS = "training-points"  # apart from the job: lists need not read them
_NAMESPACE = "/aws/sagemaker/TrainingJobs"


class TrainingWork:
    """One training job."""

    def __init__(self, plane: Plane, record: Record, directory: Path) -> None:
        self._plane = plane
        self._record = record
        self._request = record.request
        self._directory = directory
        self._ml = directory / "opt/ml"
        self._metrics = MetricReader(definitions(self._request))

    def prepare(self) -> None:
        """Download every channel and the script's source."""
        images.find(self._request["AlgorithmSpecification"]["TrainingImage"])
        argv = self._command()
        optml.make_directories(self._ml, *_DIRECTORIES)
        (self._directory / "home").mkdir()
        optml.write_training_config(self._ml, self._request)
        for channel in self._request.get("InputDataConfig", []):
            self._download(channel)
        self._restore_checkpoints()
        if argv[-1] == _SCRIPT_MODE:
            self._unpack_source()

    def start(self, threads: int) -> Cluster:
        """Start its one instance."""
        specs = [self._instance(threads)]
        return Cluster(self._plane.execution, specs, self._failure, lifecycle.STOP_GRACE_SECONDS)

    def _instance(self, threads: int) -> ProcessSpec:
        image = images.find(self._request["AlgorithmSpecification"]["TrainingImage"])
        argv = self._command()
        cwd = "/opt/ml/code" if argv[-1] == _SCRIPT_MODE else str(self._directory / "home")
        stream = f"{self._record.name}/{optml.HOST}-{int(self._plane.clock.now())}"
        return ProcessSpec(
            argv,
            self._environment(image.module, threads),
            cwd,
            optml=self._ml,
            log=(LOG_GROUP, stream),
            escape_tabs=True,
            on_line=self._read_metrics,
        )

    def _environment(self, module: str, threads: int) -> dict[str, str]:
        return {
            **job_environment(self._plane.place, str(self._directory / "home"), threads),
            "TRAINING_JOB_NAME": self._record.name,
            "TRAINING_JOB_ARN": self._record.arn,
            "SAGEMAKER_JOB_NAME": self._record.name,
            "SAGEMAKER_REGION": self._plane.place.region,
            "SAGEMAKER_TRAINING_MODULE": module,
            **self._code_of_ours(),
            **self._request.get("Environment", {}),
        }

    def _code_of_ours(self) -> Document:
        """Where a built-in algorithm is; a person's script does not get to see our modules."""
        ours = self._command()[1:2] == ("-m",)
        return {"PYTHONPATH": str(self._plane.place.serving_root), "PYTHONSAFEPATH": "1"} if ours else {}

    def _command(self) -> tuple[str, ...]:
        algorithm = self._request["AlgorithmSpecification"]
        given = algorithm.get("ContainerEntrypoint", []) + algorithm.get("ContainerArguments", [])
        if given:
            return tuple(given)
        if "sagemaker_program" in self._request.get("HyperParameters", {}):
            return (self._plane.place.python, _SCRIPT_MODE)
        image = images.find(algorithm["TrainingImage"])
        if image.algorithm is None:
            raise client_error(
                "This image runs in script mode only, and the hyperparameter sagemaker_program is missing. "
                "Give sagemaker_program and sagemaker_submit_directory, or ContainerEntrypoint."
            )
        return (self._plane.place.python, "-m", f"penstock.localaws.containers.{image.algorithm}.train")

    def _unpack_source(self) -> None:
        given = _plain(self._request["HyperParameters"].get("sagemaker_submit_directory", ""))
        if given.startswith("s3://"):
            archive = self._directory / "source.tar.gz"
            transfers.download_object(self._plane.client("s3"), given, archive)
            transfers.extract_tar(archive, self._ml / "code")
            archive.unlink()

    def _download(self, channel: Document) -> None:
        source = channel["DataSource"]["S3DataSource"]
        target = self._ml / "input/data" / channel["ChannelName"]
        target.mkdir()
        fetch = (
            transfers.download_manifest
            if source["S3DataType"] == "ManifestFile"
            else transfers.download_prefix
        )
        fetch(self._plane.client("s3"), source["S3Uri"], target)

    def _checkpoints(self) -> tuple[str, Path] | None:
        config = self._request.get("CheckpointConfig")
        if config is None:
            return None
        return config["S3Uri"], self._inside(config.get("LocalPath", "/opt/ml/checkpoints"))

    def _inside(self, path: str) -> Path:
        if not path.startswith("/opt/ml/"):
            raise client_error(f"{path} is not below /opt/ml")
        return self._ml / transfers.safe(path.removeprefix("/opt/ml/"))

    def _restore_checkpoints(self) -> None:
        checkpoints = self._checkpoints()
        if checkpoints is not None:
            checkpoints[1].mkdir(parents=True, exist_ok=True)
            if transfers.exists(self._plane.client("s3"), checkpoints[0]):
                transfers.download_prefix(self._plane.client("s3"), *checkpoints)

    def _read_metrics(self, _source: str, line: str) -> None:
        self._metrics.read(line, self._plane.clock.now())

    def _failure(self, code: int, process: Process) -> str | None:
        """A code that is not 0 is a failure; /opt/ml/output/failure says why."""
        if code == 0:
            return None
        return exit_failure(code, read_text(self._ml / "output/failure", lifecycle.REASON_LIMIT), process)

    def upload(self, failed: bool) -> None:
        """The model (unless the job failed), output/data when there is any, checkpoints, metrics."""
        s3, scratch = self._plane.client("s3"), self._directory / "artifact.tar.gz"
        if not failed:
            self._upload_model(s3, scratch)
        if next(transfers.files_below(self._ml / "output/data"), None) is not None:
            transfers.upload_tar(
                s3, self._ml / "output/data", f"{output(self._record)}/output.tar.gz", scratch
            )
        checkpoints = self._checkpoints()
        if checkpoints is not None:
            transfers.upload_directory(s3, checkpoints[1], checkpoints[0])
        self._put_metrics()

    def _upload_model(self, s3: Any, scratch: Path) -> None:
        if self._request["OutputDataConfig"].get("CompressionType") == "NONE":
            transfers.upload_directory(s3, self._ml / "model", artifact(self._record))
        else:
            transfers.upload_tar(s3, self._ml / "model", artifact(self._record), scratch)

    def _put_metrics(self) -> None:
        self._plane.store.put(_POINTS, self._record.name, {"points": self.points()})
        dimension = [{"Name": "TrainingJobName", "Value": self._record.name}]
        data = [
            {"MetricName": name, "Value": value, "Timestamp": names.moment(at), "Dimensions": dimension}
            for name, value, at in self._metrics.points
        ]
        for start in range(0, len(data), 1000):
            self._plane.client("cloudwatch").put_metric_data(
                Namespace=_NAMESPACE, MetricData=data[start : start + 1000]
            )

    def extras(self) -> Document:
        """The metrics' last values."""
        return {"metrics": self._metrics.final()}

    def points(self) -> list[Point]:
        """Every metric value so far, oldest first."""
        return self._metrics.all()


def definitions(request: Document) -> list[Document]:
    """The metric definitions that hold for a job: its own, and those of its image's algorithm when it runs that."""
    algorithm = request["AlgorithmSpecification"]
    given: list[Document] = list(algorithm.get("MetricDefinitions", []))
    if "sagemaker_program" in request.get("HyperParameters", {}) or algorithm.get("ContainerEntrypoint"):
        return given
    return given + [{"Name": n, "Regex": r} for n, r in images.metrics(algorithm["TrainingImage"]).items()]


def points(plane: Plane, name: str) -> list[Point]:
    """Every metric value of a training job so far, oldest first; of one that is over, what it had in the end."""
    work = plane.part(Runner).work(KIND, name)
    if isinstance(work, TrainingWork):
        return work.points()
    stored = plane.store.get(_POINTS, name) or {"points": []}
    return [(metric, value, at) for metric, value, at in stored["points"]]


def forget(plane: Plane, name: str) -> None:
    """Drop what is kept of a deleted job besides its record."""
    plane.store.delete(_POINTS, name)


def _plain(value: str) -> str:
    """A hyperparameter's text, whether or not it is wrapped in JSON quotes as SDK v2 does."""
    try:
        return str(json.loads(value))
    except ValueError:
        return value


def output(record: Record) -> str:
    """The S3 directory of a job's artefacts."""
    return f"{record.request['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{record.name}/output"


def artifact(record: Record) -> str:
    """The S3 address of the model."""
    loose = record.request["OutputDataConfig"].get("CompressionType") == "NONE"
    return f"{output(record)}/model" + ("/" if loose else ".tar.gz")


def describe(record: Record) -> Document:
    """DescribeTrainingJob's answer."""
    job = record.job
    described = {
        "StoppingCondition": {"MaxRuntimeInSeconds": _DAY},
        **{
            key: value
            for key, value in record.request.items()
            if key not in ("Tags", "SessionChainingConfig")
        },
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
        "FinalMetricDataList": [
            {**metric, "Timestamp": names.moment(metric["Timestamp"])}
            for metric in record.extras.get("metrics", [])
        ],
    }
    return {key: value for key, value in described.items() if value not in (None, [], {})}


def _transition(one: lifecycle.Transition) -> Document:
    shown = {
        "Status": str(one.status),
        "StartTime": names.moment(one.started),
        "StatusMessage": one.message,
    }
    return shown if one.ended is None else {**shown, "EndTime": names.moment(one.ended)}


KIND = Kind(
    name="training",
    begin=TrainingWork,
    describe=describe,
    event="SageMaker Training Job State Change",
    max_runtime=lambda request: request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", _DAY),
)
