"""Share: let several models answer by weights, or one get copies (shadow); take an endpoint away, and wake it.

A function of its own: it alone among what callers of the API reach may create models and endpoints. It is told of a
project and of weights and finds everything else itself, so that whoever calls it can ask for no more than that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chalicelib.domain.endpoint import SHADOW, VARIANT, Actual, Served
from chalicelib.domain.jobs import image_of, learner_name
from chalicelib.domain.model_version import Champion, container, group_name
from chalicelib.domain.project import complete
from chalicelib.errors import BadRequest, Conflict, Fault, PipelineError
from chalicelib.observability import note
from chalicelib.ports import Ports

_MOST = 10
"""Variants of an endpoint, as SageMaker has it."""
_BROKEN = {"Failed", "UpdateRollbackFailed"}
"""Endpoints that can only be deleted."""


@dataclass(frozen=True, slots=True)
class Share:
    """{"variants": {run: weight, …}, "shadow": {"model": run, "sample": 0.1}}; shares are weight over sum.

    With `remove`, the endpoint is taken away.
    """

    project: str
    wanted: Any = None
    remove: bool = False


def run(command: Share, ports: Ports) -> dict[str, Any]:
    """Answers what the endpoint goes to now; or why not, under `refused`: nothing released, it is updating, 422 …"""
    ports.champions.forget(command.project)
    try:
        champion = ports.champions.of(command.project)
        return _remove(champion, ports) if command.remove else _put(command, champion, ports)
    except PipelineError as error:
        note(error=error.code, reason=str(error))
        return {"refused": error.document()}


def _put(command: Share, champion: Champion, ports: Ports) -> dict[str, Any]:
    faults = list(_faults(command.wanted))
    if faults:
        raise BadRequest("endpoint", "not usable", "Correct what errors names.", status=422, faults=faults)
    variants, shadow = _read(command.wanted, champion)
    actual = _at_rest(champion, ports)
    if actual is not None and actual.status in _BROKEN:
        ports.endpoints.delete(champion.endpoint)  # SageMaker takes no update of it
        advice = "Try again when it is gone: then it is made anew."
        raise Conflict(f"endpoint {champion.endpoint}", f"it is {actual.status} and is being removed", advice)
    if actual is not None and _only_weights(variants, shadow, champion, actual):
        config = actual.config
        ports.endpoints.weigh(champion.endpoint, variants)
    else:
        config = _moved(variants, shadow, champion, actual, ports)
    shares = {} if list(variants) == [VARIANT] else variants
    told = replace(champion, variants=shares, shadow=shadow["model"] if shadow else None)
    _keep(told, ports)
    note(variants=len(variants), shadow=told.shadow)
    return {"project": command.project, "endpoint": champion.endpoint, "config": config, "variants": variants,
            "shadow": shadow, "status_url": f"/projects/{command.project}/endpoint"}  # fmt: skip


def _only_weights(
    variants: Mapping[str, float], shadow: Mapping[str, Any] | None, champion: Champion, actual: Actual
) -> bool:
    """Whether the same models answer already: other weights then hold at once, without new instances."""
    there = shadow is None and champion.shadow is None and champion.variants.keys() == variants.keys()
    return len(variants) > 1 and there and actual.weights.keys() == variants.keys()


def _moved(
    variants: Mapping[str, float],
    shadow: Mapping[str, Any] | None,
    champion: Champion,
    actual: Actual | None,
    ports: Ports,
) -> str:
    """Send the endpoint to a configuration with these models; answers its name."""
    spec = complete(ports.ledger.project(champion.project) or {})
    capture = int(spec.get("watch", {}).get("capture_percent", 0))
    served = _served(variants, shadow, spec, champion, ports)
    config = _config(champion, served, capture, ports)
    tags = [{"Key": "penstock:project", "Value": champion.project}]
    if config != champion.config:
        ports.endpoints.prepare(config, served, tags, capture=capture)
    if actual is None:
        ports.endpoints.create(champion.endpoint, config, tags)
    elif actual.config != config:
        ports.endpoints.update(champion.endpoint, config)
    return config


def _remove(champion: Champion, ports: Ports) -> dict[str, Any]:
    _at_rest(champion, ports)
    ports.endpoints.delete(champion.endpoint)
    _keep(replace(champion, variants={}, shadow=None), ports)
    return {"project": champion.project, "endpoint": champion.endpoint, "removed": True}


def _at_rest(champion: Champion, ports: Ports) -> Actual | None:
    """The endpoint, which nobody is moving: no update is going, and no release.

    While a run has the project, a model that is neither the champion's nor a share's is that run's: it is being
    probed, and has not been entered as the champion yet.
    """
    actual = ports.endpoints.describe(champion.endpoint)
    if actual is None or actual.status in _BROKEN:
        return actual
    where, advice = f"endpoint {champion.endpoint}", "Try again when it is InService."
    if actual.status != "InService":
        raise Conflict(where, f"it is {actual.status}", advice)
    known = actual.config == champion.config or actual.config.startswith(_shares(champion, ports))
    if not known and ports.ledger.lease(champion.project) is not None:
        raise Conflict(where, "a release is going on", "Try again when its run has ended.")
    return actual


def _keep(told: Champion, ports: Ports) -> None:
    if not ports.ledger.keep_champion(told):
        what = "another model has been released meanwhile"
        raise Conflict(
            f"endpoint {told.endpoint}", what, "Look at it, then ask again for what is still wanted."
        )


def _shares(champion: Champion, ports: Ports) -> str:
    return f"penstock-{ports.settings.stage}-{champion.project}-share-"


def _faults(wanted: Any) -> Iterator[Fault]:
    if not isinstance(wanted, Mapping):
        yield Fault("", 'must be an object: {"variants": {"<run>": 1}}')
        return
    yield from (Fault(str(name), "is not known here") for name in wanted.keys() - {"variants", "shadow"})
    variants = wanted.get("variants", {})
    if not isinstance(variants, Mapping) or len(variants) > _MOST:
        yield Fault("variants", f"must be an object of at most {_MOST} runs with their weights")
        return
    for name, weight in variants.items():
        if not _number(weight) or not 0 <= weight <= 1000:
            yield Fault(f"variants.{name}", "must be a weight from 0 to 1000")
    if variants and not sum(weight for weight in variants.values() if _number(weight)):
        yield Fault("variants", "somebody must answer: one weight must be above 0")
    yield from _shadow_faults(wanted.get("shadow"), len(variants))


def _shadow_faults(shadow: Any, variants: int) -> Iterator[Fault]:
    if shadow is None:
        return
    if not isinstance(shadow, Mapping) or not isinstance(shadow.get("model"), str):
        yield Fault("shadow", 'must be an object: {"model": "<run>", "sample": 0.1}')
        return
    sample = shadow.get("sample", 1)
    if not _number(sample) or not 0 < sample <= 1:
        yield Fault("shadow.sample", "must be a share above 0, at most 1")
    if variants > 1:
        yield Fault(
            "shadow", "SageMaker copies the requests of one variant only: name one, or leave shadow out"
        )


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _read(wanted: Mapping[str, Any], champion: Champion) -> tuple[dict[str, float], dict[str, Any] | None]:
    """Weights by variant (the champion's is called live), and the shadow."""
    given = wanted.get("variants") or {champion.run: 1}
    names = {run_name: VARIANT if run_name == champion.run else run_name for run_name in given}
    shadow = wanted.get("shadow")
    told = {"model": shadow["model"], "sample": float(shadow.get("sample", 1))} if shadow else None
    return {names[run_name]: float(weight) for run_name, weight in given.items()}, told


def _config(champion: Champion, served: Sequence[Served], capture: int, ports: Ports) -> str:
    """The champion's own configuration when it answers alone; else one named by what is in it."""
    if [one.variant for one in served] == [VARIANT] and champion.released_shadow is None:
        return champion.config
    inside = sorted([one.variant, one.model, one.weight, one.instance] for one in served)
    digest = hashlib.sha256(json.dumps([inside, capture]).encode()).hexdigest()[:8]
    return f"{_shares(champion, ports)}{digest}"


def _served(
    variants: Mapping[str, float],
    shadow: Mapping[str, Any] | None,
    spec: Mapping[str, Any],
    champion: Champion,
    ports: Ports,
) -> list[Served]:
    found = [_one(name, weight, spec, champion, ports) for name, weight in variants.items()]
    if shadow:
        share = shadow["sample"] * sum(
            variants.values()
        )  # of the production variants' weights, as SageMaker has it
        one = _one(shadow["model"], share, spec, champion, ports)
        found.append(replace(one, variant=SHADOW, shadow=True))
    return found


def _one(name: str, weight: float, spec: Mapping[str, Any], champion: Champion, ports: Ports) -> Served:
    instance = spec["release"]["instance"]
    if name in {VARIANT, champion.run}:
        return Served(name, champion.config, None, weight, instance)
    version = ports.registry.find(group_name(ports.settings.stage, champion.project), name)
    if version is None or not version.approved:
        what = "no approved model of this project" if version else "no registered model of this project"
        fault = Fault(f"variants.{name}", f"is {what}")
        advice = f"GET /projects/{champion.project}/models lists them."
        raise BadRequest("endpoint", "not usable", advice, status=422, faults=[fault])
    model = f"penstock-{ports.settings.stage}-{name}-v{version.version}"
    made_by = ports.ledger.run(name)
    learner = (made_by.summary if made_by else {}).get("learner") or learner_name(spec)
    serving = container(image_of(ports.settings, learner), version.artifact_uri)
    return Served(name, model, serving, weight, instance)
