"""Report: close a run on every path. Settle each upload's verdict, keep the record, give notice, let old versions
go, give the lease back, and only then look whether uploads wait for the next run. Reporting twice changes nothing and
tells once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from chalicelib.domain import leaderboard
from chalicelib.domain import run as runs
from chalicelib.domain.dataset import drift_lines, settlements
from chalicelib.domain.ledger import PENDING, PREPARED, Move, kept_after_all
from chalicelib.domain.notices import ENDS, wanted
from chalicelib.domain.run import Lease, Outcome, RunEnded, RunRecord, outcome
from chalicelib.domain.versions import expired, in_use
from chalicelib.errors import LeaseLost, PipelineError
from chalicelib.observability import note
from chalicelib.ports import Ports


def run(command: RunEnded, ports: Ports) -> dict[str, Any]:
    """Answers the outcome, its reason, how many uploads got a verdict, and the next run, if one was started."""
    lease = _lease(command, ports)
    prepared = _prepared(command, ports)
    ended = outcome(command.document, prepared)
    note(run=command.run, project=command.project, result=ended.word, error=ended.error)
    if lease is None:  # reported before, or taken over by a later attempt: its uploads are not ours to settle
        following = ports.launcher.when_waiting(command.project)
        return {
            "outcome": ended.word,
            "reason": ended.reason,
            "settled": 0,
            "notice": "none",
            "next": following,
        }
    moved = _settle(command, lease, prepared, ended, ports)
    record = _record(command, lease, ended, (prepared, moved), ports)
    _enter(record, prepared, ports)
    told = _tell(record, ports)
    if (prepared or {}).get("outcome") == PREPARED:
        _expire(command.project, ports)
    ports.ledger.release(lease)
    following = None if _never_claimed(command, ended) else ports.launcher.when_waiting(command.project)
    return {
        "outcome": ended.word,
        "reason": ended.reason,
        "settled": len(moved),
        "notice": told,
        "next": following,
    }


def _lease(command: RunEnded, ports: Ports) -> Lease | None:
    lease = ports.ledger.lease(command.project)
    return lease if lease and (lease.run, lease.attempt) == (command.run, command.attempt) else None


def _never_claimed(command: RunEnded, ended: Outcome) -> bool:
    """What could not be claimed now could not be a second later either: the sweep tries again, at its pace."""
    return ended.word == "failed" and _failed_state(command) in {"Claim", "Erase", "Sweep"}


def _failed_state(command: RunEnded) -> str | None:
    state: str | None = (command.document.get("error") or {}).get("state")
    return state


def _prepared(command: RunEnded, ports: Ports) -> dict[str, Any] | None:
    """Prepare's own word. It may be there although the state failed: that is how it refuses data.

    What an earlier attempt has left, of another version of the dataset, is no word on this one.
    """
    found = ports.documents.read(f"s3://{ports.settings.bucket}/runs/{command.run}/prepare.json")
    version = (command.document.get("claim") or {}).get("version")
    return None if found and version is not None and found.get("version") != version else found


def _settle(
    command: RunEnded, lease: Lease, prepared: Mapping[str, Any] | None, ended: Outcome, ports: Ports
) -> list[Move]:
    records, at = ports.ledger.objects(lease.project), ports.clock.now().isoformat()
    bad = ended.word in {"failed", "refused"}
    blame = (
        bad and _failed_state(command) != "Erase"
    )  # it was claimed with them; they have nothing to do with it
    moves = settlements(records, lease.run, prepared, at=at, reason=ended.reason, blame=blame)
    if bad and (prepared or {}).get("outcome") != PREPARED:
        left = (kept_after_all(record, lease.run, at, blame=blame) for record in records)
        moves += [move for move in left if move]
    try:
        return ports.ledger.move(moves, fence=lease)
    except LeaseLost:
        return []  # a later attempt has taken the run over; it settles


def _record(
    command: RunEnded,
    lease: Lease,
    ended: Outcome,
    settled: tuple[Mapping[str, Any] | None, list[Move]],
    ports: Ports,
) -> RunRecord:
    prepared, moved = settled
    now = ports.clock.now().isoformat()
    known = ports.ledger.run(command.run)
    if known is None:
        known = RunRecord(command.project, command.run, command.attempt, runs.RUNNING, lease.taken_at)
    record = replace(
        known,
        attempt=command.attempt,
        state=runs.STATES[ended.word],
        ended_at=known.ended_at or now,
        reason=ended.reason,
        error=ended.error,
        summary=_summary(command.document, moved)
        | _comparison(command.document, ports)
        | _drift(prepared, moved),
    )
    ports.ledger.put_run(record)
    return record


def _enter(record: RunRecord, prepared: Mapping[str, Any] | None, ports: Ports) -> None:
    """Enter the run in the catalog's table. A table that cannot be written must not keep the lease: the log says so."""
    uri = f"s3://{ports.settings.bucket}/lake/all_runs/{record.project}/{record.run}.json"
    try:
        ports.documents.write(uri, record.row((prepared or {}).get("rows")), one_line=True)
    except PipelineError as error:
        note(runs_table=str(error))


