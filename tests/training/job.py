"""Runs training/prepare.py as Glue does: a process of its own with Glue-style arguments, documents in S3."""

from __future__ import annotations

import io
import itertools
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

TRAINING = Path(__file__).resolve().parents[2] / "training"
_numbers = itertools.count(1)


@dataclass
class Outcome:
    """What a run of Prepare left."""

    status: int
    stdout: str
    stderr: str
    result: dict[str, Any] | None
    bucket: str
    lake: str
    version: int
    s3: Any = field(repr=False)

    @property
    def verdicts(self) -> dict[str, dict[str, Any]]:
        """Verdicts by file name."""
        assert self.result is not None, self.stderr
        return {item["key"].rsplit("/", 1)[-1]: item for item in self.result["objects"]}

    def json(self, name: str) -> dict[str, Any]:
        """A document of the version."""
        document: dict[str, Any] = json.loads(self.text(name))
        return document

    def text(self, name: str) -> str:
        """A text of the version."""
        key = f"{self.lake}/prepared/version={self.version:06d}/{name}"
        body: bytes = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body.decode()

    def table(self, side: str) -> pa.Table:
        """The rows of a split, or of the quarantine."""
        area = "quarantine" if side == "quarantine" else "prepared"
        prefix = f"{self.lake}/{area}/version={self.version:06d}/" + (
            "" if side == "quarantine" else f"{side}/"
        )
        found = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", [])
        parts = [self.s3.get_object(Bucket=self.bucket, Key=item["Key"])["Body"].read() for item in found]
        return pa.concat_tables(pq.read_table(io.BytesIO(part)) for part in parts)

    def keys(self) -> list[str]:
        """Everything below the project's lake."""
        found = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=f"{self.lake}/")
        return [item["Key"] for item in found.get("Contents", [])]


@dataclass
class Job:
    """Drops files and runs the job on them."""

    s3: Any
    bucket: str
    environment: Mapping[str, str]
    python: str = sys.executable
    timeout: int = 300  # seconds, until a run is given up for hung

    def objects(
        self, project: str, files: Mapping[str, bytes], old: Sequence[str] = ()
    ) -> list[dict[str, Any]]:
        """Drop files; objects.json's entries for them, in the order given."""
        entries = []
        for place, (name, body) in enumerate(files.items(), 1):
            key = f"drop/{project}/{name}"
            answer = self.s3.put_object(Bucket=self.bucket, Key=key, Body=body)
            entries.append(
                {
                    "bucket": self.bucket,
                    "key": key,
                    "version_id": answer.get("VersionId"),
                    "etag": answer["ETag"].strip('"'),
                    "sequencer": f"{place:016X}",
                    "size": len(body),
                    "claimed_now": name not in old,
                }
            )
        return entries

    def run(
        self,
        spec: Mapping[str, Any],
        entries: Sequence[Mapping[str, Any]],
        *extra: str,
        version: int = 1,
        run: str = "",
    ) -> Outcome:
        """Run Prepare on those objects in a lake of its own (or that of an earlier `run`)."""
        run = run or f"{spec['project']}-{next(_numbers):04d}-t0"
        root = f"s3://{self.bucket}"
        lake = f"lake/{run}"
        for name, document in (
            ("objects", {"project": spec["project"], "run": run, "objects": entries}),
            ("project", spec),
        ):
            self.s3.put_object(
                Bucket=self.bucket, Key=f"runs/{run}/{name}.json", Body=json.dumps(document).encode()
            )
        arguments = {
            "bucket": self.bucket, "project": spec["project"], "run": run, "version": str(version),
            "objects_uri": f"{root}/runs/{run}/objects.json", "spec_uri": f"{root}/runs/{run}/project.json",
            "result_uri": f"{root}/runs/{run}/prepare.json", "lake_uri": f"{root}/{lake}/",
            "JOB_NAME": "penstock-test-prepare",
        }  # fmt: skip
        command = [self.python, str(TRAINING / "prepare.py")]
        command += [word for name, value in arguments.items() for word in (f"--{name}", value)]
        command += extra
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=self.timeout, check=False
        )
        return Outcome(
            done.returncode, done.stdout, done.stderr, self._result(run), self.bucket, lake, version, self.s3
        )

    def _result(self, run: str) -> dict[str, Any] | None:
        found = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=f"runs/{run}/prepare.json")
        if not found.get("KeyCount"):
            return None
        body = self.s3.get_object(Bucket=self.bucket, Key=f"runs/{run}/prepare.json")["Body"].read()
        document: dict[str, Any] = json.loads(body)
        return document
