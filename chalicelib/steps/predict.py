"""Predict: check a question, ask the project's model, and say whose fault it is when there is no answer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from chalicelib.domain.answered import Shape, shaped
from chalicelib.domain.asked import check, read
from chalicelib.domain.model_version import Champion
from chalicelib.domain.negotiation import JSON, wanted
from chalicelib.domain.prediction import Answer, Question
from chalicelib.domain.routing import variant_for
from chalicelib.errors import BadRequest, NotReady
from chalicelib.observability import note
from chalicelib.ports import Ports


@dataclass(frozen=True, slots=True)
class Predict:
    """A request to a project's model; no project means the stage's only one.

    `caller` pins a variant, `variant` names one, `probabilities` asks for the probability of every class.
    """

    project: str | None
    body: bytes
    content_type: str
    accept: str
    request_id: str
    caller: str = ""
    variant: str = ""
    probabilities: bool = False


def run(command: Predict, ports: Ports) -> dict[str, Any]:
    """Answers body, content_type, and who answered: project, model (its run), variant, inference_id."""
    accept = wanted(command.accept)
    asked = read(command.body, command.content_type)
    project = command.project or ports.champions.only_project()
    champion = ports.champions.of(project)
    note(project=project, model=champion.run, inference_id=command.request_id)
    rows = check(asked, ports.schemas.of(champion.run))
    note(rows=rows)
    variant = variant_for(champion, command.caller, command.variant)
    question = Question(command.body, asked.content_type, JSON, variant)
    answer = _ask(champion, question, command, ports)
    model = champion.model_of(answer.variant)
    note(model=model, variant=answer.variant)
    shape = Shape(accept, asked.one, rows, command.probabilities)
    body, kind = shaped(answer.body, shape, f"model {model}")
    return {
        "body": body,
        "content_type": kind,
        "project": project,
        "model": model,
        "variant": answer.variant,
        "inference_id": answer.inference_id,
    }


def _ask(champion: Champion, question: Question, command: Predict, ports: Ports) -> Answer:
    """Ask once; a pinned variant that the endpoint does not have yet, or any more, is left to the weights."""
    try:
        return ports.predictor.ask(champion.endpoint, question, command.request_id)
    except BadRequest as error:
        if error.where != "variant" or command.variant:
            raise
        return ports.predictor.ask(champion.endpoint, replace(question, variant=None), command.request_id)
    except NotReady:
        ports.champions.forget(champion.project)
        raise
