"""Gate: from the scorecard alone, is this model good enough? A refusal is an answer with its reason, not an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chalicelib.domain.notices import GATE, of_document
from chalicelib.domain.scorecard import judge
from chalicelib.errors import JobFailed
from chalicelib.observability import note, score
from chalicelib.ports import Ports


@dataclass(frozen=True, slots=True)
class Gate:
    """The run document after Evaluate."""

    document: Mapping[str, Any]


def run(command: Gate, ports: Ports) -> dict[str, Any]:
    """Answers passed, reason, metric and value."""
    document = command.document
    claim = document["claim"]
    scorecard = _read(document["evaluate"]["scorecard_uri"], "Evaluate", ports)
    spec = _read(claim["spec_uri"], "Claim", ports)
    verdict = judge(scorecard, spec["gate"], champion=claim["champion"] is not None)
    note(run=document["run"], project=document["project"], passed=verdict.passed, reason=verdict.reason)
    if verdict.value is not None:
        score(document["project"], verdict.metric, verdict.value)
    outcome, report_uri = "passed" if verdict.passed else "refused", claim["report_uri"]
    ports.teller(of_document(document, GATE, outcome, verdict.reason, link=report_uri))
    return {
        "passed": verdict.passed,
        "reason": verdict.reason,
        "metric": verdict.metric,
        "value": verdict.value,
    }


def _read(uri: str, state: str, ports: Ports) -> dict[str, Any]:
    document = ports.documents.read(uri)
    if document is None:
        raise JobFailed(
            uri, f"{state} ended without writing it", f"Read the log of the run's {state} job.", status=500
        )
    return document
