"""A project's whole lake under test: a bucket with versions, the product's ledger and steps, and the real Prepare on
DuckDB in this process, which can be made to die before any of its writes.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pyarrow.parquet as pq

from chalicelib.adapters.s3 import S3Documents
from chalicelib.domain.upload import Upload
from chalicelib.steps import ingest, sweep
from tests import builders
from tests.fakes import RELEASED, FakePorts, Machine

PROJECT = "people"
SPEC = {
    "project": PROJECT,
    "task": "classification",
    "sources": {
        "upserts": {"path": "upserts/**", "kind": "upserts"},
        "deletes": {"path": "deletes/**", "kind": "deletes"},
    },
    "key": "id",
    "version_by": {"column": "seen", "format": "%Y-%m-%d"},
    "columns": {"id": "id", "seen": "ignore", "x": "number", "side": "label"},
    "min_rows": 2,
    "gate": {"metric": "macro_f1", "at_least": 0},
}
SIDES = ("train", "validation", "test", "unlabelled")
Row = tuple[str, ...]


class Killed(Exception):
    """The process is gone: nothing after this happens."""


class Axe:
    """Falls before the n-th write to S3 of whatever clients this process makes from now on."""

    def __init__(self) -> None:
        self.writes_left: int | None = None
        session = boto3.DEFAULT_SESSION
        assert session is not None
        for operation in ("PutObject", "DeleteObject"):
            session.events.register(f"before-call.s3.{operation}", self._fall)

    def _fall(self, **_: Any) -> None:
        if self.writes_left is not None:
            self.writes_left -= 1
            if self.writes_left < 0:
                raise Killed

    @contextmanager
    def after(self, writes: int | None) -> Iterator[None]:
        """Let that many writes through; None: all."""
        self.writes_left = writes
        try:
            yield
        finally:
            self.writes_left = None


@dataclass
class Lake:
    """One bucket, what it has told so far, and a ledger that has heard some of it."""

    s3: Any
    bucket: str
    axe: Axe
    events: list[Upload] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.ports = self.fresh_ports()

    def fresh_ports(self) -> FakePorts:
        """A ledger that knows the project and nothing else."""
        documents = S3Documents(self.s3, self.bucket)
        ports = FakePorts(settings=builders.settings(bucket=self.bucket), documents=documents)  # type: ignore[arg-type]
        ports.clock.moment = datetime.now(UTC) + timedelta(days=1)
        ports.ledger.put_project(SPEC, builders.AT)
        return ports

    # ── What people do ───────────────────────────────────────────────────────────────────────────────────────
    def put(self, name: str, body: str) -> None:
        """Upload a file, over another if there is one."""
        key, content = f"drop/{PROJECT}/{name}", body.encode()
        made = self.s3.put_object(Bucket=self.bucket, Key=key, Body=content)
        etag = made["ETag"].strip('"')
        self._tell("created", key, made["VersionId"], etag=etag, size=len(content))

    def remove(self, name: str) -> None:
        """Delete a file as `aws s3 rm` does."""
        key = f"drop/{PROJECT}/{name}"
        gone = self.s3.delete_object(Bucket=self.bucket, Key=key)
        self._tell("deleted", key, gone["VersionId"], etag="", size=0)

    def _tell(self, kind: str, key: str, version: str, *, etag: str, size: int) -> None:
        sequencer = f"{0x66A0000000 + 256 * len(self.events):018X}"
        self.events.append(Upload(kind, self.bucket, key, version, etag, sequencer, size, builders.AT))

    # ── What AWS does ────────────────────────────────────────────────────────────────────────────────────────
    def deliver(self, event: Upload, ports: FakePorts | None = None) -> None:
        """An event reaches Ingest."""
        ingest.run(ingest.Ingest(event), ports or self.ports)

    def sweep(self) -> None:
        """The schedule sweeps."""
        self.ports.clock.advance(minutes=10)
        sweep.run(sweep.Sweep(), self.ports)

    def step(
        self, ports: FakePorts | None = None, *, writes: int | None = None, reported: bool = True
    ) -> bool:
        """One execution goes its way; Prepare dies after so many `writes`, and then the run is reported, or lost."""
        ports = ports or self.ports
        running = ports.workflow.running()
        if not running:
            return False
        (name,) = running
        machine = Machine(ports)
        document = machine.claim(name)
        try:
            if "error" not in document:
                self._prepare(document, writes)
        except Killed:
            if not reported:
                ports.workflow.executions[name] = "ABORTED"
                return True
            error = {"state": "Prepare", "Error": "States.TaskFailed", "Cause": "it was killed"}
            document["error"] = error
        machine.report(name, **({} if "error" in document else RELEASED))
        return True

    def _prepare(self, document: dict[str, Any], writes: int | None) -> None:
        import prepare  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415  # training/ is on sys.path
        from data.duckdb_engine import (  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415
            DuckDbEngine,
        )
        from data.errors import BadUpload  # type: ignore[import-not-found,unused-ignore]  # noqa: PLC0415

        given = document["claim"]["prepare"]["Arguments"]
        words = [word for name, value in given.items() if name != "--database" for word in (name, value)]
        engine = DuckDbEngine("256MB")
        try:
            with self.axe.after(writes):
                prepare.Prepare(prepare.arguments(words), engine).run()
        except BadUpload as refusal:
            cause = f"BadUpload: {refusal}"
            document["error"] = {"state": "Prepare", "Error": "States.TaskFailed", "Cause": cause}
        finally:
            engine.close()

    def finish(self, ports: FakePorts | None = None) -> None:
        """Whatever runs, and what that starts, comes to its end."""
        while self.step(ports):
            pass

    # ── What can be seen ─────────────────────────────────────────────────────────────────────────────────────
    def table(self, ports: FakePorts | None = None) -> list[Row]:
        """The newest whole dataset, side by side: every row with its cells."""
        version = self._newest(ports or self.ports)
        rows = []
        for side in SIDES:
            prefix = f"lake/{PROJECT}/prepared/version={version:06d}/{side}/"
            for item in self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", []):
                body = self.s3.get_object(Bucket=self.bucket, Key=item["Key"])["Body"].read()
                found = pq.read_table(io.BytesIO(body)).select(["id", "seen", "x", "side"]).to_pylist()
                rows += [(side, *map(str, row.values())) for row in found]
        return sorted(rows)

    def _newest(self, ports: FakePorts) -> int:
        runs = [run for run in ports.ledger.runs(PROJECT) if run.state == "SUCCEEDED"]
        assert runs, "no run has succeeded"
        return max(int(run.summary["dataset_version"]) for run in runs)