def _summary(document: Mapping[str, Any], moved: list[Move]) -> dict[str, Any]:
    """What a list of runs shows of one."""
    claim, gate = document.get("claim") or {}, document.get("gate") or {}
    register, release = document.get("register") or {}, document.get("release") or {}
    evaluate, error = document.get("evaluate") or {}, document.get("error") or {}
    verdicts: dict[str, int] = {}
    for move in moved:
        verdicts[move.after.verdict] = verdicts.get(move.after.verdict, 0) + 1
    facts = {
        "objects": claim.get("objects"),
        "dataset_version": claim.get("version"),
        "learner": claim.get("learner"),
        "metric": gate.get("metric"),
        "value": gate.get("value"),
        "gate": gate.get("reason"),
        "model_package_arn": register.get("package_arn"),
        "endpoint": release.get("endpoint"),
        "report_uri": evaluate.get("report_uri"),
        "failed_state": error.get("state"),
        "verdicts": verdicts or None,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _comparison(document: Mapping[str, Any], ports: Ports) -> dict[str, Any]:
    """What the leaderboard shows of the run; a scorecard that cannot be read now must not keep the lease."""
    uri = (document.get("evaluate") or {}).get("scorecard_uri")
    try:
        scorecard = ports.documents.read(uri) if uri else None
    except PipelineError as error:
        note(scorecard=str(error))
        scorecard = None
    found = leaderboard.facts(document, scorecard, ports.settings.instance_type)
    return {name: value for name, value in found.items() if value is not None}


def _drift(prepared: Mapping[str, Any] | None, moved: list[Move]) -> dict[str, Any]:
    """What is different about the columns of this run's uploads, in lines."""
    lines = drift_lines(prepared, {move.after.key for move in moved})
    return {"drift": lines} if lines else {}


def _tell(record: RunRecord, ports: Ports) -> str:
    """One message a run. That nobody could be told must not keep the lease: it is said in the answer and the log."""
    asked_for = wanted(ports.ledger.project(record.project), ENDS)
    if record.noticed or record.state == runs.NOTHING or not asked_for:
        return "none"
    try:
        ports.notices.send(_subject(record), _text(record, ports), _attributes(record))
    except PipelineError as error:
        note(notice=str(error))
        return f"not sent: {error}"
    ports.ledger.put_run(replace(record, noticed=True))
    return "sent"


def _expire(project: str, ports: Ports) -> None:
    """Let old versions go as the project's keep_versions says. The lease is held, so no run is reading them.

    What cannot be removed now is tried again when the next run ends; a run does not fail over it.
    """
    keep = (ports.ledger.project(project) or {}).get("keep_versions")
    if not keep:
        return
    try:
        areas = (ports.documents.keys(f"lake/{project}/{area}/") for area in ("prepared", "quarantine"))
        keys = [key for area in areas for key in area]
        gone = expired(keys, keep, in_use(ports.ledger.runs(project), ports.ledger.champion(project)))
        ports.documents.remove(gone)
    except PipelineError as error:
        note(expired=f"failed: {error}")
    else:
        note(expired=len(gone))


def _subject(record: RunRecord) -> str:
    return f"Penstock: {record.run} {record.state.lower()}"


def _attributes(record: RunRecord) -> dict[str, str]:
    ended = {"stage": "report", "outcome": record.state.lower(), "state": record.state}
    return {"project": record.project, "run": record.run, **ended}


def _text(record: RunRecord, ports: Ports) -> str:
    summary = record.summary
    lines = [
        record.reason or "",
        "",
        f"Project {record.project}, run {record.run}, attempt {record.attempt}",
        f"Started {record.started_at}, ended {record.ended_at}",
    ]
    lines += [f"{count} uploads: {verdict}" for verdict, count in summary.get("verdicts", {}).items()]
    lines += summary.get("drift", [])
    if "report_uri" in summary:
        lines.append(f"Report: {summary['report_uri']}")
    if summary.get("verdicts", {}).get(PENDING):
        lines.append(
            f"Uploads that wait are tried again; POST /projects/{record.project}/runs does so at once."
        )
    lines.append(f"Execution: {ports.workflow.arn(runs.execution_name(record.run, record.attempt))}")
    return "\n".join(lines)
