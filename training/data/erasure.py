"""What an erasure has found, zone by zone, and the receipt that is made of it. Schema: statemachine/contracts/."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from data import seek
from data.seek import Found

OF_ROWS, FIRST_OF_PAGES = ("drops", "lake"), "labels"
"""Zones of rows are searched before this one, because their rows say which texts to look for in the others."""
DERIVED = re.compile(r"/prepared/version=\d+/(profile\.json|eda\.json|report\.html)$")
"""Documents that are made of all rows of a version: nobody can take one row out of them."""
JUDGED = re.compile(r"/evaluate/(report\.html|probe\.json)$")
"""Documents that show single rows of the test split, told by their values alone."""
_VERSION = re.compile(
    r"^lake/[^/]+/(?P<area>prepared|quarantine)/version=(?P<version>\d+)/(?:(?P<side>[^/]+)/)?"
)
_MOST = 1000


@dataclass
class Zone:
    """What was searched in a part of the bucket: versions of objects, and their bytes."""

    versions: int = 0
    bytes: int = 0


@dataclass
class Plan:
    """Everything an erasure is to do, kept until it is done: what is gone cannot be found again."""

    started_at: str
    zones: dict[str, Zone] = field(default_factory=dict)
    found: dict[str, list[Found]] = field(default_factory=dict)
    texts: list[str] = field(default_factory=list)
    known: set[tuple[str, str]] = field(default_factory=set)

    def add(self, zone: str, found: Found) -> None:
        """Note a finding, once."""
        if (found.key, found.version_id) not in self.known:
            self.known.add((found.key, found.version_id))
            self.found.setdefault(zone, []).append(found)

    def replace(self, zone: str, found: Found) -> None:
        """Note a finding in the place of what was found in that version before, if anything was."""
        every = self.found.setdefault(zone, [])
        same = (
            place
            for place, one in enumerate(every)
            if one.version_id == found.version_id and one.key == found.key
        )
        place = next(same, None)
        if place is None:
            self.add(zone, found)
        else:
            every[place] = found

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "started_at": self.started_at,
            "zones": {name: asdict(zone) for name, zone in self.zones.items()},
            "found": {name: [one.document() for one in found] for name, found in self.found.items()},
            "texts": self.texts,
        }

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Plan:
        """From JSON."""
        zones = {name: Zone(**zone) for name, zone in document["zones"].items()}
        plan = cls(document["started_at"], zones, texts=list(document["texts"]))
        for zone, found in document["found"].items():
            for one in found:
                plan.add(zone, Found.of(one))
        return plan

    def datasets(self) -> dict[int, dict[str, int]]:
        """Rows that go by dataset version and side, `quarantined` among them; of versions as they are now."""
        touched: dict[int, dict[str, int]] = {}
        for one in self.found.get("lake", ()):
            match = _VERSION.match(one.key)
            if match is None or one.how != seek.ROWS:
                continue
            sides = touched.setdefault(int(match["version"]), {})
            side = "quarantined" if match["area"] == "quarantine" else str(match["side"])
            sides[side] = sides.get(side, 0) + one.rows
        return touched


def receipt(
    head: Mapping[str, Any], plan: Plan, datasets: Iterable[Mapping[str, Any]], **told: Any
) -> dict[str, Any]:
    """result.json. It holds no key and no value of a record."""
    every = [(zone, one) for zone, found in plan.found.items() for one in found]
    unsearched = [one for _, one in every if one.how == seek.UNSEARCHED]
    return {
        **head,
        "zones": {name: _zone(zone, plan.found.get(name, ())) for name, zone in plan.zones.items()},
        "datasets": list(datasets),
        "unsearched": [
            {"key": one.key, "version_id": one.version_id, "reason": one.reason} for one in unsearched[:_MOST]
        ],
        "unsearched_count": len(unsearched),
        **told,
    }


def _zone(zone: Zone, found: Iterable[Found]) -> dict[str, int]:
    held = [one for one in found if one.how != seek.UNSEARCHED]
    return {
        **asdict(zone),
        "held": len(held),
        "rows": sum(one.rows for one in held if one.latest),
        "rewritten": sum(one.how != seek.WHOLE for one in held),
        "deleted": sum(one.how == seek.WHOLE for one in held),
    }
