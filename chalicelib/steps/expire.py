"""Expire: once a run has made a version, let those go that the project's `keep_versions` no longer keeps."""

from __future__ import annotations

from chalicelib.domain.versions import expired, in_use
from chalicelib.errors import PipelineError
from chalicelib.observability import note
from chalicelib.ports import Ports


def expire(project: str, ports: Ports) -> int:
    """Answers how many objects went. Whoever calls it holds the project's lease, so no run is reading them.

    What cannot be removed now is tried again when the next run ends; a run does not fail over it.
    """
    spec = ports.ledger.project(project)
    keep = (spec or {}).get("keep_versions")
    if not keep:
        return 0
    try:
        listed = [
            one.key
            for area in ("prepared", "quarantine")
            for one in ports.documents.listing(f"lake/{project}/{area}/")
        ]
        gone = expired(listed, keep, in_use(ports.ledger.runs(project), ports.ledger.champion(project)))
        ports.documents.remove(gone)
    except PipelineError as error:
        note(expire=str(error))
        return 0
    note(expired=len(gone) or None)
    return len(gone)
