"""From a checkout to a running stage and back: foundation, code, Chalice, smoke test; and taking it all away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from penstock.deploy import access, code, foundation, functions, smoke, teardown
from penstock.deploy import package as packaging
from penstock.deploy.target import Deployed, DeployError, Target
from penstock.deploy.teardown import Destroyed

__all__ = ["DeployError", "Deployed", "Destroyed", "deploy", "destroy", "locate", "package"]

Progress = Callable[[str, str], None]


def deploy(stage: str, root: Path, progress: Progress) -> Deployed:
    """Bring a stage up, or up to date: foundation, job code, functions and API, smoke test.

    `progress(name, state)` is told of every part as it starts and ends. Running it again changes only what differs.
    Raises DeployError saying which part stopped, why, and what to do next.
    """
    target = Target(stage, root)
    bundle = code.Bundle(root / "training")
    progress("foundation", "started")
    foundation.deploy(target, bundle.prefix, progress)
    progress("foundation", "done")
    progress("code", "started")
    sent = code.upload(bundle, target.client("s3"), target.bucket)
    progress("code", "done" if sent else "unchanged")
    progress("functions", "started")
    functions.deploy(target)
    progress("functions", "done")
    deployed = locate(stage, root)
    progress("smoke test", "started")
    smoke.test(deployed.api_url, access.authoriser(deployed))
    progress("smoke test", "done")
    return deployed


def destroy(stage: str, root: Path, progress: Progress) -> Destroyed:
    """Take away everything the stage owns, in dependency order, and prove it gone; a second call finds nothing.

    Raises DeployError naming what is left when something could not be removed.
    """
    return teardown.destroy(Target(stage, root), progress)


def locate(stage: str, root: Path) -> Deployed:
    """Where a deployed stage answers. Raises DeployError when it is not deployed."""
    target = Target(stage, root)
    rest_api = functions.api_id(target)
    if not rest_api or not foundation.exists(target):
        raise DeployError(
            "deploy", f"stage {stage!r} is not deployed", f"Run `penstock deploy --stage {stage}`."
        )
    url = functions.api_url(target, rest_api)
    embedded = not url.endswith(f".amazonaws.com/{functions.API_STAGE}")
    asked = access.setting(target)
    return Deployed(stage, target.bucket, target.machine_arn, url, target.region, embedded, asked)


def package(stage: str, root: Path, out: Path) -> list[Path]:
    """Write one template with everything in it for a CI of your own; returns what was written."""
    return packaging.package(Target(stage, root), out)
