"""`penstock replay`: refused rows as a file to correct, and back again."""

import json
from collections import Counter
from pathlib import Path

import click

from penstock.cli.session import Session, everywhere, pass_session
from penstock.client import replay as rows
from penstock.client.api import of
from penstock.client.runs import Runs
from penstock.errors import PenstockError


@click.command()
@click.option("--project", required=True, help="The project.")
@click.option("--version", type=int, help="The version whose refused rows are meant  [default: the newest]")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write them to this file.")
@click.option(
    "--fixed",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="Drop the rows corrected in this file.",
)
@click.option("--run", "start", is_flag=True, help="The spec was corrected: judge all rows again, now.")
@everywhere
@pass_session
def replay(
    session: Session, project: str, version: int | None, out: Path | None, fixed: Path | None, start: bool
) -> None:
    """Write the refused rows to a file; drop them again when they are corrected (--fixed) or the spec is (--run)."""
    if start and fixed:
        raise PenstockError(
            "replay", "--run and --fixed are two things", "Corrected rows start a run by themselves."
        )
    runs = session.runs()
    if start:
        told = json.loads(runs.api.send("POST", f"{of(project)}/runs").body)
        session.say(f"Run {told['run']} judges every row again.")
        session.answer(told)
    elif fixed:
        _again(session, runs, project, fixed)
    else:
        _show(session, runs, project, version, out)


def _show(session: Session, runs: Runs, project: str, version: int | None, out: Path | None) -> None:
    number, found = rows.refused(runs, project, version)
    reasons = Counter(row["_reason"] for row in found)
    path = out or Path(f"{project}-refused-{number:06d}.csv")
    session.say(f"Version {number} of {project}: {len(found):,} refused rows")
    for reason, count in reasons.most_common(20):
        session.say(f"  {count:>8,}  {reason}")
    if found:
        rows.write(path, found)
        session.say(
            f"They are in {path}. Correct them there: penstock replay --project {project} --fixed {path}"
        )
        session.say(f"Or correct the spec, store it, and: penstock replay --project {project} --run")
    answer = {"project": project, "version": number, "rows": len(found), "reasons": reasons}
    session.answer({**answer, "file": str(path) if found else None})


def _again(session: Session, runs: Runs, project: str, fixed: Path) -> None:
    given = rows.read(fixed)
    versions = sorted({row["_version"] for row in given})
    if len(versions) != 1 or not versions[0].isdecimal():
        raise PenstockError(
            str(fixed), f"its rows are of versions {', '.join(versions)}", "Keep to one a file."
        )
    _, known = rows.refused(runs, project, int(versions[0]))
    found = rows.corrected(given, known, str(fixed))
    for key, changed in found.items():
        rows.drop(runs.deployed.bucket, key, changed)
        session.say(f"{len(changed):,} corrected rows: s3://{runs.deployed.bucket}/{key}")
    count = sum(map(len, found.values()))
    session.say(f"{len(given) - count:,} rows are as they were refused and stay in quarantine.")
    session.answer(
        {"project": project, "rows": count, "unchanged": len(given) - count, "objects": list(found)}
    )
