"""A model version in the registry: what is registered of a run, and which released model is the champion."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from chalicelib.domain.endpoint import VARIANT
from chalicelib.domain.leaderboard import facts

APPROVED, PENDING_APPROVAL = "Approved", "PendingManualApproval"
_NAME_LIMIT, _PROPERTY_LIMIT, _MOST_PROPERTIES = 128, 256, 50
"""CreateModelPackage: of CustomerMetadataProperties."""
_FOREIGN = re.compile(r"[^\w\s.:/=+@-]")
"""What their values may not hold."""


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One registered model; exactly one a run."""

    arn: str
    version: int
    run: str
    artifact_uri: str
    approval: str

    @property
    def approved(self) -> bool:
        """Whether it may be released."""
        return self.approval == APPROVED


@dataclass(frozen=True, slots=True)
class Champion:
    """The model a project's endpoint answers with."""

    project: str
    run: str
    artifact_uri: str
    package_arn: str
    version: int
    endpoint: str
    config: str
    metrics: Mapping[str, float | None]
    released_at: str
    variants: Mapping[str, float] = field(default_factory=dict)
    """Shares of the traffic by variant while several models answer; empty while the champion answers alone."""
    shadow: str | None = None
    """The run whose model gets copies of requests; nobody waits for its answers."""
    released_shadow: str | None = None
    """The shadow in `config` itself, where the spec asked for one: then `config` is not the champion alone."""

    def model_of(self, variant: str) -> str:
        """The run whose model answers as this variant."""
        return variant if variant in self.variants and variant != VARIANT else self.run


def group_name(stage: str, project: str) -> str:
    """The model package group of a project."""
    return f"penstock-{stage}-{project}"


def token(run: str, artifact: str) -> str:
    """The registry's idempotency token: the same model of the same run is registered once, however often asked."""
    return hashlib.sha256(f"{run} {artifact}".encode()).hexdigest()[:36]


def description(run: str, reason: str) -> str:
    """Begins with the run's name, by which a later attempt finds what an earlier one registered."""
    return f"run {run}: {reason}"[:1024]


def properties(
    document: Mapping[str, Any], scorecard: Mapping[str, Any] | None, code_prefix: str, instance_type: str
) -> dict[str, str]:
    """What a person sees beside the version in the registry: where it comes from, how good it is, what it cost."""
    known = facts(document, scorecard, instance_type)
    values = {
        "project": document["project"],
        "run": document["run"],
        "learner": known["learner"],
        "dataset_version": document["claim"]["version"],
        "training_job": document["train"]["job"],
        "code": code_prefix,
        "gate": document["gate"]["reason"],
        "cost_usd_estimate": known["usd"],
        **{f"parameter_{name}": value for name, value in known["hyperparameters"].items()},
        **{f"test_{name}": value for name, value in known["test"].items()},
        **{f"validation_{name}": value for name, value in known["validation"].items()},
    }
    told = [(name[:_NAME_LIMIT], str(value)) for name, value in values.items() if value not in (None, "")]
    return {name: _FOREIGN.sub(" ", value)[:_PROPERTY_LIMIT] for name, value in told[:_MOST_PROPERTIES]}


def container(image: str, artifact: str) -> dict[str, Any]:
    """The serving container of a model, in script mode."""
    environment = {"SAGEMAKER_PROGRAM": "inference.py", "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code"}
    return {"Image": image, "ModelDataUrl": artifact, "Environment": environment}
