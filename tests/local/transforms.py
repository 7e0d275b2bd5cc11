"""What tests of batch transform share: a model that does as its records say, and words for jobs, files and logs."""

import contextlib
import gzip
import itertools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.local.conftest import EmbeddedAws, until
from tests.local.hosting import archive
from tests.local.job_requests import OVER, ROLE, SKLEARN

LOG_GROUP = "/aws/sagemaker/TransformJobs"
MARK = "TRANSFORM_TEST"
# Answers every line with itself, changed: by default `<line>:<lines in its request>`.
MODEL = """
    import json, os, pathlib, signal, time

    class Bad(ValueError):
        status = 422

    def model_fn(model_dir):
        if os.environ.get("BROKEN"):
            raise OSError("weights.bin is missing")
        return os.environ.get("ANSWER", "lines")

    def calls(path):
        "How often this was asked so far, this time included."
        with open(path, "a") as file:
            file.write("x")
        return os.path.getsize(path)

    def one(line, count):
        order, _, argument = line.partition(" ")
        if order == "bad":
            raise Bad("no such column")
        if order == "fail" and calls(argument or os.devnull) < 3:
            raise ZeroDivisionError("ouch")
        if order == "crash" and calls(argument) < 2:
            os.kill(os.getpid(), signal.SIGKILL)
        if order == "sleep":
            time.sleep(float(argument))
        if order == "wait":
            pathlib.Path(argument + ".started").touch()
            while not pathlib.Path(argument).exists():
                time.sleep(0.01)
        return f"{line}:{count}"

    def transform_fn(model, data, content_type, accept, context):
        if model == "size":
            how = context.get_request_header(0, "transfer-encoding")
            return f"{len(data)} {how} {content_type} {accept}", accept
        if model == "environment":
            found = {k: v for k, v in os.environ.items() if k.startswith("SAGEMAKER_") or k == "PLACE"}
            return json.dumps(found), accept
        if model == "sum":
            return "".join(f"{sum(map(float, line.split(',')))}\\n" for line in data.split()), accept
        if model == "json":
            return "".join(json.dumps({"got": json.loads(line)}) + "\\n" for line in data.splitlines()), accept
        lines = data.splitlines()
        return "\\n".join(one(line, len(lines)) for line in lines), accept
"""


@dataclass
class Transforms:
    """Words for transform jobs of one embedded AWS; `prefix` keeps a test's names apart, its bucket has that name."""

    aws: EmbeddedAws
    prefix: str
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.aws.client("s3").create_bucket(Bucket=self.prefix)

    @property
    def sagemaker(self) -> Any:
        return self.aws.client("sagemaker")

    def name(self) -> str:
        return f"{self.prefix}-{next(self.numbers)}"

    def put(self, key: str, body: str | bytes) -> None:
        self.aws.client("s3").put_object(Bucket=self.prefix, Key=key, Body=body)

    def put_gzip(self, key: str, body: str) -> None:
        self.put(key, gzip.compress(body.encode()))

    def get(self, key: str) -> str:
        with self.aws.client("s3").get_object(Bucket=self.prefix, Key=key)["Body"] as body:
            return str(body.read().decode())

    def keys(self, prefix: str = "out/") -> list[str]:
        found = self.aws.client("s3").list_objects_v2(Bucket=self.prefix, Prefix=prefix)
        return [one["Key"].removeprefix(prefix) for one in found.get("Contents", [])]

    def model(self, code: str = MODEL, image: str = SKLEARN, **environment: str) -> str:
        """A new model with that environment; its processes are marked as this test's."""
        name = self.name()
        self.put(f"models/{name}.tar.gz", archive(code))
        container = {
            "Image": image,
            "ModelDataUrl": f"s3://{self.prefix}/models/{name}.tar.gz",
            "Environment": {MARK: self.prefix, **environment},
        }
        self.sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE)
        return name

    def request(self, model: str, **changes: Any) -> dict[str, Any]:
        """A job from in/ to out/, line by line; `Input`, `Output`, `Instances` change parts of it."""
        source = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": f"s3://{self.prefix}/in/"}}
        source_changes, target_changes = changes.pop("Input", {}), changes.pop("Output", {})
        count = changes.pop("Instances", 1)
        return {
            "TransformJobName": self.name(),
            "ModelName": model,
            "TransformInput": {
                "DataSource": source,
                "ContentType": "text/csv",
                "SplitType": "Line",
                **source_changes,
            },
            "TransformOutput": {
                "S3OutputPath": f"s3://{self.prefix}/out/",
                "Accept": "text/csv",
                "AssembleWith": "Line",
                **target_changes,
            },
            "TransformResources": {"InstanceType": "ml.m5.large", "InstanceCount": count},
            **changes,
        }

    def create(self, model: str, **changes: Any) -> str:
        """Start a job; its name."""
        request = self.request(model, **changes)
        self.sagemaker.create_transform_job(**request)
        return str(request["TransformJobName"])

    def describe(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.sagemaker.describe_transform_job(TransformJobName=name)
        return found

    def over(self, name: str) -> dict[str, Any]:
        """What is described of a job that has ended."""
        found: dict[str, Any] = until(
            lambda: (found := self.describe(name))["TransformJobStatus"] in OVER and found, 60
        )
        return found

    def run(self, model: str, **changes: Any) -> dict[str, Any]:
        """Start a job and wait for its end."""
        return self.over(self.create(model, **changes))

    def completed(self, model: str, **changes: Any) -> str:
        """The name of a job that has completed."""
        described = self.run(model, **changes)
        assert described["TransformJobStatus"] == "Completed", described
        return str(described["TransformJobName"])

    def streams(self, name: str) -> list[str]:
        found = self.aws.client("logs").describe_log_streams(
            logGroupName=LOG_GROUP, logStreamNamePrefix=f"{name}/"
        )
        return [one["logStreamName"] for one in found["logStreams"]]

    def data_log(self, name: str) -> list[str]:
        """What the data logs say, without the times."""
        return [
            event["message"].partition(":[sagemaker logs]: ")[2]
            for stream in self.streams(name)
            if stream.endswith("/data-log")
            for event in self.aws.client("logs").get_log_events(
                logGroupName=LOG_GROUP, logStreamName=stream, startFromHead=True
            )["events"]
        ]

    def servers(self) -> list[int]:
        """Process ids of the model servers of this test's models (Linux)."""
        mark, found = f"{MARK}={self.prefix}".encode(), []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes().split(b"\0")
                if b"serving" in command and mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
        return found
