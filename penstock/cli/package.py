"""`penstock package`: one CloudFormation template with everything in it, for a CI of your own."""

from pathlib import Path

import click

from penstock import deploy as deployment
from penstock.cli.session import Session, everywhere, pass_session
from penstock.client.stage import checkout


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@everywhere
@pass_session
def package(session: Session, out: Path) -> None:
    """Write OUT/sam.json, OUT/deployment.zip and OUT/code/: foundation and functions as one stack."""
    written = deployment.package(session.stage, checkout(session.root), out)
    for path in written:
        session.say(f"Wrote {path}")
    session.say(f"Next: aws cloudformation package, then deploy, with {out / 'sam.json'};")
    session.say(f"then aws s3 sync {out / 'code'} s3://BUCKET/code, with the stack's output Bucket.")
    session.answer({"stage": session.stage, "written": [str(path) for path in written]})
