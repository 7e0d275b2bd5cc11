"""`penstock down`: stop the embedded AWS; its state is kept."""

import click

from penstock.cli.session import Session, everywhere, pass_session
from penstock.localaws import control


@click.command()
@everywhere
@pass_session
def down(session: Session) -> None:
    """Stop the embedded AWS, its jobs and endpoints. What it holds is kept for the next `up`."""
    stopped = control.down(session.root)
    session.say(f"Stopped process {stopped.pid}. Its state is kept: `penstock up` goes on from here.")
    session.answer({"stopped": stopped.pid, "root": stopped.root})
