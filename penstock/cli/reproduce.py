"""`penstock reproduce`: build a model again and say whether it is the same, bit for bit."""

import sys
from typing import Any

import click

from penstock.cli.session import Session, everywhere, pass_session
from penstock.client import models
from penstock.client.reproduction import Origin, Reproduction


@click.command()
@click.argument("model")
@click.option("--project", help="Of a model version given by its number.")
@everywhere
@pass_session
def reproduce(session: Session, model: str, project: str | None) -> None:
    """Train MODEL again from the same code, data, parameters and seed, and compare the two file by file.

    MODEL is a run, a model version (its ARN, or its number with --project) or an inference id, as an answer's
    X-Penstock-Inference-Id has it. Exit code 0 when every file is the same, 1 when not.
    """
    work = Reproduction(session.runs(), session.stage)
    origin = work.origin(model, project)
    work.check(origin)
    _tell_origin(session, origin)
    built = work.build(origin, session.say)
    uri = built["ModelArtifacts"]["S3ModelArtifacts"]
    found = models.difference(models.read(origin.artifact), models.read(uri))
    _tell(session, found)
    session.answer(
        {
            "run": origin.run,
            "training_job": origin.job["TrainingJobName"],
            "reproduced_by": built["TrainingJobName"],
            "code": origin.code,
            "data": origin.data,
            "models": [origin.artifact, uri],
            **found,
        }
    )
    if not found["equal"]:
        sys.exit(1)


def _tell_origin(session: Session, origin: Origin) -> None:
    session.say(f"Run {origin.run}, training job {origin.job['TrainingJobName']}")
    session.say(f"Code {origin.code}")
    for uri in origin.data:
        session.say(f"Data {uri}")


def _tell(session: Session, found: dict[str, Any]) -> None:
    if found["equal"]:
        session.say(f"The same, bit for bit: {found['files']} files.")
        return
    session.say(f"Not the same: {len(found['differing'])} of {found['files']} files differ.")
    for name, (one, other) in found["differing"].items():
        session.say(f"  {name}: {_short(one)} → {_short(other)}")
    for part in ("versions", "hyperparameters", "metrics"):
        for name, (one, other) in found[part].items():
            session.say(f"  {part[:-1]} {name}: {one} → {other}")
    if not found["versions"]:
        session.say("  Libraries have the same versions: look at threads, the processor and the seed.")


def _short(digest: str | None) -> str:
    return digest[:12] if digest else "absent"
