"""`penstock leaderboard`: a project's runs, the best by the gate's metric first, refused ones too."""

from typing import Any

import click
from rich.table import Table

from penstock.cli.session import Session, everywhere, pass_session
from penstock.cli.watch import only_project
from penstock.client.api import of
from penstock.client.view import figure

_SHOWN = 4
"""Hyperparameters in the table; --json has all."""


@click.command()
@click.argument("project", required=False)
@everywhere
@pass_session
def leaderboard(session: Session, project: str | None) -> None:
    """Rank the runs of PROJECT: learner, data, metrics on validation and test rows, estimated cost, verdict."""
    runs = session.runs()
    found = runs.api.get(f"{of(project or only_project(runs))}/models")
    rows = found["leaderboard"]
    if rows:
        session.console.print(board(rows, found["metric"]))
        session.say("Cost is an estimate: docs/steps/tune.md. Two side by side: penstock compare RUN RUN")
    else:
        session.say(f"No run of {found['project']} has come to a model yet. See `penstock runs`.")
    session.answer(found)


def board(rows: list[dict[str, Any]], metric: str) -> Table:
    """The rows as a table."""
    table = Table()
    for name, right in (("", True), ("run", False), ("learner", False), (f"{metric}, test", True)):
        table.add_column(name, justify="right" if right else "left")
    for name in ("validation", "data", "est. USD"):
        table.add_column(name, justify="right")
    for name in ("verdict", "when", "parameters"):
        table.add_column(name, overflow="fold")
    for row in rows:
        validation = (row.get("validation") or {}).get(metric)
        version, when = row.get("dataset_version"), (row.get("when") or "")[:16].replace("T", " ")
        table.add_row(
            str(row["rank"]), row["run"], str(row.get("learner")), figure(row["value"]), figure(validation),
            f"v{version}", figure(row.get("usd")), row["verdict"], when, _parameters(row),
        )  # fmt: skip
    return table


def _parameters(row: dict[str, Any]) -> str:
    given = sorted((row.get("hyperparameters") or {}).items())
    told = [f"{name}={value}" for name, value in given[:_SHOWN]]
    return ", ".join(told) + (f" and {len(given) - _SHOWN} more" if given[_SHOWN:] else "")
