"""Register: enter the run's model into the registry, once a run, approved or waiting for a person."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.jobs import image_of, learner_of
from chalicelib.domain.model_version import (
    APPROVED,
    PENDING_APPROVAL,
    ModelVersion,
    container,
    description,
    group_name,
    properties,
    token,
)
from chalicelib.domain.notices import REGISTER, of_document
from chalicelib.errors import JobFailed
from chalicelib.observability import note
from chalicelib.ports import Ports

_CONTENT_TYPES = ["application/json", "text/csv"]


@dataclass(frozen=True, slots=True)
class Register:
    """The run document after Gate."""

    document: Mapping[str, Any]


def run(command: Register, ports: Ports) -> dict[str, Any]:
    """Answers the package's ARN, version, artifact, and whether it is approved."""
    document = command.document
    group = group_name(ports.settings.stage, document["project"])
    ports.registry.ensure_group(group, document["project"])
    version = _kept(group, document, ports) or ports.registry.register(group, _request(document, ports))
    note(run=document["run"], project=document["project"], version=version.version, approval=version.approval)
    outcome, what = (
        "approved" if version.approved else "waiting",
        f"Version {version.version}: {document['gate']['reason']}",
    )
    ports.teller(of_document(document, REGISTER, outcome, what, link=version.arn))
    return {
        "package_arn": version.arn,
        "version": version.version,
        "approved": version.approved,
        "artifact": version.artifact_uri,
    }


def _kept(group: str, document: Mapping[str, Any], ports: Ports) -> ModelVersion | None:
    """What this run registered before. An earlier attempt's other model makes way, unless it was released."""
    known = ports.registry.find(group, document["run"])
    if known is None or known.artifact_uri == document["train"]["artifact"]:
        return known
    champion = ports.ledger.champion(document["project"])
    if champion is not None and champion.package_arn == known.arn:
        return known
    ports.registry.discard(known)
    return None


def _request(document: Mapping[str, Any], ports: Ports) -> dict[str, Any]:
    claim, artifact = document["claim"], document["train"]["artifact"]
    spec = ports.documents.read(claim["spec_uri"])
    if spec is None:
        raise JobFailed(claim["spec_uri"], "it is gone", "Start the run again.", status=500)
    manual = spec["release"]["approval"] == "manual"
    statistics = {"ContentType": "application/json", "S3Uri": document["evaluate"]["scorecard_uri"]}
    return {
        "ModelPackageDescription": description(document["run"], document["gate"]["reason"]),
        "ClientToken": token(document["run"], artifact),
        "ModelApprovalStatus": PENDING_APPROVAL if manual else APPROVED,
        "InferenceSpecification": {
            "Containers": [container(image_of(ports.settings, learner_of(document)), artifact)],
            "SupportedContentTypes": _CONTENT_TYPES,
            "SupportedResponseMIMETypes": _CONTENT_TYPES,
            "SupportedRealtimeInferenceInstanceTypes": [spec["release"]["instance"]],
        },
        "ModelMetrics": {"ModelQuality": {"Statistics": statistics}},
        "CustomerMetadataProperties": properties(
            document,
            ports.documents.read(document["evaluate"]["scorecard_uri"]),
            ports.settings.code_prefix,
            ports.settings.instance_type,
        ),
    }
