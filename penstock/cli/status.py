"""`penstock status`: whether the embedded AWS runs, and whether the stage is deployed."""

from typing import Any

import click

from penstock import deploy
from penstock.cli.session import Session, everywhere, pass_session
from penstock.client.stage import LOCAL
from penstock.errors import PenstockError
from penstock.localaws import control


@click.command()
@everywhere
@pass_session
def status(session: Session) -> None:
    """Say what runs here and where the stage answers."""
    told: dict[str, Any] = {"stage": session.stage, "embedded_aws": None, "deployed": None}
    if session.stage == LOCAL:
        running = control.status(session.root)
        if running is None:
            session.say("The embedded AWS is not running. Start it with `penstock up`.")
            session.answer(told)
            return
        session.say(
            f"The embedded AWS runs at {running.endpoint_url} (process {running.pid}, since {running.started_at})."
        )
        told["embedded_aws"] = running.__dict__
    told["deployed"] = _deployed(session)
    session.answer(told)


def _deployed(session: Session) -> dict[str, Any] | None:
    try:
        found = session.locate()
    except deploy.DeployError as error:
        session.say(f"{error.what[0].upper()}{error.what[1:]}. {error.do_next}")
        return None
    except PenstockError as error:
        session.say(str(error))
        return None
    session.say(f"Stage {found.stage} answers at {found.api_url}")
    session.say(f"Drop files in s3://{found.bucket}/drop/<project>/")
    return found.__dict__
