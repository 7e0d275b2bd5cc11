"""`penstock env`: the settings that point any AWS tool at the embedded AWS."""

import shlex

import click

from penstock.cli.session import Session, everywhere, pass_session
from penstock.client import stage as stages
from penstock.errors import PenstockError
from penstock.localaws import control


@click.command()
@everywhere
@pass_session
def env(session: Session) -> None:
    """Print export lines: eval "$(penstock env)" points the aws command and boto3 at the embedded AWS."""
    running = control.status(session.root)
    if running is None:
        raise PenstockError("env", "the embedded AWS is not running", "Start it with `penstock up`.")
    settings = stages.local_environment(running.endpoint_url)
    if session.machine:
        session.answer(settings)
        return
    for name, value in settings.items():
        click.echo(f"export {name}={shlex.quote(value)}")
