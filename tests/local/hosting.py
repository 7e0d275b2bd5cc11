"""What tests of endpoints share: a tiny model, and words for making, asking and watching endpoints."""

import contextlib
import io
import tarfile
import textwrap
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.local.conftest import EmbeddedAws, until

ROLE = "arn:aws:iam::000000000000:role/anything"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"
BUCKET = "hosting-tests"
# Does what the body says; its environment says which model it is.
MODEL = """
    import json, os, pathlib, time

    class Bad(ValueError):
        status, detail = 422, {"faults": ["x"]}

    def model_fn(model_dir):
        if os.environ.get("BROKEN"):
            raise OSError("weights.bin is missing")
        return os.environ.get("ANSWER", "yes")

    def wait(path):
        pathlib.Path(path + ".started").touch()
        while not pathlib.Path(path).exists():
            time.sleep(0.01)

    def transform_fn(model, data, content_type, accept, context):
        order, _, argument = data.partition(" ")
        if order == "crash":
            os._exit(9)
        if order == "bad":
            raise Bad("no such column")
        if order == "fail" or os.environ.get("FAILING"):
            raise ZeroDivisionError("ouch")
        if order == "wait":
            wait(argument)
        print("asked for", order)
        who = context.get_request_header(0, "x-amzn-sagemaker-custom-attributes")
        return json.dumps({"answer": model, "accept": accept, "size": len(data), "who": who}), "application/json"
"""


def archive(code: str = MODEL) -> bytes:
    """A model.tar.gz with that inference module."""
    content = textwrap.dedent(code).encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as opened:
        member = tarfile.TarInfo("code/inference.py")
        member.size = len(content)
        opened.addfile(member, io.BytesIO(content))
    return out.getvalue()


@dataclass
class Hosting:
    """Words for endpoints of one embedded AWS; `prefix` keeps names of a test apart."""

    aws: EmbeddedAws
    prefix: str
    made: list[str] = field(default_factory=list)

    @property
    def sagemaker(self) -> Any:
        return self.aws.client("sagemaker")

    @property
    def runtime(self) -> Any:
        return self.aws.client("sagemaker-runtime")

    def name(self, short: str) -> str:
        return f"{self.prefix}-{short}"

    def upload(self, code: str = MODEL) -> str:
        s3 = self.aws.client("s3")
        with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
            s3.create_bucket(Bucket=BUCKET)
        key = f"{self.prefix}/{hash(code) & 0xFFFFFF:x}/model.tar.gz"
        s3.put_object(Bucket=BUCKET, Key=key, Body=archive(code))
        return f"s3://{BUCKET}/{key}"

    def model(self, short: str, **environment: str) -> str:
        container = {"Image": IMAGE, "ModelDataUrl": self.upload(), "Environment": environment}
        self.sagemaker.create_model(
            ModelName=self.name(short), PrimaryContainer=container, ExecutionRoleArn=ROLE
        )
        return self.name(short)

    def variant(self, model: str, **members: Any) -> dict[str, Any]:
        defaults = {"VariantName": "live", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
        return {**defaults, "ModelName": model, **members}

    def config(self, short: str, *variants: dict[str, Any], **environment: str) -> str:
        """A configuration; without variants it has one, of a new model with that environment."""
        chosen = list(variants) or [self.variant(self.model(short, **environment))]
        self.sagemaker.create_endpoint_config(EndpointConfigName=self.name(short), ProductionVariants=chosen)
        return self.name(short)

    def endpoint(self, config: str, short: str = "e") -> str:
        """An endpoint in service."""
        name = self.name(short)
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
        self.made.append(name)
        self.until(name, "InService")
        return name

    def describe(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.sagemaker.describe_endpoint(EndpointName=name)
        return found

    def until(self, name: str, status: str, seconds: float = 30.0) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            found = self.describe(name)
            assert found["EndpointStatus"] == status or found["EndpointStatus"] not in ("Failed",), found
            return found if found["EndpointStatus"] == status else None

        found: dict[str, Any] = until(reached, seconds)
        return found

    def ask(self, name: str, body: str = "hello", **members: Any) -> bytes:
        answer = self.runtime.invoke_endpoint(
            EndpointName=name, Body=body.encode(), ContentType="text/csv", **members
        )
        with answer["Body"] as stream:
            content: bytes = stream.read()
        return content

    def gone(self, name: str) -> bool:
        try:
            self.describe(name)
        except self.sagemaker.exceptions.ClientError as error:
            return "Could not find endpoint" in error.response["Error"]["Message"]
        return False

    def clean(self) -> None:
        """Delete what was made, waiting for none of it."""
        for name in self.made:
            with contextlib.suppress(self.sagemaker.exceptions.ClientError):
                self.sagemaker.delete_endpoint(EndpointName=name)


@dataclass
class Crowd:
    """Keeps asking an endpoint in a thread, and keeps what it was answered."""

    hosting: Hosting
    endpoint: str
    answers: list[bytes] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)

    @contextlib.contextmanager
    def asking(self) -> Iterator["Crowd"]:
        """Ask all the time, from before the block to after it."""
        stop = threading.Event()
        thread = threading.Thread(target=self._ask, args=(stop,))
        thread.start()
        until(lambda: self.answers or self.errors)
        try:
            yield self
        finally:
            seen = len(self.answers)
            until(lambda: len(self.answers) > seen + 3 or self.errors)
            stop.set()
            thread.join()

    def _ask(self, stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                self.answers.append(self.hosting.ask(self.endpoint))
            except Exception as error:  # noqa: BLE001  the test asserts there was none
                self.errors.append(error)


def serving_processes(port: int) -> list[int]:
    """Process ids of the model servers that belong to the embedded AWS on `port` (Linux)."""
    mark = f"AWS_ENDPOINT_URL=http://127.0.0.1:{port}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes().split(b"\0")
            if b"serving" in command and mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append(int(entry.name))
    return found
