"""`penstock runs`: the runs of a project, newest first."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import click

from penstock.cli.session import Session, everywhere, pass_session


@click.command()
@click.option("--project", help="One project  [default: all]")
@everywhere
@pass_session
def runs(session: Session, project: str | None) -> None:
    """List the runs, newest first: state, time, metric, reason."""
    stage = session.runs()
    names = [project] if project else stage.api.get("/projects")["projects"]
    found = [record for name in names for record in stage.api.runs(name)]
    found.sort(key=lambda record: str(record["started_at"]), reverse=True)
    if found:
        for line in _lines(found, session.console.width if session.console.is_terminal else 10_000):
            session.say(line)
    else:
        session.say("No run yet. Drop a file: penstock drop FILE --watch")
    session.answer({"runs": found})


def _lines(found: list[dict[str, Any]], width: int) -> Iterator[str]:
    """One line a run, and its reason's first line below: a table would squeeze both on a narrow terminal."""
    for record in found:
        started = record["started_at"][:19].replace("T", " ")
        line = f"{record['run']:<28} {record['state'].lower():<9} {started}  {_took(record):>6}  {_metric(record)}"
        yield line.rstrip()
        reason = (record["reason"] or "").partition("\n")[0]
        if reason:
            yield "  " + (reason if len(reason) <= width - 2 else reason[: width - 3] + "…")


def _took(record: dict[str, Any]) -> str:
    if not record["ended_at"]:
        return "…"
    taken = datetime.fromisoformat(record["ended_at"]) - datetime.fromisoformat(record["started_at"])
    return f"{taken.total_seconds():.0f} s"


def _metric(record: dict[str, Any]) -> str:
    summary = record.get("summary") or {}
    value = summary.get("value")
    return f"{summary.get('metric')} {float(value):.4f}" if value is not None else ""
