"""`penstock sweep`: run the sweep now that otherwise runs on a schedule."""

import json

import boto3
import click

from penstock.cli.session import Session, everywhere, pass_session
from penstock.errors import PenstockError


@click.command()
@click.option("--project", help="One project  [default: all]")
@everywhere
@pass_session
def sweep(session: Session, project: str | None) -> None:
    """Find what a lost event or a dead run left behind, and start it again."""
    deployed = session.locate()
    asked = {"project": project} if project else {}
    answer = boto3.client("lambda").invoke(
        FunctionName=f"penstock-{deployed.stage}-sweep", Payload=json.dumps(asked).encode()
    )
    told = json.loads(answer["Payload"].read())
    if answer.get("FunctionError"):
        raise PenstockError("sweep", str(told.get("errorMessage", told)), "See the function's log.")
    session.say("Swept: " + ", ".join(f"{name} {value}" for name, value in told.items()))
    session.answer(told)
