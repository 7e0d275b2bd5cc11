"""Look: answer questions about projects, uploads, runs, models and endpoints from what the ledger knows."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from chalicelib.domain.endpoint import endpoint_name
from chalicelib.domain.leaderboard import ranked
from chalicelib.domain.ledger import Counts, ObjectRecord
from chalicelib.domain.model_version import group_name
from chalicelib.domain.project import LOWER_IS_BETTER, complete
from chalicelib.domain.run import RunRecord
from chalicelib.domain.upload import NO_PROJECT
from chalicelib.errors import NotFound
from chalicelib.ports import Ports

MOST = 500
"""Uploads a page, and runs on the leaderboard: with the longest keys and reasons below the 6 MB a Lambda may answer."""
MOST_WHOLE = 100
"""Runs a page, and versions of one key: each with all that is known of it."""


def projects(ports: Ports) -> dict[str, Any]:
    """Every project's name."""
    return {"projects": ports.ledger.projects()}


def project(name: str, ports: Ports) -> dict[str, Any]:
    """A project's spec, what became of its uploads, who holds it and which model answers."""
    spec = _spec(name, ports)
    lease, champion = ports.ledger.lease(name), ports.ledger.champion(name)
    counts = ports.ledger.counts(name)
    return {
        "project": name,
        "spec": spec,
        "uploads": dict(sorted(counts.verdicts.items())),
        "uploads_more": counts.more,
        "run": lease.run if lease else None,
        "champion": asdict(champion) if champion else None,
    }


@dataclass(frozen=True, slots=True)
class Uploads:
    """Which uploads are asked for: those of one key, or of a project a page at a time: `limit` from `after` on.

    `counted`: whether to count them by verdict too, from `after` on.
    """

    project: str
    key: str | None = None
    after: str = ""
    limit: int = MOST
    counted: bool = True


def objects(asked: Uploads, ports: Ports) -> dict[str, Any]:
    """The verdicts of a page of uploads, or the story of one key's newest. A project's early uploads are told too.

    Where they are counted, `verdicts` says how many have each, `total` is the sum, and `more` where to go on counting
    (the first COUNTED are counted at once; null when these are all).
    """
    if asked.key is not None:
        records = ports.ledger.objects(asked.project, asked.key)
        every = Counts(Counter(record.verdict for record in records))
        return _page(asked, records[-MOST_WHOLE:], every, ports)
    records = ports.ledger.some_objects(asked.project, asked.after, asked.limit)
    counts = ports.ledger.counts(asked.project, asked.after) if asked.counted else None
    return _page(asked, records, counts, ports)


def _page(asked: Uploads, records: list[ObjectRecord], counts: Counts | None, ports: Ports) -> dict[str, Any]:
    if not records and asked.project != NO_PROJECT:
        _spec(asked.project, ports)
    whole = asked.key is not None
    page: dict[str, Any] = {
        "project": asked.project,
        "objects": [_object(one, whole=whole) for one in records],
    }
    if counts is not None:
        verdicts = dict(sorted(counts.verdicts.items()))
        page |= {"verdicts": verdicts, "total": sum(verdicts.values()), "more": counts.more}
    more = not whole and len(records) == asked.limit
    return {**page, "next": records[-1].id if more else None}


def runs(name: str, ports: Ports, after: str = "") -> dict[str, Any]:
    """A page of a project's runs, newest first; `after`: those older than this run."""
    _spec(name, ports)
    found = ports.ledger.runs(name)
    if after:
        places = [place for place, record in enumerate(found) if record.run == after]
        found = found[places[0] + 1 :] if places else []
    page = [_run(record) for record in found[:MOST_WHOLE]]
    return {"project": name, "runs": page, "next": page[-1]["run"] if len(found) > MOST_WHOLE else None}


def run(name: str, ports: Ports) -> dict[str, Any]:
    """One run."""
    record = ports.ledger.run(name)
    if record is None:
        raise NotFound(f"run {name}", "there is no such run", "GET /projects/{project}/runs lists them.")
    return _run(record)


def models(name: str, ports: Ports) -> dict[str, Any]:
    """The leaderboard: runs by the gate's metric, refused ones too; and the model versions, newest first."""
    spec = complete(_spec(name, ports))
    champion = ports.ledger.champion(name)
    versions = ports.registry.versions(group_name(ports.settings.stage, name))
    arn = champion.package_arn if champion else None
    metric = str(spec["gate"]["metric"])
    return {
        "project": name,
        "metric": metric,
        "lower_is_better": metric in LOWER_IS_BETTER,
        "leaderboard": ranked(ports.ledger.runs(name), metric, champion.run if champion else None)[:MOST],
        "models": [{**version, "champion": version["arn"] == arn} for version in versions],
    }


def endpoint(name: str, ports: Ports) -> dict[str, Any]:
    """A project's endpoint: what it should serve and what it serves."""
    _spec(name, ports)
    actual = ports.endpoints.describe(endpoint_name(ports.settings.stage, name))
    if actual is None:
        raise NotFound(
            f"project {name}", "it has no endpoint yet", f"See GET /projects/{name}/runs for how far it is."
        )
    champion = ports.ledger.champion(name)
    released = champion.config if champion else None
    shared = {"variants": dict(champion.variants), "shadow": champion.shadow} if champion else {}
    as_released = actual.config == released
    return {"project": name, **asdict(actual), "released": released, "as_released": as_released, **shared}


def _spec(name: str, ports: Ports) -> dict[str, Any]:
    spec = ports.ledger.project(name)
    if spec is None:
        raise NotFound(f"project {name}", "there is no such project", f"Create it with PUT /projects/{name}.")
    return spec


def _object(record: ObjectRecord, *, whole: bool) -> dict[str, Any]:
    told = {
        "key": record.key,
        "etag": record.etag,
        "version_id": record.version_id,
        "size": record.size,
        "uploaded": record.event_time,
        "verdict": record.verdict,
        "reason": record.reason,
        "run": record.run,
        "rows": record.rows,
        "tries": record.tries,
        "leaving": record.leaving,
    }
    return {**told, "history": list(record.history)} if whole else told


def _run(record: RunRecord) -> dict[str, Any]:
    return {**asdict(record), "summary": dict(record.summary)}
