"""Transform jobs as a kind of job: their model, files and servers, and how Describe shows them.

<root>/jobs/transform/<job>/opt/ml/model   the unpacked model, read by every server of the job
<root>/jobs/transform/<job>/files          inputs and outputs on their way
/aws/sagemaker/TransformJobs               <job>/<instance>-<epoch>, and that with /data-log
"""

from pathlib import Path
from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker import images, names
from penstock.localaws.sagemaker.faults import client_error
from penstock.localaws.sagemaker.hosting import artifacts, models
from penstock.localaws.sagemaker.hosting.lifecycle import Variant
from penstock.localaws.sagemaker.hosting.server import ServingProcess
from penstock.localaws.sagemaker.jobs.work import Document, Kind, Record
from penstock.localaws.sagemaker.plane import Plane
from penstock.localaws.sagemaker.transform import capture, inputs
from penstock.localaws.sagemaker.transform.association import Association, media_type
from penstock.localaws.sagemaker.transform.files import Plan
from penstock.localaws.sagemaker.transform.inputs import Input
from penstock.localaws.sagemaker.transform.jsonpath import parse
from penstock.localaws.sagemaker.transform.parameters import settings
from penstock.localaws.sagemaker.transform.requests import processing
from penstock.localaws.sagemaker.transform.running import Share, Transform
from penstock.localaws.sagemaker.transform.server import LOG_GROUP, DataLog, Server

MOST_INSTANCES = 4  # servers of one job, however many instances were asked for: they share one machine
_PATIENCE = 1800.0  # seconds AWS pings a container before it gives up
_LONGEST = 5 * 86_400.0
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_MAX_THREADS")


class TransformWork:
    """One transform job. It keeps the model as it was when the job was created."""

    def __init__(self, plane: Plane, record: Record, directory: Path) -> None:
        self._plane = plane
        self._name = record.name
        self._request = record.request
        self._directory = directory
        self._started = plane.clock.now()
        self._files: list[Input] = []
        self._running: Transform | None = None
        try:
            self._container = models.container_of(plane, self._request["ModelName"])
        except ServiceError:  # deleted this very moment
            self._container = {}

    def prepare(self) -> None:
        """Unpack the model, find the inputs."""
        if not self._container:
            raise client_error(f"Could not find model {self._request['ModelName']}.")
        images.find(self._container["Image"])
        self._started = self._plane.clock.now()
        self._scratch.mkdir(parents=True, mode=0o700)
        s3 = self._plane.client("s3")
        try:
            artifacts.unpack(s3, self._container.get("ModelDataUrl"), self._opt_ml / "model")
        except artifacts.Unusable as error:
            raise client_error(str(error)) from error
        source = self._request["TransformInput"]["DataSource"]["S3DataSource"]
        self._files = inputs.find(s3, source, self._request["TransformOutput"]["S3OutputPath"])

    def start(self, threads: int) -> Transform:
        """Start the servers, each with a share of the files."""
        wanted = self._request["TransformResources"]["InstanceCount"]
        shares = inputs.shares(self._files, min(wanted, MOST_INSTANCES))
        started = [self._share(files, max(1, threads // len(shares))) for files in shares]
        self._running = Transform(self._plane, self._request, self._plan(), self._scratch, started)
        return self._running

    def upload(self, failed: bool) -> None:
        """Outputs are stored file by file already; what is left is the captured data's manifests."""
        config, done = self._request.get("DataCaptureConfig"), self._running.done if self._running else []
        if config is not None and not failed and len(done) == len(self._files):
            s3 = self._plane.client("s3")
            capture.store(s3, config["DestinationS3Uri"], self._name, self._started, done, self._scratch)

    def extras(self) -> Document:
        """Nothing: what there is to say is in the data log."""
        return {}

    @property
    def _opt_ml(self) -> Path:
        return self._directory / "opt/ml"

    @property
    def _scratch(self) -> Path:
        return self._directory / "files"

    def _share(self, files: list[Input], threads: int) -> Share:
        epoch = int(self._plane.clock.now())

        def log_of(instance: str) -> tuple[str, str]:
            return LOG_GROUP, f"{self._name}/{instance}-{epoch}"

        chosen = {**dict.fromkeys(_THREADS, str(threads)), **self._request.get("Environment", {})}
        start = ServingProcess(self._plane).starter(
            self._variant(), self._opt_ml, log_of, {**chosen, **settings(self._request)}
        )
        server = Server(start, _PATIENCE)
        group, stream = log_of(server.id)
        return Share(server, files, DataLog(self._plane.execution.logs.open(group, f"{stream}/data-log")))

    def _variant(self) -> Variant:
        container = self._container
        return Variant(
            name="transform",
            model=self._request["ModelName"],
            image=container["Image"],
            model_data=container.get("ModelDataUrl"),
            environment=container.get("Environment", {}),
            count=1,
            weight=1.0,
            patience=_PATIENCE,
        )

    def _plan(self) -> Plan:
        source, target = self._request["TransformInput"], self._request["TransformOutput"]
        return Plan(
            split=source.get("SplitType", "None"),
            gzipped=source.get("CompressionType") == "Gzip",
            lines=target.get("AssembleWith") == "Line",
            association=self._association(media_type(source.get("ContentType", "")), target),
        )

    def _association(self, kind: str, target: dict[str, Any]) -> Association | None:
        """None when records are not looked into."""
        wanted = processing(self._request)
        stamped = self._request.get("DataCaptureConfig", {}).get("GenerateInferenceId", False)
        made = Association(
            kind,
            media_type(target.get("Accept", "")),
            parse(wanted["InputFilter"]),
            parse(wanted["OutputFilter"]),
            wanted["JoinSource"] == "Input",
            capture.stamp(self._started) if stamped else None,
        )
        return made if made.parses_input or made.parses_output else None


def describe(record: Record) -> Document:
    """DescribeTransformJob's answer, with AWS's defaults."""
    job, request = record.job, record.request
    described = {
        **{key: value for key, value in request.items() if key != "Tags"},
        "TransformInput": {"CompressionType": "None", "SplitType": "None", **request["TransformInput"]},
        "TransformOutput": {"AssembleWith": "None", **request["TransformOutput"]},
        "DataProcessing": processing(request),
        "TransformJobArn": record.arn,
        "TransformJobStatus": str(job.status),
        "CreationTime": names.moment(job.created),
        "FailureReason": job.failure,
        "TransformStartTime": names.moment(job.started) if job.started is not None else None,
        "TransformEndTime": names.moment(job.ended) if job.ended is not None else None,
    }
    return {key: value for key, value in described.items() if value not in (None, [], {})}


KIND = Kind(
    name="transform",
    begin=TransformWork,
    describe=describe,
    event="SageMaker Transform Job State Change",
    max_runtime=lambda _request: _LONGEST,
)
