"""Taking a stage away: everything it made, in dependency order, then a look that must find nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import ClientError

from penstock.deploy import foundation, functions
from penstock.deploy.belongings import AFTER, BEFORE, BUSY, GONE, Part
from penstock.deploy.target import DeployError, Target

Progress = Callable[[str, str], None]
_PATIENCE_SECONDS = 900  # an endpoint takes minutes to go, and a table some seconds


@dataclass(frozen=True)
class Destroyed:
    """What was taken away, one line each, in order; empty when there was nothing."""

    removed: list[str]


def destroy(target: Target, progress: Progress) -> Destroyed:
    """Remove part after part, stop at nothing that is already gone, and fail if anything is left at the end."""
    removed: list[str] = []
    for part in BEFORE:
        _remove_all(target, part, removed, progress)
    if functions.delete(target):
        removed.append("functions and API")
        progress("functions and API", "removed")
    _until_gone(
        target, BEFORE, removed, progress
    )  # the stack holds the role that endpoints and jobs still use
    if foundation.destroy(target, progress):
        removed.append(f"stack {target.stack}")
        progress(f"stack {target.stack}", "removed")
    _until_gone(target, (*BEFORE, *AFTER), removed, progress)
    return Destroyed(removed)


def _until_gone(target: Target, parts: tuple[Part, ...], removed: list[str], progress: Progress) -> None:
    """Remove and look again until nothing is there: endpoints take minutes, and a job's last lines come late."""
    deadline, pause = time.monotonic() + _PATIENCE_SECONDS, 0.2
    while left := [part for part in parts if _remove_all(target, part, removed, progress)]:
        if time.monotonic() > deadline:
            names = [f"{part.kind} {name}" for part in left for name in part.find(target)]
            what = f"still there after {_PATIENCE_SECONDS // 60} minutes: {', '.join(names)}"
            raise DeployError("destroy", what, "Run it again; what stays may need rights you lack.")
        time.sleep(pause)
        pause = min(pause * 2, 10)


def _remove_all(target: Target, part: Part, removed: list[str], progress: Progress) -> bool:
    """Remove what there is of a kind; answers whether there was any."""
    names = list(part.find(target))
    for name in names:
        thing = f"{part.kind} {name}"
        if thing not in removed:
            progress(thing, "removing")
            removed.append(thing)
        try:
            part.remove(target, name)
        except ClientError as error:
            if error.response["Error"]["Code"] not in GONE | BUSY:
                raise DeployError(thing, str(error), "Mend it, then run destroy again.") from error
    return bool(names)
