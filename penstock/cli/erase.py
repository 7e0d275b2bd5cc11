"""`penstock erase`: take a person's records out of everything a project keeps, and show the receipt."""

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from penstock.cli.session import Session, everywhere, pass_session
from penstock.client.api import Api, of
from penstock.errors import PenstockError

_LOOK_SECONDS = 1.0  # between two looks at how far it is
_PATIENCE_SECONDS = 12 * 3600.0  # as long as the job may take
_SAID = {
    "drops": "uploads", "lake": "prepared data and quarantine", "documents": "profiles and reports of datasets",
    "labels": "labels", "capture": "captured requests", "runs": "documents of runs", "queries": "results of queries",
}  # fmt: skip


@click.command()
@click.argument("project")
@click.argument("keys", nargs=-1)
@click.option(
    "--file",
    "listed",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    help="More keys, one a line.",
)
@click.option("--dry-run", is_flag=True, help="Only say where they are; nothing is changed.")
@click.option("--yes", is_flag=True, help="Do not ask whether it is meant.")
@click.option("--no-wait", is_flag=True, help="Do not wait for the receipt.")
@everywhere
@pass_session
def erase(
    session: Session,
    project: str,
    keys: tuple[str, ...],
    listed: Path | None,
    *,
    dry_run: bool,
    yes: bool,
    no_wait: bool,
) -> None:
    """Erase the records of PROJECT with these KEYS, for good. Of a key of several columns, a KEY is a JSON list."""
    asked = [*map(_key, keys), *(_lines(listed) if listed else [])]
    if not asked:
        raise PenstockError(
            "erase", "no key was given", "penstock erase PROJECT KEY, or --file with a key a line."
        )
    if not dry_run and not yes:
        _confirm(project, len(asked))
    api = session.runs().api
    body = json.dumps({"keys": asked, "dry_run": dry_run}).encode()
    told = json.loads(
        api.send("POST", f"{of(project)}/erasures", body, {"Content-Type": "application/json"}).body
    )
    session.say(f"Erasure {told['erasure']} of {told['keys']:,} keys: {told['state']}")
    if not no_wait:
        told = _receipt(api, told["url"])
        _show(session, told)
    session.answer(told)


def _key(text: str) -> Any:
    """A key as it is; a JSON list of texts is one of several columns."""
    if text.startswith("["):
        try:
            parts = json.loads(text)
        except ValueError:
            return text
        return parts if isinstance(parts, list) else text
    return text


def _lines(path: Path) -> list[Any]:
    return [_key(line) for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]


def _confirm(project: str, count: int) -> None:
    words = f"Take the rows of {count:,} keys out of everything {project} keeps? This cannot be undone"
    if not sys.stdin.isatty():
        raise PenstockError(
            "erase", "nobody is here to confirm it", "Say --yes, or look first with --dry-run."
        )
    click.confirm(words, abort=True, err=True)


def _receipt(api: Api, path: str) -> dict[str, Any]:
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        told = api.get(path)
        if told["receipt"]:
            return told
        if told["state"] == "failed":
            run = told["run"]
            raise PenstockError(
                f"erasure {told['erasure']}", f"it has failed three times, last with run {run}",
                f"penstock watch {run} says why. Asking again for the same keys goes on where it stopped.",
            )  # fmt: skip
        if time.monotonic() > until:
            raise PenstockError(
                f"erasure {told['erasure']}", "it is not done yet", f"Ask again later: GET {path}"
            )
        time.sleep(_LOOK_SECONDS)


def _show(session: Session, told: Mapping[str, Any]) -> None:
    receipt = told["receipt"]
    gone = "there are" if receipt["dry_run"] else "gone are"
    for name, zone in receipt["zones"].items():
        old = f", {zone['deleted']:,} versions of objects" if zone["deleted"] else ""
        session.say(
            f"  {_SAID.get(name, name):<34} {gone} {zone['rows']:>6,}{old} (searched: {zone['versions']:,} versions)"
        )
    for model in receipt["models"]:
        answers = ", which answers now" if model["champion"] else ""
        session.say(
            f"Model of run {model['run']}{answers}: learnt from {model['learnt_from_rows']:,} of the rows, judged by "
            f"{model['judged_by_rows']:,}"
        )
    for one in receipt["unsearched"]:
        session.say(f"Not searched: {one['key']}: {one['reason']}")
    for line in receipt["advice"]:
        session.say(line)
    session.say(f"Receipt: {receipt['receipt_uri']}")
