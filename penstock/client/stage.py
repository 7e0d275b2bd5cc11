"""Which AWS a command talks to: stage `local` means the embedded one of this checkout, every other stage means AWS."""

import os
from collections.abc import Mapping, MutableMapping
from pathlib import Path

from penstock.errors import PenstockError
from penstock.localaws import control
from penstock.localaws.settings import REGION

LOCAL = "local"
CHECKOUT = Path(__file__).resolve().parents[2]


def local_environment(endpoint_url: str) -> dict[str, str]:
    """What any AWS tool needs to talk to the embedded AWS. The keys are no secret: it listens on 127.0.0.1 only."""
    return {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
    }


def aim(stage: str, root: Path, environment: MutableMapping[str, str] = os.environ) -> None:
    """Point boto3 at the stage's AWS. Only `local` changes anything, and only when no endpoint is set already.

    Raises PenstockError when the embedded AWS is needed and not running.
    """
    if stage != LOCAL or environment.get("AWS_ENDPOINT_URL"):
        return
    running = control.status(root)
    if running is None:
        raise PenstockError(
            f"stage {LOCAL!r}", "the embedded AWS is not running", "Start it with `penstock up`."
        )
    point_at(running.endpoint_url, environment)


def point_at(endpoint_url: str, environment: MutableMapping[str, str] = os.environ) -> None:
    """Point boto3 at the embedded AWS, whatever account the person's shell has in mind."""
    for name in leftovers(environment):
        del environment[name]
    environment.update(local_environment(endpoint_url))


def leftovers(environment: Mapping[str, str]) -> list[str]:
    """Settings of a person's shell that would still send some calls to a real account."""
    exact = {"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"}
    return [name for name in environment if name in exact or name.startswith("AWS_ENDPOINT_URL_")]


def checkout(root: Path) -> Path:
    """`root`, if it is a checkout of Penstock; raises PenstockError otherwise."""
    if not (root / "app.py").is_file() or not (root / "statemachine").is_dir():
        raise PenstockError(
            str(root),
            "this is no checkout of Penstock (it has no app.py and statemachine/)",
            "Install from a checkout with `pip install -e .`, or name one with --root.",
        )
    return root
