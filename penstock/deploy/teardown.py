"""Taking a stage away: everything it made, in dependency order, then a look that must find nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import ClientError

from penstock.deploy import foundation, functions
from penstock.deploy.belongings import AFTER, BEFORE, GONE, Part
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
    _wait_until_gone(target, BEFORE, progress)  # the stack holds the role that endpoints and jobs still use
    if foundation.destroy(target, progress):
        removed.append(f"stack {target.stack}")
        progress(f"stack {target.stack}", "removed")
    for part in AFTER:
        _remove_all(target, part, removed, progress)
    _wait_until_gone(target, (*BEFORE, *AFTER), progress)
    return Destroyed(removed)


def _remove_all(target: Target, part: Part, removed: list[str], progress: Progress) -> None:
    for name in list(part.find(target)):
        progress(f"{part.kind} {name}", "removing")
        try:
            part.remove(target, name)
        except ClientError as error:
            if error.response["Error"]["Code"] not in GONE:
                where = f"{part.kind} {name}"
                raise DeployError(where, str(error), "Mend it, then run destroy again.") from error
        removed.append(f"{part.kind} {name}")


def _wait_until_gone(target: Target, parts: tuple[Part, ...], progress: Progress) -> None:
    deadline, pause, said = time.monotonic() + _PATIENCE_SECONDS, 0.2, ""
    while left := [f"{part.kind} {name}" for part in parts for name in part.find(target)]:
        if time.monotonic() > deadline:
            what = f"still there after {_PATIENCE_SECONDS // 60} minutes: {', '.join(left)}"
            raise DeployError("destroy", what, "Run it again; what stays may need rights you lack.")
        if left[0] != said:
            progress(left[0], "going")
            said = left[0]
        time.sleep(pause)
        pause = min(pause * 2, 10)
