"""Score: check a file of rows line by line, and have a transform job score those that can be."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from chalicelib.domain import limits
from chalicelib.domain.batch import (
    FAILED,
    REFUSED,
    SCORING,
    Batch,
    batch_id,
    is_to_score,
    mark,
    rows,
    sort,
    transform,
)
from chalicelib.domain.project import complete
from chalicelib.domain.upload import DROP
from chalicelib.errors import BadUpload, PipelineError
from chalicelib.observability import note
from chalicelib.ports import Ports


@dataclass(frozen=True, slots=True)
class Score:
    """A file dropped below drop/<project>/score/, or a batch that the API has accepted."""

    bucket: str
    key: str
    etag: str = ""
    batch: str | None = None
    version_id: str | None = None


def run(command: Score, ports: Ports) -> dict[str, Any]:
    """Answers the batch's id, its status, and how many rows were read, refused, sent.

    The status is scoring or refused; or not ours, ignored (nothing to score), known (that upload has been scored).
    """
    if command.bucket != ports.settings.bucket:
        return {"status": "not ours", "batch": None, "rows": {}}  # one rule serves the buckets of every stage
    batch = _batch(command, ports)
    if batch is None:
        return {"status": "ignored", "batch": None, "rows": {}}
    note(project=batch.project, batch=batch.id, model=batch.model)
    known = ports.documents.read(_address(batch.mark, ports)) if batch.mark and not command.batch else None
    if known:  # its event came twice, or the sweep was quicker
        return {"status": "known", "batch": known["batch"], "rows": {}}
    if not command.batch and _by_erasure(batch, ports):  # the rows left in it were scored before
        ports.documents.write(_address(batch.mark or "", ports), {"batch": None})
        return {"status": "known", "batch": None, "rows": {}}
    batch = _judged(batch, ports)
    _keep(batch, ports)
    if batch.mark:  # last: an upload whose function died is found by the sweep
        ports.documents.write(_address(batch.mark, ports), {"batch": batch.id})
    return {"status": batch.status, "batch": batch.id, "rows": dict(batch.rows)}


def _judged(batch: Batch, ports: Ports) -> Batch:
    """The batch as it goes on: scoring, or refused. Raises what keeps it from either, by then kept as failed."""
    try:
        return _started(batch, ports)
    except BadUpload as error:
        return replace(batch, status=REFUSED, reason=str(error))
    except PipelineError as error:
        if not error.retryable:  # who looks at the batch is told; the function fails, which rings the alarm
            _keep(replace(batch, status=FAILED, reason=str(error)), ports)
        raise


def _batch(command: Score, ports: Ports) -> Batch | None:
    """The batch as the API accepted it; for a drop a new one, or None where there is nothing to score."""
    if command.batch:
        found = ports.documents.read(_address(command.key, ports))
        return Batch(**found) if found else None
    project = command.key.removeprefix(DROP).partition("/")[0]
    spec = ports.ledger.project(project)
    if spec is None or not is_to_score(command.key, project):
        return None  # the rule's wildcard also lets drop/<project>/data/score/… through
    champion = ports.ledger.champion(project)
    run_name = champion.run if champion else None
    return Batch(
        id=batch_id(project, command.key, command.etag, run_name or ""),
        project=project,
        key=command.key,
        model=run_name,
        model_name=champion.config if champion else None,
        instance=complete(spec)["release"]["instance"],
        at=ports.clock.now().isoformat(),
        mark=mark(project, command.key, command.version_id, command.etag),
    )


def _by_erasure(batch: Batch, ports: Ports) -> bool:
    stored = ports.files.head(batch.key)
    return stored is not None and stored.by_erasure


def _started(batch: Batch, ports: Ports) -> Batch:
    if batch.model is None:
        raise BadUpload(
            batch.key, "no model has been released yet", f"POST it to /projects/{batch.project}/batch later."
        )
    counts = _sorted(batch, ports)
    if not counts["sent"]:
        what = f"{batch.key}: none of its {counts['read']} rows can be scored. See errors, correct them."
        return replace(batch, status=REFUSED, reason=what, rows=counts)
    ports.transforms.start(transform(batch, ports.settings.stage, ports.settings.bucket))
    return replace(batch, status=SCORING, rows=counts)


def _sorted(batch: Batch, ports: Ports) -> Mapping[str, int]:
    """Put the rows that can be scored, and those that cannot with their faults, into the batch's folder."""
    schema = ports.schemas.of(batch.model or "")
    with ports.files.fetch(batch.key, limits.BATCH) as file, _scratch() as good, _scratch() as bad:
        counts = sort(rows(file, batch.key, schema), schema, good, bad)
        for key, part in ((f"{batch.folder}input/rows.jsonl", good), (batch.errors, bad)):
            part.seek(0)
            ports.files.put(key, part)
    return counts


def _scratch() -> Any:
    return tempfile.SpooledTemporaryFile(max_size=8 * limits.MB)  # closed by the caller's `with`


def _keep(batch: Batch, ports: Ports) -> None:
    ports.documents.write(_address(f"{batch.folder}batch.json", ports), batch.document())


def _address(key: str, ports: Ports) -> str:
    return f"s3://{ports.settings.bucket}/{key}"
