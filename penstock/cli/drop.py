"""`penstock drop FILE`: store the project's spec and upload the file; with --watch, follow what becomes of it."""

from pathlib import Path

import click

from penstock.cli.session import Session, everywhere, pass_session
from penstock.cli.watch import show
from penstock.client import uploads
from penstock.client.runs import Runs
from penstock.client.view import upload_bar


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--project", help="The project  [default: the one its project.yaml names]")
@click.option(
    "--spec",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The spec  [default: project.yaml beside FILE or here]",
)
@click.option("--folder", default="", help="Below drop/<project>/, where the spec's sources say: data, code.")
@click.option("--watch", is_flag=True, help="Follow the run that takes it.")
@everywhere
@pass_session
def drop(
    session: Session, file: Path, project: str | None, spec: Path | None, folder: str, watch: bool
) -> None:
    """Upload FILE to s3://…/drop/<project>/: clean data, a model and an endpoint follow by themselves."""
    found = uploads.find_spec(file, spec)
    document = uploads.read_spec(found) if found else None
    if document and project and document["project"] != project:
        document = None  # a spec of another project that happens to lie here
    if document and project is None and spec is None:
        uploads.check_fits(document, file)
    name = uploads.project_of(document, project, file)
    runs = session.runs()
    if document is not None:
        uploads.define(runs.api, document)
        session.say(f"Project {name} as in {found}.")
    with upload_bar(session.console, file) as moved:
        dropped = uploads.send(runs.deployed.bucket, name, file, runs.api, moved, folder)
    session.say(dropped.uri)
    told = {"project": name, "uri": dropped.uri, "run": None}
    if watch:
        follow(session, runs, dropped, told)
        return
    session.say(f"Follow it: penstock watch --project {name}   What became of it: penstock why {dropped.uri}")
    session.answer(told)


def follow(session: Session, runs: Runs, dropped: uploads.Dropped, told: dict[str, str | None]) -> None:
    """Wait for the run that takes the upload and show it; an upload refused at the door is told at once."""
    run = runs.taking(dropped.project, dropped.key, dropped.known)
    if run is not None:
        show(session, runs, run)
        return
    record = runs.api.objects(dropped.project, dropped.key)[-1]
    session.say(f"No run: {record['verdict']}, {record['reason']}")
    session.answer(told | {"verdict": record["verdict"], "reason": record["reason"]})
