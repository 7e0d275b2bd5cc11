"""`penstock destroy`: take a stage away again, all of it."""

import click

from penstock import deploy as deployment
from penstock.cli.session import Session, everywhere, pass_session
from penstock.client.stage import LOCAL, checkout
from penstock.client.view import Steps


@click.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
@everywhere
@pass_session
def destroy(session: Session, yes: bool) -> None:
    """Remove everything the stage owns, its data and models included. Asks first, except for stage local."""
    session.aim()
    if session.stage != LOCAL and not yes:
        click.confirm(f"Remove stage {session.stage!r} with all its data and models?", abort=True, err=True)
    with Steps(session.console) as steps:
        destroyed = deployment.destroy(session.stage, checkout(session.root), steps.progress)
    if destroyed.removed:
        for thing in destroyed.removed:
            session.say(f"  removed {thing}")
        session.say(f"Nothing of stage {session.stage} is left.")
    else:
        session.say(f"Stage {session.stage} has nothing left to remove.")
    session.answer({"stage": session.stage, "removed": destroyed.removed})
