"""Which of a job's `--additional-python-modules` are missing here: jobs share our environment, nothing is installed."""

import re
from importlib import metadata

_NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:==\s*([^,\s]+))?")


def missing_modules(text: str) -> list[str]:
    """Of `a==1,b>=2,c`: those that are not installed, or not in the exact version asked for."""
    return [part.strip() for part in text.split(",") if part.strip() and not _installed(part)]


def _installed(requirement: str) -> bool:
    matched = _NAME.match(requirement)
    if matched is None:
        return False
    try:
        version = metadata.version(matched[1])
    except metadata.PackageNotFoundError:
        return False
    return matched[2] in (None, version)
