"""`penstock logs`: what the embedded AWS says; with a run, what its jobs said."""

import click

from penstock.cli.session import Session, everywhere, pass_session
from penstock.localaws import control


@click.command()
@click.option("--follow", "-f", is_flag=True, help="Go on until the server ends.")
@click.option(
    "--lines", "-n", type=click.IntRange(min=0), default=100, show_default=True, help="How many of the last."
)
@everywhere
@pass_session
def logs(session: Session, follow: bool, lines: int) -> None:
    """Print the embedded AWS's log. Jobs and functions write to CloudWatch Logs, as on AWS."""
    last = list(control.logs(session.root))
    for line in last[len(last) - lines if lines < len(last) else 0 :]:
        click.echo(line)
    if follow:
        for number, line in enumerate(control.logs(session.root, follow=True)):
            if number >= len(last):
                click.echo(line)
