"""Training jobs: the /opt/ml of each of their hosts, their command, their artefacts."""

import json
import logging
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from penstock.localaws.execution.environment import job_environment
from penstock.localaws.execution.process import Process, ProcessSpec
from penstock.localaws.sagemaker import images, names
from penstock.localaws.sagemaker.faults import client_error
from penstock.localaws.sagemaker.jobs import (
    channels,
    hosts,
    lifecycle,
    mirror,
    optml,
    seats,
    sources,
    training_view,
    transfers,
)
from penstock.localaws.sagemaker.jobs.cluster import Cluster, Helper
from penstock.localaws.sagemaker.jobs.metrics import MetricReader, Point
from penstock.localaws.sagemaker.jobs.mirror import Mirror, Mirroring
from penstock.localaws.sagemaker.jobs.pipes import Feed
from penstock.localaws.sagemaker.jobs.runner import Runner
from penstock.localaws.sagemaker.jobs.seats import Seat
from penstock.localaws.sagemaker.jobs.work import Document, Kind, Patience, Record, exit_failure, read_text
from penstock.localaws.sagemaker.plane import Plane

log = logging.getLogger("penstock.localaws.sagemaker")

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
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
        self._seats: list[Seat] = []
        self._feeds: list[Feed] = []
        self._mirrors: list[Mirror] = []
        self._metrics = MetricReader(definitions(self._request))

    @property
    def _s3(self) -> Any:
        return self._plane.client("s3")

    def prepare(self) -> None:
        """Give every host its directory, download channels, checkpoints and the script's source."""
        images.find(self._request["AlgorithmSpecification"]["TrainingImage"])
        argv = self._command()
        resources = self._request["ResourceConfig"]
        members = hosts.of_resources(resources)
        size = resources.get("VolumeSizeInGB")
        self._seats = seats.take(self._directory, self._record.arn, members, size)
        for seat in self._seats:
            optml.make_directories(seat.ml, *_DIRECTORIES)
            optml.write_training_config(seat.ml, self._request, members, seat.host)
        mode = self._request["AlgorithmSpecification"]["TrainingInputMode"]
        for channel in self._request.get("InputDataConfig", []):
            self._feeds += channels.deliver(self._s3, channel, mode, self._seats)
        self._restore_checkpoints()
        if argv[-1] == _SCRIPT_MODE:
            self._unpack_source()
            self._mirror_intermediate_output()

    def start(self, threads: int) -> Cluster:
        """Start every host."""
        each = max(1, threads // len(self._seats))
        specs = [self._instance(seat, each) for seat in self._seats]
        helpers: list[Helper] = [*self._feeds, Mirroring(self._plane, self._mirrors)]
        grace = lifecycle.STOP_GRACE_SECONDS
        return Cluster(self._plane.execution, specs, self._failure, grace, helpers)

    def _instance(self, seat: Seat, threads: int) -> ProcessSpec:
        image = images.find(self._request["AlgorithmSpecification"]["TrainingImage"])
        argv = self._command()
        stream = f"{self._record.name}/{seat.host.name}-{int(self._plane.clock.now())}"
        return ProcessSpec(
            argv,
            self._environment(seat, image.module, threads),
            "/opt/ml/code" if argv[-1] == _SCRIPT_MODE else str(seat.home),
            log=(LOG_GROUP, stream),
            escape_tabs=True,
            on_line=self._read_metrics,
            read_only=channels.read_only(self._request, seat),
            # Hosts of one job may always speak to each other, so only a job of one host can be kept to itself.
            network=len(self._seats) > 1 or not self._request.get("EnableNetworkIsolation"),
            **seat.limits(),
        )

    def _environment(self, seat: Seat, module: str, threads: int) -> dict[str, str]:
        return {
            **job_environment(self._plane.place, str(seat.home), threads),
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
        if is_script(self._request):
            return ("python", _SCRIPT_MODE)
        image = images.find(algorithm["TrainingImage"])
        if image.algorithm is None:
            raise client_error(
                "This image runs in script mode only, and the hyperparameter sagemaker_program is missing. "
                "Give sagemaker_program and sagemaker_submit_directory, or ContainerEntrypoint."
            )
        return (self._plane.place.python, "-m", f"penstock.localaws.containers.{image.algorithm}.train")

    def _unpack_source(self) -> None:
        given = _plain(_setting(self._request, "sagemaker_submit_directory"))
        if given.startswith("s3://"):
            archive = self._directory / "source.tar.gz"
            transfers.download_object(self._s3, given, archive)
            for seat in self._seats:
                transfers.extract_tar(archive, seat.ml / "code")
            archive.unlink()

    def _mirror_intermediate_output(self) -> None:
        """What a script writes to output/intermediate is uploaded while it runs, if it names a place for it."""
        given = _plain(_setting(self._request, "sagemaker_s3_output"))
        if given.startswith("s3://"):
            uri = f"{given.rstrip('/')}/{self._record.name}/output/intermediate"
            for seat in self._seats:
                self._mirrors.append(Mirror(self._s3, seat.ml / "output/intermediate", uri, deletes=False))

    def _restore_checkpoints(self) -> None:
        config = self._request.get("CheckpointConfig")
        if config is None:
            return
        uri = config["S3Uri"]
        items = sources.below(self._s3, f"{uri.rstrip('/')}/")
        for seat in self._seats:
            directory = _inside(seat, config.get("LocalPath", "/opt/ml/checkpoints"))
            directory.mkdir(parents=True, exist_ok=True)
            sources.download(self._s3, items, directory, seat.volume)
            kept = Mirror(self._s3, directory, uri, deletes=True)
            kept.assume_stored()
            self._mirrors.append(kept)

    def _read_metrics(self, _source: str, line: str) -> None:
        self._metrics.read(line, self._plane.clock.now())

    def _failure(self, code: int, process: Process) -> str | None:
        """A code that is not 0 is a failure; /opt/ml/output/failure says why."""
        if code == 0 or process.spec.optml is None:
            return None
        written = read_text(process.spec.optml / "output/failure", lifecycle.REASON_LIMIT)
        return exit_failure(code, written, process)

    def upload(self, failed: bool) -> None:
        """The model (unless the job failed), output/data when there is any, checkpoints, metrics."""
        scratch = self._directory / "artifact.tar.gz"
        if not failed:
            self._upload_model(scratch)
        data = [seat.ml / "output/data" for seat in self._seats]
        if any(True for directory in data for _ in transfers.files_below(directory)):
            uri = f"{training_view.output(self._record)}/output.tar.gz"
            transfers.upload_tar(self._s3, data, uri, scratch)
        mirror.finish(self._mirrors)
        self._put_metrics()

    def _upload_model(self, scratch: Path) -> None:
        """What every host left in /opt/ml/model; of one name the first host's file."""
        models, uri = [seat.ml / "model" for seat in self._seats], training_view.artifact(self._record)
        if not training_view.loose(self._record):
            transfers.upload_tar(self._s3, models, uri, scratch)
            return
        for directory in reversed(models):
            transfers.upload_directory(self._s3, directory, uri)

    def _put_metrics(self) -> None:
        self._plane.store.put(_POINTS, self._record.name, {"points": self.points()})
        dimension = [{"Name": "TrainingJobName", "Value": self._record.name}]
        data = [
            {"MetricName": name, "Value": value, "Timestamp": names.moment(at), "Dimensions": dimension}
            for name, value, at in self._metrics.points
        ]
        try:
            for start in range(0, len(data), 1000):
                self._plane.client("cloudwatch").put_metric_data(
                    Namespace=_NAMESPACE, MetricData=data[start : start + 1000]
                )
        except (ClientError, BotoCoreError) as error:  # what a job has learned does not depend on its charts
            log.warning("metrics of %s did not reach CloudWatch: %s", self._record.name, error)

    def extras(self) -> Document:
        """The metrics' last values, and that none of its instances is kept, if it asked for that."""
        kept = self._request["ResourceConfig"].get("KeepAlivePeriodInSeconds")
        pool = {"WarmPoolStatus": training_view.NOT_KEPT} if kept else {}
        return {"metrics": self._metrics.final(), **pool}

    def points(self) -> list[Point]:
        """Every metric value so far, oldest first."""
        return self._metrics.all()


def definitions(request: Document) -> list[Document]:
    """The metric definitions that hold for a job: its own, and those of its image's algorithm when it runs that."""
    algorithm = request["AlgorithmSpecification"]
    given: list[Document] = list(algorithm.get("MetricDefinitions", []))
    if is_script(request) or algorithm.get("ContainerEntrypoint"):
        return given
    return given + [{"Name": n, "Regex": r} for n, r in images.metrics(algorithm["TrainingImage"]).items()]


def is_script(request: Document) -> bool:
    """Whether a job runs a person's script: a hyperparameter or a variable names it."""
    return bool(_setting(request, "sagemaker_program"))


def _setting(request: Document, name: str) -> str:
    """A setting of script mode: a hyperparameter or, as in the images, a variable in capital letters."""
    environment = request.get("Environment", {})
    found = (
        request.get("HyperParameters", {}).get(name),
        environment.get(name.upper()),
        environment.get(name),
    )
    return next((str(one) for one in found if one), "")


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


def _discard(plane: Plane, record: Record) -> None:
    """A job whose upload was interrupted leaves no half of it."""
    transfers.delete_below(plane.client("s3"), f"{training_view.output(record)}/")


def _patience(request: Document) -> Patience | None:
    """MaxWaitTimeInSeconds of a spot job counts all its time, MaxPendingTimeInSeconds its time in the queue."""
    condition = request.get("StoppingCondition", {})
    if request.get("EnableManagedSpotTraining") and "MaxWaitTimeInSeconds" in condition:
        return Patience(condition["MaxWaitTimeInSeconds"], lifecycle.Secondary.MAX_WAIT, whole=True)
    if "MaxPendingTimeInSeconds" in condition:
        return Patience(condition["MaxPendingTimeInSeconds"])
    return None


def _inside(seat: Seat, path: str) -> Path:
    if not path.startswith("/opt/ml/"):
        raise client_error(f"{path} is not below /opt/ml")
    return seat.ml / transfers.safe(path.removeprefix("/opt/ml/"))


def _plain(value: str) -> str:
    """A hyperparameter's text, whether or not it is wrapped in JSON quotes as SDK v2 does."""
    try:
        return str(json.loads(value))
    except ValueError:
        return value


KIND = Kind(
    name="training",
    begin=TrainingWork,
    describe=training_view.describe,
    event="SageMaker Training Job State Change",
    max_runtime=lambda request: request.get("StoppingCondition", {}).get(
        "MaxRuntimeInSeconds", training_view.DAY
    ),
    patience=_patience,
    retries=lambda request: int(request.get("RetryStrategy", {}).get("MaximumRetryAttempts", 0)),
    discard=_discard,
)
