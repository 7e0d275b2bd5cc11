"""What the embedded SageMaker costs, on this machine: an embedded AWS of its own, in a directory that is thrown away.

    python bench/sagemaker.py [--rounds 7]

    job         CreateTrainingJob → the script's first line, in script mode
    endpoint    CreateEndpoint → InService, a small scikit-learn model
    invocation  InvokeEndpoint and the same model server asked directly, one after the other, one row
    queue       200 training jobs waiting: the server's resident memory before, with them waiting, when they are over

Writes bench/results/sagemaker.json and prints a table.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import joblib
import urllib3
from botocore.config import Config
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from penstock.localaws import control

ROOT = Path(__file__).parents[1]
GOALS = {
    "job_first_line_seconds": 0.5,
    "endpoint_in_service_seconds": 3.0,
    "invoke_overhead_ms_p50": 3.0,
}
ROLE = "arn:aws:iam::000000000000:role/bench"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-scikit-learn:1.9-0-cpu-py3"
BUCKET = "bench"
JOBS = 200
SCRIPT = "import time; print('first line at', time.time())"
HANDLERS = """
import joblib, os
def model_fn(model_dir):
    return joblib.load(os.path.join(model_dir, "model.joblib"))
"""
ROW = b"[[5.1, 3.5, 1.4, 0.2]]"


class Bench:
    """Clients of one embedded AWS and what is measured with them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.running = control.up(root)
        self.s3, self.sagemaker, self.logs = (self.client(n) for n in ("s3", "sagemaker", "logs"))
        self.s3.create_bucket(Bucket=BUCKET)
        self.s3.put_object(Bucket=BUCKET, Key="code.tar.gz", Body=archive({"train.py": SCRIPT.encode()}))

    def client(self, service: str) -> Any:
        """A boto3 client for it."""
        return boto3.client(
            service,
            endpoint_url=self.running.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}),
        )

    def create_job(self, name: str) -> None:
        """A training job that prints one line."""
        self.sagemaker.create_training_job(
            TrainingJobName=name,
            RoleArn=ROLE,
            AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            HyperParameters={
                "sagemaker_program": "train.py",
                "sagemaker_submit_directory": f"s3://{BUCKET}/code.tar.gz",
            },
            OutputDataConfig={"S3OutputPath": f"s3://{BUCKET}/out"},
            ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            StoppingCondition={"MaxRuntimeInSeconds": 600},
        )

    def job_over(self, name: str) -> bool:
        """Whether the job has ended; ends us when it ended badly."""
        found = self.sagemaker.describe_training_job(TrainingJobName=name)
        if found["TrainingJobStatus"] == "Failed":
            raise SystemExit(f"{name}: {found['FailureReason']}")
        return bool(found["TrainingJobStatus"] == "Completed")

    def first_line(self, number: int) -> float:
        """Seconds from the request to the script's first line."""
        name = f"first-line-{number}"
        asked = time.time()
        self.create_job(name)
        until(lambda: self.job_over(name))
        group = "/aws/sagemaker/TrainingJobs"
        stream = self.logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{name}/")
        events = self.logs.get_log_events(
            logGroupName=group, logStreamName=stream["logStreams"][0]["logStreamName"], startFromHead=True
        )["events"]
        said = next(e["message"] for e in events if e["message"].startswith("first line at"))
        return float(said.split()[-1]) - asked

    def host(self) -> None:
        """A small scikit-learn model and its endpoint configuration."""
        model = io.BytesIO()
        joblib.dump(LogisticRegression(max_iter=500).fit(*load_iris(return_X_y=True)), model)
        self.files = {"model.joblib": model.getvalue(), "code/inference.py": HANDLERS.encode()}
        self.s3.put_object(Bucket=BUCKET, Key="model.tar.gz", Body=archive(self.files))
        container = {"Image": IMAGE, "ModelDataUrl": f"s3://{BUCKET}/model.tar.gz"}
        self.sagemaker.create_model(ModelName="iris", ExecutionRoleArn=ROLE, PrimaryContainer=container)
        variant = {
            "VariantName": "v",
            "ModelName": "iris",
            "InstanceType": "ml.m5.large",
            "InitialInstanceCount": 1,
        }
        self.sagemaker.create_endpoint_config(EndpointConfigName="iris", ProductionVariants=[variant])

    def in_service(self, number: int) -> float:
        """Seconds from CreateEndpoint to InService; all but endpoint 0 are deleted again."""
        name = f"iris-{number}"
        asked = time.perf_counter()
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName="iris")
        until(lambda: self.sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"] == "InService")
        took = time.perf_counter() - asked
        if number:
            self.sagemaker.delete_endpoint(EndpointName=name)
        return took

    def invocations(self, direct: int, count: int = 400) -> tuple[list[float], list[float]]:
        """Milliseconds of single requests through the service and to a model server on port `direct`, in turn."""
        pool = urllib3.PoolManager()
        headers = {"content-type": "application/json", "accept": "application/json"}
        signed = headers | {
            "authorization": "AWS4-HMAC-SHA256 Credential=test/20200101/us-east-1/sagemaker/aws4_request, "
            "SignedHeaders=host, Signature=0"
        }
        ways = (
            (f"{self.running.endpoint_url}/endpoints/iris-0/invocations", signed),
            (f"http://127.0.0.1:{direct}/invocations", headers),
        )
        found: tuple[list[float], list[float]] = ([], [])
        for number in range(count):
            for times, (url, sent) in zip(found, ways, strict=True):
                began = time.perf_counter()
                answer = pool.request("POST", url, body=ROW, headers=sent)
                took = (time.perf_counter() - began) * 1000
                if answer.status != 200:
                    raise SystemExit(f"{url}: {answer.status} {answer.data!r}")
                if number >= 50:  # both are warm
                    times.append(took)
        return found

    def memory_mb(self) -> float:
        """Resident memory of the server process."""
        status = Path(f"/proc/{self.running.pid}/status").read_text()
        found = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        return int(found[1]) / 1024 if found else float("nan")

    def queue(self) -> dict[str, float]:
        """The server's memory before 200 jobs, with them waiting, and when all are over."""
        before, began = self.memory_mb(), time.perf_counter()
        for number in range(JOBS):
            self.create_job(f"queued-{number}")
        waiting, submitted = self.memory_mb(), time.perf_counter() - began
        peak = waiting
        while not self.job_over(f"queued-{JOBS - 1}"):
            peak = max(peak, self.memory_mb())
            time.sleep(0.2)
        return {
            "before_mb": before,
            "waiting_mb": waiting,
            "peak_mb": peak,
            "after_mb": self.memory_mb(),
            "submit_seconds": submitted,
            "all_seconds": time.perf_counter() - began,
        }


@contextmanager
def model_server(files: dict[str, bytes], directory: Path) -> Iterator[int]:
    """The model server alone, as a container would start it; its port."""
    for name, content in files.items():
        path = directory / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    port = 18_080 + os.getpid() % 1_000
    env = os.environ | {
        "SAGEMAKER_BASE_DIR": str(directory),
        "SAGEMAKER_BIND_TO_HOST": "127.0.0.1",
        "SAGEMAKER_BIND_TO_PORT": str(port),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "serving"],
        cwd=ROOT,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as served:
        try:
            until(lambda: _healthy(port))
            yield port
        finally:
            served.terminate()


def _healthy(port: int) -> bool:
    try:
        url = f"http://127.0.0.1:{port}/ping"
        return urllib3.PoolManager().request("GET", url, retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def archive(files: dict[str, bytes]) -> bytes:
    """A tar.gz of those files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as opened:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))
    return out.getvalue()


def until(condition: Callable[[], bool], seconds: float = 300.0) -> None:
    """Ask until it is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("that takes too long")
        time.sleep(0.02)


def measure(bench: Bench, rounds: int) -> dict[str, Any]:
    """Every figure, the raw values with it."""
    bench.first_line(0)  # the first job of a server makes clients and probes the jail
    first = [bench.first_line(number) for number in range(1, rounds + 1)]
    bench.host()
    service = [bench.in_service(number) for number in range(rounds)]
    with model_server(bench.files, bench.root / "direct") as port:
        through, direct = bench.invocations(port)
    p50, p50_direct = statistics.median(through), statistics.median(direct)
    return {
        "job_first_line_seconds": statistics.median(first),
        "endpoint_in_service_seconds": statistics.median(service),
        "invoke_overhead_ms_p50": p50 - p50_direct,
        "invoke_ms_p50": p50,
        "direct_ms_p50": p50_direct,
        "queue": bench.queue(),
        "rounds": {"job_first_line_seconds": first, "endpoint_in_service_seconds": service},
    }


def main() -> None:
    """Measure, print, keep the numbers with the machine they were measured on."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as directory:
        bench = Bench(Path(directory))
        try:
            found = measure(bench, rounds)
        finally:
            control.down(bench.root)
    for name, goal in GOALS.items():
        print(f"{name:>30} {found[name]:8.3f}   goal {goal}")
    queue = found["queue"]
    print(
        f"{JOBS} queued jobs: {queue['before_mb']:.0f} MB before, {queue['waiting_mb']:.0f} MB waiting, "
        f"{queue['peak_mb']:.0f} MB at most, {queue['after_mb']:.0f} MB after; "
        f"submitted in {queue['submit_seconds']:.1f} s, over in {queue['all_seconds']:.1f} s"
    )
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    out = ROOT / "bench" / "results" / "sagemaker.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps({"machine": machine, "goals": GOALS, **found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
