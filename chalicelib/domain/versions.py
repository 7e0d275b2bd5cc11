"""Prepared versions: which of them a project's policy lets go, and which are in use whatever the policy says."""

from __future__ import annotations

import re
from collections.abc import Iterable

from chalicelib.domain.model_version import Champion
from chalicelib.domain.run import RunRecord

_VERSION = re.compile(r"^lake/[^/]+/(?:prepared|quarantine)/version=(\d+)/(.*)", re.DOTALL)
WHOLE = "dataset.json"


def in_use(runs: Iterable[RunRecord], champion: Champion | None) -> set[int]:
    """The versions a registered model was trained with."""
    return {
        int(run.summary["dataset_version"])
        for run in runs
        if run.summary.get("dataset_version") is not None
        and (run.summary.get("model_package_arn") or (champion and champion.run == run.run))
    }


def expired(keys: Iterable[str], keep: int, used: set[int]) -> list[str]:
    """The objects of the versions that go, each version's dataset.json first: without it, what is left is not whole.

    The `keep` newest whole versions stay, the newest of which is the one the catalog shows, and those in `used`. What
    is older and not whole, because a run or an expiry died over it, goes too; what is newer than all is being written.
    """
    found: dict[int, list[tuple[bool, str]]] = {}
    for key in keys:
        match = _VERSION.match(key)
        if match:
            found.setdefault(int(match[1]), []).append((match[2] != WHOLE, key))
    whole = sorted(version for version, names in found.items() if any(not other for other, _ in names))
    if not whole:
        return []
    stay = {*whole[-keep:], *used}
    going = [names for version, names in sorted(found.items()) if version < whole[-1] and version not in stay]
    return [key for names in going for _, key in sorted(names)]
