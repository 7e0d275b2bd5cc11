"""Predict: check a question, ask the project's model, and say whose fault it is when there is no answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chalicelib.domain.prediction import question
from chalicelib.errors import NotReady
from chalicelib.observability import note
from chalicelib.ports import Ports


@dataclass(frozen=True, slots=True)
class Predict:
    """A request to a project's model; no project means the stage's only one."""

    project: str | None
    body: bytes
    content_type: str
    accept: str
    request_id: str


def run(command: Predict, ports: Ports) -> dict[str, Any]:
    """Answers body, content_type, and who answered: project, model (its run), variant, inference_id."""
    asked = question(command.body, command.content_type, command.accept)
    project = command.project or ports.champions.only_project()
    champion = ports.champions.of(project)
    note(project=project, model=champion.run, inference_id=command.request_id)
    try:
        answer = ports.predictor.ask(champion.endpoint, asked, command.request_id)
    except NotReady:
        ports.champions.forget(project)
        raise
    return {
        "body": answer.body,
        "content_type": answer.content_type,
        "project": project,
        "model": champion.run,
        "variant": answer.variant,
        "inference_id": answer.inference_id,
    }
