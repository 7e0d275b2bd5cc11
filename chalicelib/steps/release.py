"""Release: move the project's endpoint one step towards the run's model; called again until it has arrived.

An endpoint that is InService may still serve the old model: SageMaker rolls a failed update back and says nothing.
So the configuration's name is compared, and then the endpoint must answer a few rows exactly as the model did when
it was evaluated. If it does not, the endpoint goes back to what it served before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.domain import endpoint as endpoints
from chalicelib.domain.endpoint import (
    SHADOW,
    VARIANT,
    Actual,
    Served,
    config_name,
    endpoint_name,
    plan,
    wait_seconds,
)
from chalicelib.domain.jobs import image_of, learner_of
from chalicelib.domain.model_version import Champion, container
from chalicelib.domain.notices import RELEASE, of_document
from chalicelib.domain.places import Names
from chalicelib.domain.prediction import JSON, Question, difference
from chalicelib.errors import JobFailed, PipelineError, ProbeFailed, ReleaseRolledBack
from chalicelib.observability import note
from chalicelib.ports import Ports


@dataclass(frozen=True, slots=True)
class Release:
    """The run document after Register, with the previous answer under `release` from the second call on."""

    document: Mapping[str, Any]


def run(command: Release, ports: Ports) -> dict[str, Any]:
    """Answers status updating (call again after wait_seconds), released, or awaiting approval."""
    document = command.document
    name = endpoint_name(ports.settings.stage, document["project"])
    wanted = config_name(ports.settings.stage, document["run"], document["attempt"])
    before = document.get("release") or {}
    if not before and not ports.registry.describe(document["register"]["package_arn"]).approved:
        return {"status": "awaiting approval", "endpoint": name, "requested": None, "previous": None}
    actual = ports.endpoints.describe(name)
    step = plan(wanted, actual, requested=before.get("requested") == wanted)
    note(run=document["run"], project=document["project"], action=step.action, why=step.reason or None)
    if step.action == endpoints.ROLLED_BACK:
        _rolled_back(name, wanted, actual, step.reason, ports)
    if step.action == endpoints.PROBE:
        return _probed(document, name, wanted, before, ports)
    requested, previous = _act(step.action, name, wanted, actual, before, document, ports)
    looks = int(before.get("looks", 0)) + 1
    return {
        "status": "updating",
        "endpoint": name,
        "requested": requested,
        "previous": previous,
        "looks": looks,
        "wait_seconds": wait_seconds(looks),
    }


def _act(
    action: str,
    name: str,
    wanted: str,
    actual: Actual | None,
    before: Mapping[str, Any],
    document: Mapping[str, Any],
    ports: Ports,
) -> tuple[str | None, str | None]:
    """Do one step; answers the configuration asked for so far, and the one to go back to."""
    if action == endpoints.DISCARD:
        ports.endpoints.delete(name)
    if action not in {endpoints.CREATE, endpoints.UPDATE}:
        return before.get("requested"), before.get("previous")
    _create_config(document, wanted, ports)
    if actual is None:
        ports.endpoints.create(name, wanted, _tags(document, ports))
        return wanted, None
    ports.endpoints.update(name, wanted)
    return wanted, actual.config


def _create_config(document: Mapping[str, Any], wanted: str, ports: Ports) -> None:
    spec = _read(document["claim"]["spec_uri"], ports)
    serving = container(image_of(ports.settings, learner_of(document)), document["register"]["artifact"])
    served = [Served(VARIANT, wanted, serving, 1.0, spec["release"]["instance"])]
    before = _before(document, spec, ports)
    if before is not None:
        sample = spec["release"]["shadow"]["sample"]
        served.append(Served(SHADOW, before.config, None, sample, spec["release"]["instance"], shadow=True))
    capture = spec.get("watch", {}).get("capture_percent", 0)
    ports.endpoints.prepare(wanted, served, _tags(document, ports), capture=capture)


def _before(document: Mapping[str, Any], spec: Mapping[str, Any], ports: Ports) -> Champion | None:
    """The model that answers until now, if the spec wants it to go on as a shadow."""
    champion = ports.ledger.champion(document["project"]) if "shadow" in spec["release"] else None
    return champion if champion is not None and champion.run != document["run"] else None


def _tags(document: Mapping[str, Any], ports: Ports) -> list[dict[str, str]]:
    version = document["claim"]["version"]
    return Names(ports.settings, document["project"], document["run"], document["attempt"], version).tags


def _rolled_back(name: str, wanted: str, actual: Actual | None, reason: str, ports: Ports) -> None:
    if actual is not None and actual.status == "Failed":
        ports.endpoints.delete(name)  # it never served: left alone it would block every later release
    advice = (
        f"Read the endpoint's log (/aws/sagemaker/Endpoints/{name}); the old model, if any, still answers."
    )
    raise ReleaseRolledBack(f"endpoint {name}", f"{wanted} did not come into service: {reason}", advice)


def _probed(
    document: Mapping[str, Any], name: str, wanted: str, before: Mapping[str, Any], ports: Ports
) -> dict[str, Any]:
    problem = _probe(document["claim"]["probe_uri"], name, document["run"], ports)
    if problem is not None:
        _undo(document["project"], name, wanted, before, ports)
        advice = "It was taken back. Compare the serving image's packages with the training image's."
        raise ProbeFailed(f"endpoint {name}", problem, advice)
    _crown(document, name, wanted, ports)
    answers = f"Endpoint {name} answers with model version {document['register']['version']}"
    ports.teller(of_document(document, RELEASE, "released", answers, link=document["claim"]["report_uri"]))
    return {"status": "released", "endpoint": name, "requested": wanted, "previous": before.get("previous")}


def _probe(uri: str, name: str, run_name: str, ports: Ports) -> str | None:
    """Ask the endpoint what the model was asked when it was evaluated; answers the difference, or None."""
    probe = _read(uri, ports)
    asked = Question(json.dumps(probe["body"]).encode(), probe.get("content_type", JSON), JSON)
    try:
        answer = ports.predictor.ask(name, asked, f"probe-{run_name}")
    except PipelineError as error:
        if error.retryable:
            raise
        return f"the probe was refused: {error}"
    try:
        got = json.loads(answer.body)
    except ValueError:
        return f"the probe was answered with something that is not JSON ({answer.content_type})"
    return difference(probe["predictions"], got.get("predictions") if isinstance(got, dict) else got)


def _undo(project: str, name: str, wanted: str, before: Mapping[str, Any], ports: Ports) -> None:
    """Back to what it served before: as we noted when we asked, else what the ledger last saw proven."""
    champion = ports.ledger.champion(project)
    previous = before.get("previous") or (champion.config if champion else None)
    if previous and previous != wanted:
        ports.endpoints.update(name, previous)
    else:
        ports.endpoints.delete(name)


def _crown(document: Mapping[str, Any], name: str, wanted: str, ports: Ports) -> None:
    scorecard = _read(document["evaluate"]["scorecard_uri"], ports)
    register, shadow = document["register"], _shadow(document, ports)
    champion = Champion(
        project=document["project"],
        run=document["run"],
        artifact_uri=register["artifact"],
        package_arn=register["package_arn"],
        version=register["version"],
        endpoint=name,
        config=wanted,
        metrics=scorecard["metrics"],
        released_at=ports.clock.now().isoformat(),
        shadow=shadow,
        released_shadow=shadow,
    )
    ports.ledger.put_champion(champion)


def _shadow(document: Mapping[str, Any], ports: Ports) -> str | None:
    """The run whose model this release left as a shadow; the same when it is asked again."""
    known = ports.ledger.champion(document["project"])
    if known is not None and known.run == document["run"]:
        return known.released_shadow
    before = _before(document, _read(document["claim"]["spec_uri"], ports), ports)
    return before.run if before else None


def _read(uri: str, ports: Ports) -> dict[str, Any]:
    document = ports.documents.read(uri)
    if document is None:
        raise JobFailed(uri, "it was not written", "Read the log of the run's jobs.", status=500)
    return document
