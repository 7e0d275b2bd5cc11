"""`penstock up`: start the embedded AWS."""

import click

from penstock.cli.session import Session, everywhere, pass_session
from penstock.localaws import control


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), help="The port  [default: 4566, or a free one]")
@click.option("--testing", is_flag=True, help="Let tests move the clock and empty it: POST /_penstock/…")
@everywhere
@pass_session
def up(session: Session, port: int | None, testing: bool) -> None:
    """Start the embedded AWS of this checkout on 127.0.0.1."""
    running = control.up(session.root, port, testing)
    if running.note:
        session.say(f"Note: {running.note}.")
    session.say(f"The embedded AWS answers at {running.endpoint_url} (process {running.pid}).")
    session.say('Point other tools at it with: eval "$(penstock env)"')
    session.answer(running.__dict__)
