"""Processing jobs: their inputs, command, outputs, and how Describe shows them."""

from pathlib import Path

from penstock.localaws.execution.environment import job_environment
from penstock.localaws.execution.process import Process, ProcessSpec
from penstock.localaws.sagemaker import images, names
from penstock.localaws.sagemaker.faults import client_error
from penstock.localaws.sagemaker.jobs import lifecycle, optml, transfers
from penstock.localaws.sagemaker.jobs.cluster import Cluster
from penstock.localaws.sagemaker.jobs.work import Document, Kind, Record, exit_failure, read_text
from penstock.localaws.sagemaker.plane import Plane

LOG_GROUP = "/aws/sagemaker/ProcessingJobs"
_DAY = 86_400
_MESSAGE_LIMIT = 1024


class ProcessingWork:
    """One processing job."""

    def __init__(self, plane: Plane, record: Record, directory: Path) -> None:
        self._plane = plane
        self._record = record
        self._request = record.request
        self._directory = directory
        self._ml = directory / "opt/ml"

    def prepare(self) -> None:
        """Download every input, make every output's directory."""
        images.find(self._request["AppSpecification"]["ImageUri"])
        self._command()
        optml.make_directories(self._ml, "config", "output", "processing")
        self._home().mkdir()
        optml.write_processing_config(self._ml, self._request, self._record.arn)
        for one in self._request.get("ProcessingInputs", []):
            self._download(one)
        for path, _ in self._outputs():
            path.mkdir(parents=True, exist_ok=True)

    def _home(self) -> Path:
        return self._directory / "home"

    def _command(self) -> tuple[str, ...]:
        application = self._request["AppSpecification"]
        argv = (*application.get("ContainerEntrypoint", []), *application.get("ContainerArguments", []))
        if not argv:
            raise client_error("AppSpecification needs a ContainerEntrypoint: the image has none of its own.")
        return argv

    def start(self, threads: int) -> Cluster:
        """Start its one instance."""
        specs = [self._instance(threads)]
        return Cluster(self._plane.execution, specs, self._failure, lifecycle.STOP_GRACE_SECONDS)

    def _instance(self, threads: int) -> ProcessSpec:
        env = {
            **job_environment(self._plane.place, str(self._home()), threads),
            "PROCESSING_JOB_NAME": self._record.name,
            "PROCESSING_JOB_ARN": self._record.arn,
            **self._request.get("Environment", {}),
        }
        stream = f"{self._record.name}/{optml.HOST}-{int(self._plane.clock.now())}"
        return ProcessSpec(
            self._command(), env, "/opt/ml", optml=self._ml, log=(LOG_GROUP, stream), escape_tabs=True
        )

    def _download(self, one: Document) -> None:
        source = one["S3Input"]
        target = self._inside(source["LocalPath"])
        target.mkdir(parents=True, exist_ok=True)
        fetch = (
            transfers.download_manifest
            if source["S3DataType"] == "ManifestFile"
            else transfers.download_prefix
        )
        fetch(self._plane.client("s3"), source["S3Uri"], target)

    def _inside(self, path: str) -> Path:
        if not path.startswith("/opt/ml/processing"):
            raise client_error(f"LocalPath {path} is not below /opt/ml/processing")
        return self._ml / transfers.safe(path.removeprefix("/opt/ml/"))

    def _outputs(self) -> list[tuple[Path, str]]:
        outputs = self._request.get("ProcessingOutputConfig", {}).get("Outputs", [])
        return [(self._inside(one["S3Output"]["LocalPath"]), one["S3Output"]["S3Uri"]) for one in outputs]

    def _failure(self, code: int, process: Process) -> str | None:
        """A code that is not 0 is a failure; standard error says why."""
        return exit_failure(code, "", process) if code else None

    def upload(self, failed: bool) -> None:
        """Every output, unless the job failed: half a result is not to be taken for one."""
        if failed:
            return
        for path, uri in self._outputs():
            transfers.upload_directory(self._plane.client("s3"), path, uri)

    def extras(self) -> Document:
        """What the job wrote to /opt/ml/output/message."""
        message = read_text(self._ml / "output/message", _MESSAGE_LIMIT)
        return {"exit_message": message} if message else {}


def describe(record: Record) -> Document:
    """DescribeProcessingJob's answer."""
    job = record.job
    described = {
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
