"""A batch: rows in a file, scored by a transform job. Names, places, the job's request, and reading rows one by one."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, BinaryIO

from chalicelib.domain import limits
from chalicelib.domain.negotiation import JSON_LINES
from chalicelib.domain.project import name_fault
from chalicelib.domain.request_schema import RequestSchema
from chalicelib.domain.upload import DROP, SCORE, scratch
from chalicelib.errors import BadUpload, NotFound

ACCEPTED, SCORING, DONE, FAILED, REFUSED = "accepted", "scoring", "done", "failed", "refused"
_CSV, _LINES = (".csv", ".txt"), (".jsonl", ".ndjson")
_STATES = {"Completed": DONE, "Failed": FAILED, "Stopped": FAILED}
_ROW = "_row"
"""Where a row's number in its file travels, from 1; models ignore keys they do not know."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What is kept of a batch: scores/<project>/<id>/batch.json. `rows`: read, refused, sent, answered.

    `mark`: the key that says that the upload it scores has been taken up; None for rows in a request. `tries`: jobs of
    it that have failed.
    """

    id: str
    project: str
    key: str
    model: str | None
    model_name: str | None
    instance: str
    at: str
    status: str = ACCEPTED
    reason: str | None = None
    rows: Mapping[str, int] = field(default_factory=dict)
    mark: str | None = None
    tries: int = 0

    @property
    def folder(self) -> str:
        """The key prefix of everything of this batch."""
        return folder(self.id)

    @property
    def result(self) -> str:
        """The key of the answers: one JSON object a row, what was sent with the answer under SageMakerOutput."""
        return f"{self.folder}output/rows.jsonl.out"

    @property
    def errors(self) -> str:
        """The key of the refused rows: one JSON object each with its number and every fault."""
        return f"{self.folder}errors.jsonl"

    def document(self) -> dict[str, Any]:
        """As it is kept and shown."""
        return asdict(self)


def batch_id(project: str, *parts: str) -> str:
    """The same file for the same model is the same batch, however often it is asked for."""
    return f"{project}-{hashlib.sha256(' '.join(parts).encode()).hexdigest()[:12]}"


def folder(batch: str) -> str:
    """Where a batch lies. Raises NotFound for what can be none's name."""
    project, _, digest = batch.rpartition("-")
    if name_fault(project) or len(digest) != 12 or not digest.isalnum():
        raise no_batch(batch)
    return f"scores/{project}/{batch}/"


def no_batch(batch: str) -> NotFound:
    """404."""
    return NotFound(
        f"batch {batch[:64]}", "there is no such batch", "GET /projects/{project}/batch lists them."
    )


def marks(project: str) -> str:
    """Where a project's marks lie: one for each upload to be scored that has been taken up."""
    return f"scores/{project}/taken/"


def mark(project: str, key: str, version_id: str | None, etag: str) -> str:
    """The mark of one upload; the same file dropped again is another upload."""
    return f"{marks(project)}{hashlib.sha256(f'{key} {version_id or etag}'.encode()).hexdigest()[:32]}.json"


def job_name(stage: str, batch: Batch) -> str:
    """The transform job of a batch; after one that failed the next has another name."""
    return f"penstock-{stage}-{batch.id}" + (f"-{batch.tries}" if batch.tries else "")


def state(job_status: str) -> str:
    """What a transform job's status means for its batch."""
    return _STATES.get(job_status, SCORING)


def is_to_score(key: str, project: str) -> bool:
    """Whether a key can name a file of the project to be scored: what Spark or a desktop leaves beside it is none."""
    place = f"{DROP}{project}/{SCORE}"
    return key.startswith(place) and not key.endswith("/") and scratch(key.removeprefix(place)) is None


def to_score(key: str, project: str) -> str:
    """The key, if it can name a file of the project to be scored. Raises NotFound."""
    if not is_to_score(key, project):
        what = f"there is nothing to score: it is not below drop/{project}/{SCORE}"
        advice = "POST /projects/{project}/uploads with folder score answers a key that is."
        raise NotFound(f"key {key[:200]!r}", what, advice)
    return key


