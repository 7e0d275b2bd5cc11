"""Processing jobs: the inputs of each host, their command, their outputs, and how Describe shows them."""

from pathlib import Path
from typing import Any

from penstock.localaws.execution.environment import job_environment
from penstock.localaws.execution.process import Process, ProcessSpec
from penstock.localaws.sagemaker import images, names
from penstock.localaws.sagemaker.faults import JobFault, client_error
from penstock.localaws.sagemaker.jobs import hosts, lifecycle, mirror, optml, seats, sources, transfers
from penstock.localaws.sagemaker.jobs.cluster import Cluster
from penstock.localaws.sagemaker.jobs.mirror import Mirror, Mirroring
from penstock.localaws.sagemaker.jobs.seats import Seat
from penstock.localaws.sagemaker.jobs.sources import Share
from penstock.localaws.sagemaker.jobs.work import Document, Kind, Record, exit_failure
from penstock.localaws.sagemaker.plane import Plane

LOG_GROUP = "/aws/sagemaker/ProcessingJobs"
_DAY = 86_400
_MESSAGE_BYTES = 1024


class ProcessingWork:
    """One processing job."""

    def __init__(self, plane: Plane, record: Record, directory: Path) -> None:
        self._plane = plane
        self._record = record
        self._request = record.request
        self._directory = directory
        self._seats: list[Seat] = []
        self._mirrors: list[Mirror] = []

    @property
    def _s3(self) -> Any:
        return self._plane.client("s3")

    def prepare(self) -> None:
        """Download every input, make every output's directory."""
        images.find(self._request["AppSpecification"]["ImageUri"])
        self._command()
        resources = self._request["ProcessingResources"]["ClusterConfig"]
        members = hosts.of_resources(resources)
        size = resources.get("VolumeSizeInGB")
        self._seats = seats.take(self._directory, self._record.arn, members, size)
        for seat in self._seats:
            optml.make_directories(seat.ml, "config", "output", "processing")
            optml.write_processing_config(seat.ml, self._request, self._record.arn, members, seat.host)
        for one in self._request.get("ProcessingInputs", []):
            if not one.get("AppManaged"):
                self._download(one["S3Input"])
        for seat in self._seats:
            self._make_outputs(seat)

    def _command(self) -> tuple[str, ...]:
        application = self._request["AppSpecification"]
        argv = (*application.get("ContainerEntrypoint", []), *application.get("ContainerArguments", []))
        if not argv:
            raise client_error("AppSpecification needs a ContainerEntrypoint: the image has none of its own.")
        return argv

    def start(self, threads: int) -> Cluster:
        """Start every host."""
        each = max(1, threads // len(self._seats))
        specs = [self._instance(seat, each) for seat in self._seats]
        continuous = [Mirroring(self._plane, self._mirrors)]
        grace = lifecycle.STOP_GRACE_SECONDS
        return Cluster(self._plane.execution, specs, self._failure, grace, continuous)

    def _instance(self, seat: Seat, threads: int) -> ProcessSpec:
        env = {
            **job_environment(self._plane.place, str(seat.home), threads),
            "PROCESSING_JOB_NAME": self._record.name,
            "PROCESSING_JOB_ARN": self._record.arn,
            **self._request.get("Environment", {}),
        }
        stream = f"{self._record.name}/{seat.host.name}-{int(self._plane.clock.now())}"
        isolated = self._request.get("NetworkConfig", {}).get("EnableNetworkIsolation", False)
        return ProcessSpec(
            self._command(),
            env,
            "/opt/ml",
            log=(LOG_GROUP, stream),
            escape_tabs=True,
            network=len(self._seats) > 1 or not isolated,
            **seat.limits(),
        )

    def _download(self, source: Document) -> None:
        targets = [_inside(seat, source["LocalPath"]) for seat in self._seats]
        items = sources.listing(self._s3, source)
        sharded = source.get("S3DataDistributionType") == "ShardedByS3Key"
        for number, (seat, target) in enumerate(zip(self._seats, targets, strict=True)):
            target.mkdir(parents=True, exist_ok=True)
            share = Share(number, len(self._seats)) if sharded else Share()
            sources.download(self._s3, share.of(items), target, seat.volume)

    def _make_outputs(self, seat: Seat) -> None:
        for one in self._outputs():
            path = _inside(seat, one["LocalPath"])
            path.mkdir(parents=True, exist_ok=True)
            if one.get("S3UploadMode") == "Continuous":
                self._mirrors.append(Mirror(self._s3, path, one["S3Uri"], deletes=False))

    def _outputs(self) -> list[Document]:
        outputs = self._request.get("ProcessingOutputConfig", {}).get("Outputs", [])
        return [one["S3Output"] for one in outputs if not one.get("AppManaged")]

    def _failure(self, code: int, process: Process) -> str | None:
        """A code that is not 0 is a failure; standard error says why. So is a message that cannot be read."""
        if code:
            return exit_failure(code, "", process)
        try:
            self._message()
        except JobFault as fault:
            return str(fault)
        return None

    def upload(self, failed: bool) -> None:
        """Every output; of a failed job only those that are uploaded continuously."""
        mirror.finish(self._mirrors)
        for one in () if failed else self._outputs():
            if one.get("S3UploadMode") != "Continuous":
                for seat in self._seats:
                    transfers.upload_directory(self._s3, _inside(seat, one["LocalPath"]), one["S3Uri"])

    def extras(self) -> Document:
        """What the job wrote to /opt/ml/output/message."""
        try:
            message = self._message()
        except JobFault:
            return {}
        return {"exit_message": message} if message else {}

    def _message(self) -> str:
        """The first host's message; raises JobFault when it is no UTF-8. What is beyond 1 KB is cut."""
        for seat in self._seats:
            path = seat.ml / "output/message"
            if path.is_file() and not path.is_symlink():
                with path.open("rb") as file:
                    return decoded_message(file.read(_MESSAGE_BYTES))
        return ""


def decoded_message(written: bytes) -> str:
    """ExitMessage: at most 1 KB of UTF-8, not cut within a character; JobFault for anything else."""
    try:
        return written.decode()
    except UnicodeDecodeError as error:
        if (
            len(written) == _MESSAGE_BYTES
            and error.end == len(written)
            and error.reason == "unexpected end of data"
        ):
            return written[: error.start].decode()
        raise client_error("The exit message in /opt/ml/output/message is not encoded in UTF-8.") from error


def _inside(seat: Seat, path: str) -> Path:
    if path != "/opt/ml/processing" and not path.startswith("/opt/ml/processing/"):
        raise client_error(f"LocalPath {path} is not below /opt/ml/processing")
    return seat.ml / transfers.safe(path.removeprefix("/opt/ml/"))


def describe(record: Record) -> Document:
    """DescribeProcessingJob's answer."""
    job = record.job
    described = {
        "StoppingCondition": {"MaxRuntimeInSeconds": _DAY},
        **{key: value for key, value in record.request.items() if key != "Tags"},
        "ProcessingJobArn": record.arn,
        "ProcessingJobStatus": str(job.status),
        "CreationTime": names.moment(job.created),
        "LastModifiedTime": names.moment(job.modified),
        "FailureReason": job.failure,
        "ExitMessage": record.extras.get("exit_message"),
        "ProcessingStartTime": names.moment(job.started) if job.started is not None else None,
        "ProcessingEndTime": names.moment(job.ended) if job.ended is not None else None,
    }
    return {key: value for key, value in described.items() if value not in (None, [], {})}


KIND = Kind(
    name="processing",
    begin=ProcessingWork,
    describe=describe,
    event="SageMaker Processing Job State Change",
    max_runtime=lambda request: request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", _DAY),
)
