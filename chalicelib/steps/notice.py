"""Notice: a job has left the document it leaves last; tell people that its stage has ended, with counts and a link.

A job that fails leaves none: of that Report tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chalicelib.domain import notices
from chalicelib.domain.notices import PREPARE, TRAIN
from chalicelib.domain.run import project_of
from chalicelib.domain.upload import Upload
from chalicelib.ports import Ports

LEFT = ("runs/*/prepare.json", "runs/*/evaluate/scorecard.json", "models/*/output/model.tar.gz")
"""Keys of what Prepare, Evaluate and Train leave, for EventBridge."""


@dataclass(frozen=True, slots=True)
class Notice:
    """The object a job has left."""

    left: Upload


def run(command: Notice, ports: Ports) -> dict[str, Any]:
    """Answers the stage, the run and what became of the message; `not ours` for any other object."""
    left = command.left
    found = notices.left_by(left.key, ports.settings.stage) if left.bucket == ports.settings.bucket else None
    if found is None:
        return {"outcome": "not ours", "stage": None, "run": None}
    stage, name = found
    notice = _notice(stage, name, left, ports)
    outcome = ports.teller(notice) if notice else "gone"
    return {"outcome": outcome, "stage": stage, "run": name}


def _notice(stage: str, name: str, left: Upload, ports: Ports) -> notices.Notice | None:
    """From what the job left; None when that is no longer there."""
    project, root = project_of(name) or "", f"s3://{ports.settings.bucket}"
    uri = f"{root}/{left.key}"
    if stage == TRAIN:
        prepared = ports.documents.read(f"{root}/runs/{name}/prepare.json") or {}
        return notices.of_train(project, name, uri, left.size, prepared.get("rows") or {})
    document = ports.documents.read(uri)
    if document is None:
        return None
    if stage == PREPARE:
        return notices.of_prepare(project, name, document)
    return notices.of_evaluate(project, name, document, f"{root}/runs/{name}/evaluate/report.html")