def transform(batch: Batch, stage: str, bucket: str) -> dict[str, Any]:
    """sagemaker:CreateTransformJob; SageMaker joins each answer to its row."""
    root = f"s3://{bucket}/{batch.folder}"
    source = {"S3DataType": "S3Prefix", "S3Uri": f"{root}input/rows.jsonl"}
    return {
        "TransformJobName": job_name(stage, batch),
        "ModelName": batch.model_name,
        "BatchStrategy": "MultiRecord",
        "TransformInput": {
            "DataSource": {"S3DataSource": source},
            "ContentType": JSON_LINES,
            "SplitType": "Line",
        },
        "TransformOutput": {"S3OutputPath": f"{root}output/", "Accept": JSON_LINES, "AssembleWith": "Line"},
        "DataProcessing": {"JoinSource": "Input"},
        "TransformResources": {"InstanceType": batch.instance, "InstanceCount": 1},
        "Tags": [{"Key": "penstock:project", "Value": batch.project}],
    }


def sort(
    rows: Iterable[tuple[int, Any, str | None]],
    schema: RequestSchema,
    good: BinaryIO,
    bad: BinaryIO,
    *,
    most: int = limits.SORTED,
) -> dict[str, int]:
    """Write each row where it belongs, as a line of JSON; answers how many were read, refused and sent.

    Raises BadUpload when the lines take more than `most` bytes: each of them names every column, a CSV does so once.
    """
    counts = {"read": 0, "refused": 0, "sent": 0}
    size = 0
    for number, record, problem in rows:
        faults = [{"where": "", "problem": problem}] if problem else _faults(record, schema)
        counts["read"] += 1
        counts["refused" if faults else "sent"] += 1
        told = {"row": number, "record": record, "errors": faults} if faults else {_ROW: number, **record}
        line = json.dumps(told, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        size += len(line)
        if size > most:
            what = f"up to here the rows take more than {most:,} bytes as JSON"
            raise BadUpload(
                f"row {number:,}", what, "Split the file, or leave out columns the model does not take."
            )
        (bad if faults else good).write(line)
    return counts


def _faults(record: Any, schema: RequestSchema) -> list[dict[str, str]]:
    return [{"where": where, "problem": problem} for where, problem in schema.wrong(record)]


def rows(file: BinaryIO, name: str, schema: RequestSchema) -> Iterator[tuple[int, Any, str | None]]:
    """The rows of a file with their numbers, from 1; or what keeps one from being read. Raises BadUpload."""
    lower = name.lower()
    if lower.endswith(_CSV):
        return _csv_rows(file, schema)
    if lower.endswith(_LINES):
        return _line_rows(file)
    if lower.endswith(".json"):
        return _json_rows(file)
    raise BadUpload(name, "neither CSV (.csv) nor JSON (.jsonl, .json)", "Save it as one of these.")


def _text(file: BinaryIO, newline: str | None = None) -> io.TextIOWrapper:
    return io.TextIOWrapper(file, encoding="utf-8-sig", errors="replace", newline=newline)


def _csv_rows(file: BinaryIO, schema: RequestSchema) -> Iterator[tuple[int, Any, str | None]]:
    names: list[str] = []
    number = 0
    try:
        for cells in csv.reader(_text(file, ""), strict=True):
            if not names:
                names, left = schema.rows([cells]) if cells else ([], [])
                if not left:
                    continue
            if cells:
                number += 1
                wrong = len(cells) != len(names)
                record = cells if wrong else dict(zip(names, cells, strict=True))
                yield number, record, f"has {len(cells)} cells and not {len(names)}" if wrong else None
    except csv.Error as error:
        raise BadUpload(f"row {number + 1}", f"not CSV: {error}", "Quote cells that hold quotes.") from error


def _line_rows(file: BinaryIO) -> Iterator[tuple[int, Any, str | None]]:
    number = 0
    for line in file:
        if line.strip():
            number += 1
            try:
                yield number, json.loads(line), None
            except (ValueError, RecursionError):
                yield number, None, "not JSON"


def _json_rows(file: BinaryIO) -> Iterator[tuple[int, Any, str | None]]:
    body = file.read(limits.BODY + 1)
    if len(body) > limits.BODY:
        raise BadUpload("the file", f"JSON in one document above {limits.BODY:,} bytes", "Send JSON Lines.")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadUpload("the file", "not JSON", "Correct it and drop it again.") from error
    records = found.get("instances", [found]) if isinstance(found, Mapping) else found
    if not isinstance(records, list):
        raise BadUpload("the file", "no list of records", 'Send {"instances": [{…}]}.')
    for number, record in enumerate(records, 1):
        yield number, record, None
