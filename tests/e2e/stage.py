"""A deployed stage on an embedded AWS, spoken to as its users do: drop files, ask the API."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import urllib3

from penstock.deploy import Deployed

PATIENCE_SECONDS = 240.0


@dataclass(frozen=True)
class Answer:
    """What the API said."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Stage:
    """The stage's API and bucket."""

    def __init__(self, deployed: Deployed, root: Path) -> None:
        self.deployed = deployed
        self.root = root
        self.http = urllib3.PoolManager(retries=False, timeout=60)

    def client(self, service: str) -> Any:
        """A boto3 client of the embedded AWS."""
        return boto3.client(service)  # type: ignore[call-overload]

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """One request to the API; header names are given with underscores."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = self.http.request(method, self.deployed.api_url + path, body=body, headers=sent)
        return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.data)

    def get(self, path: str) -> Any:
        """A document of the API; fails on anything but 200."""
        answer = self.ask("GET", path)
        assert answer.status == 200, answer.body
        return answer.document

    def put_project(self, spec: dict[str, Any]) -> None:
        """Store a project's spec."""
        answer = self.ask(
            "PUT",
            f"/projects/{spec['project']}",
            json.dumps(spec).encode(),
            content_type="application/json",
        )
        assert answer.status in (200, 201), answer.body

    def drop(self, project: str, name: str, content: bytes) -> str:
        """Put a file below drop/<project>/; returns its key."""
        key = f"drop/{project}/{name}"
        self.client("s3").put_object(Bucket=self.deployed.bucket, Key=key, Body=content)
        return key

    def predict(self, project: str, body: Any, query: str = "", **headers: str) -> Answer:
        """POST to the project's predict door, as JSON unless told otherwise."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask(
            "POST",
            f"/projects/{project}/predict{query}",
            raw,
            **{"content_type": "application/json"} | headers,
        )

    def objects(self, project: str) -> list[dict[str, Any]]:
        """Every object of a project with its verdict."""
        found: list[dict[str, Any]] = self.get(f"/projects/{project}/objects")["objects"]
        return found

    def runs(self, project: str) -> list[dict[str, Any]]:
        """Every run of a project."""
        found: list[dict[str, Any]] = self.get(f"/projects/{project}/runs")["runs"]
        return found

    def settled(self, project: str, keys: set[str]) -> list[dict[str, Any]]:
        """Wait until every named object has its verdict and no run goes on; returns the runs, oldest first."""

        def over() -> bool:
            verdicts = {item["key"]: item["verdict"] for item in self.objects(project)}
            done = all(verdicts.get(key) not in (None, "pending", "claimed") for key in keys)
            return done and all(run["state"] != "RUNNING" for run in self.runs(project))

        self.until(over, f"the runs of {project}")
        return sorted(self.runs(project), key=lambda run: run["run"])

    def advance(self, seconds: float) -> None:
        """Let so much of SageMaker's time pass at once, where AWS would do something only after minutes."""
        url = f"{self.client('sagemaker').meta.endpoint_url}/_penstock/clock"
        answer = self.http.request("POST", url, body=json.dumps({"advance_seconds": seconds}))
        assert answer.status == 200, answer.data

    def until(self, condition: Callable[[], bool], what: str, seconds: float | None = None) -> None:
        """Wait for a condition; fails naming what was waited for."""
        seconds = seconds or PATIENCE_SECONDS
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited {seconds:.0f} s for {what}"
            time.sleep(0.2)
