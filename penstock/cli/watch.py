"""`penstock watch`: a run's states as they go, and at its end the outcome, the scorecard and the report."""

import sys

import click

from penstock.cli.session import Session, everywhere, pass_session
from penstock.client.runs import Runs
from penstock.client.view import RunView, ending


@click.command()
@click.argument("run", required=False)
@click.option("--project", help="Watch the project's run that goes on, or its newest.")
@everywhere
@pass_session
def watch(session: Session, run: str | None, project: str | None) -> None:
    """Follow RUN (or the project's current one) to its end."""
    runs = session.runs()
    if run is None:
        run = runs.latest(project or only_project(runs))
    show(session, runs, run)


def only_project(runs: Runs) -> str:
    """The stage's project when it has just one; else the person must say."""
    found = runs.api.get("/projects")["projects"]
    if len(found) != 1:
        names = ", ".join(found) or "none yet"
        raise click.UsageError(f"Name a run, or a project with --project. Projects here: {names}.")
    return str(found[0])


def show(session: Session, runs: Runs, run: str) -> None:
    """Show one run until it has ended; exits with 1 when it failed."""
    last = None
    with RunView(session.console, run) as view:
        for last in runs.follow(run):
            view.update(last)
    if last is None:
        return
    told = ending(session.console, runs, last, session.root)
    session.answer(told)
    if last.record["state"] == "FAILED":
        sys.exit(1)
