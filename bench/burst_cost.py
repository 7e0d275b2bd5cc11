"""What a small file costs on AWS: the product's own Ingest, Claim and Report on a sample, each request to AWS counted.

The sample's ledger is the stage's table, under a project of its own; no run is started, no notice sent. DynamoDB says
itself what a request consumed; of a Query it is what its answer weighs, as the embedded one counts one unit for a page.
Prices: us-east-1, list prices of 2026-06 as in docs/operations.md, without free tiers, from
aws.amazon.com/{s3,eventbridge,lambda,dynamodb}/pricing.
"""

from __future__ import annotations

import json
import math
import os
import uuid
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from chalicelib import settings as stage
from chalicelib.domain.run import RunEnded
from chalicelib.domain.upload import Upload
from chalicelib.steps import claim, ingest, report
from chalicelib.wiring import Wiring

US_DOLLARS = {
    "s3_put": 5.00e-6,
    "s3_get": 0.40e-6,
    "eventbridge_event": 1.00e-6,
    "lambda_request": 0.20e-6,
    "lambda_gb_second": 16.6667e-6,
    "dynamodb_write_unit": 0.625e-6,
    "dynamodb_read_unit": 0.125e-6,
}
_READ_BYTES = 4096  # of a strongly consistent read unit
_WRITES = ("PutItem", "DeleteItem", "UpdateItem", "TransactWriteItems")


class _Silent:
    """The state machine and the topic of the sample: asked, and nothing happens."""

    def start(self, name: str, document: Mapping[str, Any]) -> None:
        """No run."""

    def arn(self, name: str) -> str:
        """Nowhere."""
        return name

    def send(self, subject: str, text: str, attributes: Mapping[str, str]) -> None:
        """Nobody."""


class Counting(Wiring):
    """The product's ports on AWS; counts requests, and the units DynamoDB says they consumed."""

    def __init__(self, bucket_stage: str) -> None:
        super().__init__({**os.environ, stage.STAGE_VARIABLE: bucket_stage})
        self.requests: Counter[str] = Counter()
        self.units: Counter[str] = Counter()

    @cached_property
    def workflow(self) -> Any:
        """Starts nothing."""
        return _Silent()

    @cached_property
    def notices(self) -> Any:
        """Sends nothing."""
        return _Silent()

    def _client(self, service: str, *config: Any) -> Any:
        client = super()._client(service, *config)
        client.meta.events.register("after-call.*", self._seen)
        if service == "dynamodb":
            client.meta.events.register("provide-client-params.dynamodb", _with_capacity)
        return client

    def _seen(self, model: Any, parsed: Mapping[str, Any], **_: Any) -> None:
        self.requests[f"{model.service_model.service_name}:{model.name}"] += 1
        if "Items" in parsed:
            weighs = len(json.dumps(parsed["Items"], ensure_ascii=False).encode())
            self.units["read_units"] += math.ceil(weighs / _READ_BYTES)
            return
        consumed = parsed.get("ConsumedCapacity") or []
        kind = "write_units" if model.name in _WRITES else "read_units"
        for one in consumed if isinstance(consumed, list) else [consumed]:
            self.units[kind] += one["CapacityUnits"]

    def taken(self, files: int) -> dict[str, float]:
        """What was counted since it was last asked, for each file."""
        found = {**self.requests, **{f"dynamodb {name}": count for name, count in self.units.items()}}
        self.requests.clear()
        self.units.clear()
        return {name: round(count / files, 4) for name, count in sorted(found.items())}


def _with_capacity(params: dict[str, Any], **_: Any) -> dict[str, Any]:
    return {**params, "ReturnConsumedCapacity": "TOTAL"}


def count(of_stage: str, spec: Mapping[str, Any], files: int) -> dict[str, dict[str, float]]:
    """Requests and units for each file, by step; `files` is the size of the sample."""
    ports, project = Counting(of_stage), str(spec["project"])
    ports.ledger.put_project(spec, "2026-01-01T00:00:00Z")
    ports.taken(1)
    for number in range(files):
        ingest.run(ingest.Ingest(_upload(ports.settings.bucket, project, number)), ports)
    found = {"ingest": ports.taken(files)}
    document = _claimed(ports, project)
    found["claim"] = ports.taken(files)
    _prepared(ports, document)
    ports.taken(1)
    report.run(RunEnded(project, document["run"], document["attempt"], document), ports)
    found["report"] = ports.taken(files)
    return found


def _upload(bucket: str, project: str, number: int) -> Upload:
    version, key = uuid.uuid4().hex, f"drop/{project}/{number % 100:02d}/part-{number:06d}.csv"
    sequencer, at = f"{number + 1:018X}", "2026-01-01T00:00:00Z"
    return Upload("created", bucket, key, version, uuid.uuid4().hex, sequencer, 90, at)


def _claimed(ports: Counting, project: str) -> dict[str, Any]:
    lease = ports.ledger.lease(project)
    if lease is None:
        raise RuntimeError(f"no run of {project} was started")
    document = lease.document()
    answer: dict[str, Any] = {"status": "gathering"}
    while answer.get("status") == "gathering":
        asked = claim.Claim(project, lease.run, lease.attempt, answer)
        answer = claim.run(asked, ports)
    return {**document, "claim": answer}


def _prepared(ports: Counting, document: Mapping[str, Any]) -> None:
    """What Prepare would leave: every file taken."""
    objects = ports.documents.read(document["claim"]["objects_uri"]) or {"objects": []}
    rows = {"good": 3, "refused": 0, "unlabelled": 0}
    words = [
        {"key": one["key"], "etag": one["etag"], "verdict": "prepared", "reason": None, "rows": rows}
        for one in objects["objects"]
    ]
    counted = {"train": 3, "validation": 0, "test": 0, "unlabelled": 0, "quarantined": 0}
    result = {"outcome": "prepared", "reason": None, "objects": words, "rows": counted}
    ports.documents.write(document["claim"]["prepare_uri"], result)


def price(found: Mapping[str, Mapping[str, float]], lambda_ms: float, lambda_mb: int) -> dict[str, float]:
    """US dollars for a million files, by service. `lambda_ms`: billed time of one Ingest of `lambda_mb`."""
    writes = sum(step.get("dynamodb write_units", 0) for step in found.values())
    reads = sum(step.get("dynamodb read_units", 0) for step in found.values())
    each = US_DOLLARS
    one = {
        "s3": each["s3_put"] + each["s3_get"],
        "eventbridge": each["eventbridge_event"],
        "lambda": each["lambda_request"] + lambda_ms / 1000 * lambda_mb / 1024 * each["lambda_gb_second"],
        "dynamodb": writes * each["dynamodb_write_unit"] + reads * each["dynamodb_read_unit"],
    }
    a_million = {name: round(dollars * 1e6, 2) for name, dollars in one.items()}
    return {**a_million, "together": round(sum(one.values()) * 1e6, 2)}
