"""`penstock runs`: the runs of a project, newest first."""

from datetime import datetime
from typing import Any

import click
from rich.table import Table

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
        session.console.print(_table(found))
    else:
        session.say("No run yet. Drop a file: penstock drop FILE --watch")
    session.answer({"runs": found})


def _table(found: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, expand=True)
    for title in ("run", "state", "started", "took", "metric"):
        table.add_column(title, no_wrap=True)
    table.add_column("reason", overflow="ellipsis", no_wrap=True, ratio=1)  # --json has the whole of it
    for record in found:
        table.add_row(
            record["run"],
            record["state"].lower(),
            record["started_at"][:19].replace("T", " "),
            _took(record),
            _metric(record),
            (record["reason"] or "").partition("\n")[0],
        )
    return table


def _took(record: dict[str, Any]) -> str:
    if not record["ended_at"]:
        return "…"
    taken = datetime.fromisoformat(record["ended_at"]) - datetime.fromisoformat(record["started_at"])
    return f"{taken.total_seconds():.0f} s"


def _metric(record: dict[str, Any]) -> str:
    summary = record.get("summary") or {}
    value = summary.get("value")
    return f"{summary.get('metric')} {float(value):.4f}" if value is not None else ""
