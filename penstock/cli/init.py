"""`penstock init FILE`: a first project spec, guessed from the data, with the reason for every guess."""

import json
import shlex
from pathlib import Path

import click
import jsonschema

from penstock.cli.session import Session, everywhere, pass_session
from penstock.errors import PenstockError
from penstock.infer.render import render
from penstock.infer.spec import Guess, infer

SCHEMA = Path("chalicelib") / "contracts" / "project.schema.json"


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--project", help="The project's name  [default: from the file's name]")
@click.option("--target", help="The column to predict, or 'column > number' for a yes/no question.")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), default="project.yaml", show_default=True
)
@click.option("--force", is_flag=True, help="Overwrite the spec that is there.")
@everywhere
@pass_session
def init(
    session: Session, file: Path, project: str | None, target: str | None, out: Path, force: bool
) -> None:
    """Guess a project spec from FILE: columns, target, task, learner. Needs no AWS."""
    if out.exists() and not force:
        raise PenstockError(
            str(out), "it exists already", "Name another with --out, or overwrite it with --force."
        )
    guess = infer(file, project, target)
    check(guess, session.root / SCHEMA)
    out.write_text(render(guess), encoding="utf-8")
    _tell(session, guess, file, out)


def check(guess: Guess, schema: Path) -> None:
    """Hold the guess to the product's own schema; a fault here is a fault of ours."""
    if schema.is_file():
        jsonschema.validate(guess.document, json.loads(schema.read_text(encoding="utf-8")))


def _tell(session: Session, guess: Guess, file: Path, out: Path) -> None:
    spec = guess.document
    session.say(f"Wrote {out}: {spec['task']} of {guess.target.column!r} ({guess.target.why}).")
    session.say(f"Learner {spec['learner']['name']}: {guess.learner_why}.")
    left = [(name, role) for name, role in guess.columns.items() if role.type == "ignore"]
    for name, role in left:
        session.say(f"Left out {name!r}: {role.why}.")
    for note in guess.notes:
        session.say(f"Note: {note}")
    spec_option = "" if out == Path("project.yaml") else f" --spec {shlex.quote(str(out))}"
    session.say(f"Check it, then: penstock drop {shlex.quote(str(file))}{spec_option} --watch")
    session.answer({"out": out, "spec": spec, "left_out": {n: r.why for n, r in left}, "notes": guess.notes})
