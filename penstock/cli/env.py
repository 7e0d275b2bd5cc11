"""`penstock env`: the settings that point any AWS tool at the embedded AWS."""

import os
import shlex
from pathlib import Path

import click

from penstock.cli.session import Session, everywhere, pass_session
from penstock.client import stage as stages
from penstock.errors import PenstockError
from penstock.localaws import control

SDK_DEFAULTS = Path(stages.__file__).with_name("sagemaker-sdk.yaml")


@click.command()
@everywhere
@pass_session
def env(session: Session) -> None:
    """Print export lines: eval "$(penstock env)" points AWS's tools and SDKs at the embedded AWS."""
    running = control.status(session.root)
    if running is None:
        raise PenstockError("env", "the embedded AWS is not running", "Start it with `penstock up`.")
    exported = settings(running.endpoint_url)
    if session.machine:
        session.answer(exported)
        return
    for name in stages.leftovers(os.environ):
        click.echo(f"unset {name}")
    for name, value in exported.items():
        click.echo(f"export {name}={shlex.quote(value)}")


def settings(endpoint_url: str) -> dict[str, str]:
    """What a shell needs: AWS's own variables, and the SageMaker SDK's file of defaults (docs/sagemaker-sdk.md)."""
    return {**stages.local_environment(endpoint_url), "SAGEMAKER_USER_CONFIG_OVERRIDE": str(SDK_DEFAULTS)}
