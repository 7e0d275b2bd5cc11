"""`penstock deploy`: bring a stage up, or up to date."""

import click

from penstock import deploy as deployment
from penstock.cli.session import Session, everywhere, pass_session
from penstock.client.stage import checkout
from penstock.client.view import Steps


@click.command()
@everywhere
@pass_session
def deploy(session: Session) -> None:
    """Deploy a stage: CloudFormation foundation, job code, Chalice app, smoke test."""
    session.aim()
    with Steps(session.console) as steps:
        deployed = deployment.deploy(session.stage, checkout(session.root), steps.progress)
    session.say(f"Stage {deployed.stage} answers at {deployed.api_url}")
    session.say(f"Drop files in s3://{deployed.bucket}/drop/<project>/, or: penstock init FILE")
    session.answer(deployed.__dict__ | {"seconds": steps.seconds})
