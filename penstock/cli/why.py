"""`penstock why`: what became of an upload, and the reason."""

from typing import Any

import click

from penstock.cli.session import Session, everywhere, pass_session
from penstock.errors import PenstockError


@click.command()
@click.argument("upload")
@everywhere
@pass_session
def why(session: Session, upload: str) -> None:
    """Say what became of UPLOAD (s3://bucket/drop/project/name, or the key) and why."""
    runs = session.runs()
    key = key_of(upload, runs.deployed.bucket)
    project = key.split("/")[1]
    found = runs.api.objects(project, key)
    if not found:
        raise PenstockError(
            f"s3://{runs.deployed.bucket}/{key}",
            "the stage knows nothing of it (yet)",
            "If it was dropped just now, ask again in a moment; else check the address.",
        )
    _tell(session, found[-1], len(found))
    drift = runs.drift(found[-1]["run"], key)
    for change in drift:
        session.say(f"Column {change['column']!r} {change['kind']}: {change['hint']}")
    session.answer({"project": project, "key": key, "uploads": found, "drift": drift})


def key_of(upload: str, bucket: str) -> str:
    """The key an argument means; raises PenstockError when it can be no upload of this stage."""
    key = upload
    if upload.startswith("s3://"):
        named, _, key = upload.removeprefix("s3://").partition("/")
        if named != bucket:
            raise PenstockError(
                upload, f"it is not in this stage's bucket, {bucket}", "Choose the stage with --stage."
            )
    if not key.startswith("drop/") or key.count("/") < 2:
        raise PenstockError(upload, "it is no upload", "Uploads are below drop/<project>/.")
    return key


def _tell(session: Session, newest: dict[str, Any], versions: int) -> None:
    session.say(f"{newest['key']}: {newest['verdict']}")
    if newest["reason"]:
        session.say(f"Because: {newest['reason']}")
    if newest["rows"]:
        session.say("Rows: " + ", ".join(f"{count:,} {name}" for name, count in newest["rows"].items()))
    if newest["run"]:
        session.say(f"Run: {newest['run']}")
    for line in newest.get("history", []):
        reason = f"  {line['reason']}" if line.get("reason") else ""
        session.say(f"  {line['at']}  {line['from'] or 'uploaded'} → {line['to']}{reason}")
    if versions > 1:
        session.say(f"It was uploaded {versions} times; this is the newest.")
