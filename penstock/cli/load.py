"""`penstock load`: load-test the front door by one of the profiles of loadtest/, or compare two runs of it."""

import subprocess
import sys
import time
from pathlib import Path

import boto3
import click

from penstock.cli.session import Session, aimed, pass_session
from penstock.cli.watch import only_project
from penstock.client import stage as stages
from penstock.client.api import of
from penstock.client.load import MODES, Load, Modes, admit, bodies_for, profile_of
from penstock.errors import PenstockError


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("profile", default="smoke")
@click.option("--project", help="The project whose model is asked  [default: the stage's only one]")
@click.option(
    "--bodies", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Request bodies, one JSON document a line  [default: the workshop's texts; made up for a model without text]",
)  # fmt: skip
@click.option("--compare", type=click.Choice(["batching"]), help="Run it twice: with batching off, and on.")
@click.option("--yes", is_flag=True, help="Do not ask whether a live endpoint may change its mode.")
@click.argument("more", nargs=-1, type=click.UNPROCESSED)
@aimed
@pass_session
def load(
    session: Session, profile: str, project: str | None, bodies: Path | None, compare: str | None,
    more: tuple[str, ...], *, yes: bool,
) -> None:  # fmt: skip
    """Load-test the API by PROFILE (smoke, workshop-42, workshop-100, steady, spike, soak); MORE goes to Locust.

    Leaves reports (HTML, JSON, CSV) below .penstock/load. Exit code 1 when the profile's budget was not kept.
    """
    runs = session.runs()
    admit(runs.deployed)
    name = project or only_project(runs)
    root = stages.checkout(session.root)
    folder = root / ".penstock" / "load" / f"{time.strftime('%Y%m%d-%H%M%S')}-{profile}"
    path = profile_of(root, profile)
    sent = bodies.resolve() if bodies else bodies_for(runs.api.get(f"{of(name)}/schema"), folder)
    plan = Load(runs.deployed.api_url, f"{of(name)}/predict", path, folder, sent, more)
    if compare is None:
        code, _ = plan.run(profile)
        session.say(f"Reports: {folder}")
        sys.exit(code)
    if not runs.deployed.embedded and not yes:
        _confirm(session.stage)
    endpoint = runs.api.get(f"{of(name)}/endpoint")["name"]
    codes, reports = [], []
    with Modes(boto3.client("sagemaker"), endpoint, session.say).each(MODES) as turns:
        for mode in turns:
            code, report = plan.measure(mode)
            codes.append(code)
            reports.append(f"{mode}:{plan.users}={report}")
    command = [sys.executable, "loadtest/compare.py", "--out", str(folder / "compared"), *reports]
    if subprocess.run(command, cwd=root, check=False).returncode:
        raise PenstockError(
            "compare.py", "the reports cannot be compared", f"Its lines say why. They lie in {folder}."
        )
    session.say(f"Compared: {folder / 'compared.html'}")
    sys.exit(max(codes))


def _confirm(stage: str) -> None:
    if not sys.stdin.isatty():
        raise PenstockError("load", f"nobody is here to confirm it for stage {stage!r}", "Say --yes.")
    words = (
        f"Update the endpoint of stage {stage!r} three times, while it answers? In the end it is as before"
    )
    click.confirm(words, abort=True, err=True)
