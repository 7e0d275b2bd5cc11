"""`penstock why`: what became of an upload, and the reason."""

from collections import Counter
from fnmatch import fnmatchcase
from typing import Any

import boto3
import click

from penstock.cli.session import Session, everywhere, pass_session
from penstock.client import stored
from penstock.client.api import Api
from penstock.errors import PenstockError

DROP = "drop/"
WILD = frozenset("*?[")
NO_PROJECT = "-"
"""Where the API keeps uploads that can belong to no project."""


@click.command()
@click.argument("upload")
@click.option("--version", help="One version of the object  [default: all, the newest first told]")
@everywhere
@pass_session
def why(session: Session, upload: str, version: str | None) -> None:
    """Say what became of UPLOAD and why: s3://bucket/drop/project/name, the key, or a pattern with * ? [ ].

    Exit code 0 when it is known, whatever its verdict; 1 when it is not, with what to check.
    """
    runs = session.runs()
    key = key_of(upload, runs.deployed.bucket)
    found = _of_key(runs.api, key, version)
    if found:
        _tell(session, found[-1], len(found))
        drift = runs.drift(found[-1]["run"], key)
        for change in drift:
            session.say(f"Column {change['column']!r} {change['kind']}: {change['hint']}")
        session.answer({"project": _project(key), "key": key, "uploads": found, "drift": drift})
        return
    matching = _matching(runs.api, key) if set(key) & WILD and version is None else []
    if not matching:
        raise _unknown(session.stage, runs.deployed.bucket, key, version)
    verdicts = dict(sorted(Counter(one["verdict"] for one in matching).items()))
    _list(session, matching, verdicts)
    session.answer(
        {
            "project": _project(key),
            "pattern": key,
            "total": len(matching),
            "verdicts": verdicts,
            "uploads": matching,
        }
    )


def key_of(upload: str, bucket: str) -> str:
    """The key an argument means; raises PenstockError when it can be no upload of this stage."""
    key = upload
    if upload.startswith("s3://"):
        named, key = stored.place(upload)
        if named != bucket:
            raise PenstockError(
                upload, f"it is not in this stage's bucket, {bucket}", "Choose the stage with --stage."
            )
    if not key.startswith(DROP):
        raise PenstockError(upload, "it is no upload", "Uploads are below drop/<project>/.")
    return key


def _project(key: str) -> str:
    name, slash, _ = key.removeprefix(DROP).partition("/")
    return name if slash and name else NO_PROJECT


def _of_key(api: Api, key: str, version: str | None) -> list[dict[str, Any]]:
    """What its project says of a key, or else what is said of uploads that belong to none."""
    for project in dict.fromkeys((_project(key), NO_PROJECT)):
        found = api.objects(project, key)
        found = [one for one in found if version in (None, one["version_id"])]
        if found:
            return found
    return []


def _matching(api: Api, pattern: str) -> list[dict[str, Any]]:
    named = _project(pattern)
    several = api.get("/projects")["projects"] if set(named) & WILD else [named]
    projects = dict.fromkeys((*several, NO_PROJECT))
    return [one for project in projects for one in api.uploads(project) if fnmatchcase(one["key"], pattern)]


def _unknown(stage: str, bucket: str, key: str, version: str | None) -> PenstockError:
    """What to check depends on whether the bucket has it."""
    listed = boto3.client("s3").list_object_versions(Bucket=bucket, Prefix=key, MaxKeys=1)
    there = [one for one in listed.get("Versions", []) if one["Key"] == key]
    if not there:
        advice = "Check the address: keys tell capitals, spaces and forms of accents apart. `aws s3 ls` shows them."
        return PenstockError(f"s3://{bucket}/{key}", "neither the bucket nor the ledger has it", advice)
    if version is not None:
        advice = f"Ask without --version; `aws s3api list-object-versions --bucket {bucket}` shows them."
        return PenstockError(f"s3://{bucket}/{key}", f"the ledger knows no version {version} of it", advice)
    advice = (
        "If it was dropped just now, ask again in a moment. Else its event was lost: `penstock sweep` enters what the "
        f"bucket has and the ledger lacks, and the schedule does so every 5 minutes. Should no event come at all, look "
        f"at the EventBridge rule penstock-{stage}-ingest-event (is it enabled?), at the bucket's EventBridge setting, "
        f"and at the log of the function penstock-{stage}-ingest"
    )
    return PenstockError(
        f"s3://{bucket}/{key}", "it is in the bucket, and the ledger has not heard of it", advice
    )


def _tell(session: Session, newest: dict[str, Any], versions: int) -> None:
    session.say(f"{newest['key']}: {newest['verdict']}")
    if newest["reason"]:
        session.say(f"Because: {newest['reason']}")
    if newest.get("leaving"):
        session.say("The dataset still holds it: the next run makes one without it.")
    if newest["rows"]:
        session.say("Rows: " + _rows(newest["rows"]))
    if newest["run"]:
        session.say(f"Run: {newest['run']}")
    for line in newest.get("history", []):
        reason = f"  {line['reason']}" if line.get("reason") else ""
        session.say(f"  {line['at']}  {line['from'] or 'uploaded'} → {line['to']}{reason}")
    if versions > 1:
        session.say(f"It was uploaded {versions} times; this is the newest. --json tells of all.")


def _list(session: Session, found: list[dict[str, Any]], verdicts: dict[str, int]) -> None:
    for one in found:
        said = one["reason"] or (_rows(one["rows"]) if one["rows"] else "")
        session.say(f"{one['verdict']:<10} {one['key']}  {said}".rstrip())
    counts = ", ".join(f"{count:,} {verdict}" for verdict, count in verdicts.items())
    session.say(f"{len(found):,} uploads: {counts}")


def _rows(rows: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in rows.items())
