"""Follow a run: its record from the API, its states from Step Functions, its scorecard and report from S3."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import ClientError

from penstock.client import history, stored
from penstock.client.api import Api, Refused
from penstock.deploy import Deployed
from penstock.deploy.access import authoriser
from penstock.errors import PenstockError

PATIENCE_SECONDS = 120.0  # an S3 event usually takes a second; AWS promises none
_LAST_STATE_SECONDS = 10.0
_LOCAL_PAUSE, _AWS_PAUSE = 0.3, 2.0


@dataclass(frozen=True)
class Snapshot:
    """A run at one moment: its ledger record, its states, and what Step Functions says of the execution."""

    record: dict[str, Any]
    states: list[history.State]
    execution: str
    at: datetime

    @property
    def ended(self) -> bool:
        """Whether the run has come to its end."""
        return str(self.record["state"]) != "RUNNING"


class Runs:
    """The runs of one deployed stage."""

    def __init__(self, deployed: Deployed) -> None:
        self.deployed = deployed
        self.api = Api(deployed.api_url, authoriser(deployed))
        self._machine = boto3.client("stepfunctions")
        self._s3 = boto3.client("s3")
        self._pause = _LOCAL_PAUSE if deployed.embedded else _AWS_PAUSE

    def latest(self, project: str) -> str:
        """The project's run to look at: the one going on, else the newest."""
        found = self.api.runs(project)
        if not found:
            raise PenstockError(
                f"project {project}",
                "it has no run yet",
                f"Drop a file: `penstock drop FILE --project {project}`.",
            )
        running = [record for record in found if record["state"] == "RUNNING"]
        return str((running or found)[0]["run"])

    def taking(self, project: str, key: str, known: int) -> str | None:
        """Wait until a run has taken the newest upload of `key`; `known` uploads of it were there before.

        None when it was given a verdict without a run. Raises PenstockError when no run takes it in time.
        """
        told: dict[str, Any] = {}

        def taken() -> bool:
            found = self.api.objects(project, key)
            told.update(found[-1] if len(found) > known else {})
            return bool(told) and (bool(told["run"]) or told["verdict"] not in {"pending", "claimed"})

        if not self._until(taken, self.busy(project)):
            raise PenstockError(
                f"s3://{self.deployed.bucket}/{key}",
                f"no run took it within {PATIENCE_SECONDS:.0f} seconds",
                "Start one with `penstock sweep`; `penstock logs` says what happened.",
            )
        return str(told["run"]) if told["run"] else None

    def busy(self, project: str) -> Callable[[], bool]:
        """Asks whether a run of the project is going on: then waiting for one's turn is no fault."""

        def going_on() -> bool:
            return any(record["state"] == "RUNNING" for record in self.api.runs(project))

        return going_on

    def follow(self, run: str) -> Iterator[Snapshot]:
        """The run again and again until it has ended; the last snapshot is its end."""
        last_look = None
        while True:
            shot = self.look(run)
            yield shot
            if shot.ended:  # Report writes the record; its own end in the history comes a moment later
                last_look = last_look or time.monotonic() + _LAST_STATE_SECONDS
                if shot.execution != "RUNNING" or time.monotonic() > last_look:
                    return
            time.sleep(self._pause)  # neither Step Functions nor the API offers anything to wait on

    def look(self, run: str) -> Snapshot:
        """The run now."""
        try:
            record = self.api.run(run)
        except Refused as error:
            if error.status != 404:
                raise
            raise PenstockError(
                f"run {run}", "there is no such run", "`penstock runs` lists them."
            ) from error
        arn = (
            self.deployed.machine_arn.replace(":stateMachine:", ":execution:") + f":{run}-{record['attempt']}"
        )
        try:
            execution = self._machine.describe_execution(executionArn=arn)["status"]
            states = history.states(self._events(arn))
        except ClientError as error:
            if error.response["Error"]["Code"] != "ExecutionDoesNotExist":
                raise
            execution, states = "GONE", []  # AWS forgets an execution after 90 days; the record stays
        return Snapshot(record, states, execution, datetime.now(UTC))

    def scorecard(self, run: str) -> dict[str, Any] | None:
        """The run's scorecard, or None when it came to none."""
        body = self._read(f"runs/{run}/evaluate/scorecard.json")
        return json.loads(body) if body is not None else None

    def prepared(self, run: str) -> dict[str, Any] | None:
        """What Prepare said in the run, or None when it did not come so far."""
        body = self._read(f"runs/{run}/prepare.json")
        return json.loads(body) if body is not None else None

    def drift(self, run: str | None, key: str) -> list[dict[str, Any]]:
        """What is different about an upload's columns, as the run that judged it says."""
        objects = ((self.prepared(run) if run else None) or {}).get("objects", [])
        return [change for one in objects if one["key"] == key for change in one.get("drift") or []]

    def candidates(self, run: str) -> dict[str, Any] | None:
        """What the run tried, best first, or None when it trained one model."""
        body = self._read(f"runs/{run}/candidates.json")
        return json.loads(body) if body is not None else None

    def report(self, run: str, folder: Path) -> Path | None:
        """Fetch the run's report.html into `folder`; None when there is none."""
        return self._fetched(f"runs/{run}/evaluate/report.html", folder / f"{run}.html")

    def data_report(self, run: str, folder: Path) -> Path | None:
        """Fetch the page that shows the dataset the run made into `folder`; None when it made none."""
        uri = (self.prepared(run) or {}).get("report_uri")
        return self._fetched(uri.split("/", 3)[3], folder / f"{run}-data.html") if uri else None

    def _fetched(self, key: str, path: Path) -> Path | None:
        body = self._read(key)
        if body is None:
            return None
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        return path

    def _read(self, key: str) -> bytes | None:
        try:
            body: bytes = self._s3.get_object(Bucket=self.deployed.bucket, Key=key)["Body"].read()
        except ClientError as error:
            if stored.is_absent(error):
                return None
            raise
        return body

    def _events(self, arn: str) -> Iterator[dict[str, Any]]:
        pages = self._machine.get_paginator("get_execution_history")
        for page in pages.paginate(executionArn=arn, includeExecutionData=False):
            yield from page["events"]

    def _until(self, condition: Callable[[], bool], excused: Callable[[], bool]) -> bool:
        """Wait for a condition; the clock starts anew while `excused`."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            if time.monotonic() > deadline:
                if not excused():
                    return False
                deadline = time.monotonic() + PATIENCE_SECONDS
            time.sleep(self._pause)
        return True
