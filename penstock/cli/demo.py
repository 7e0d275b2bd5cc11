"""`penstock demo`: from nothing to a prediction, on this machine."""

import click

from penstock.cli.session import Session, everywhere, pass_session
from penstock.client.stage import checkout
from penstock.demo import Demo


@click.command()
@everywhere
@pass_session
def demo(session: Session) -> None:
    """Start the embedded AWS, deploy, drop a real file, watch it become a model, and ask it."""
    session.answer(Demo(checkout(session.root), session.console).run())
