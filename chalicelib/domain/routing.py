"""Which variant answers a caller: always the same one for the same caller, in shares that follow the weights."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from chalicelib.domain.endpoint import VARIANT
from chalicelib.domain.model_version import Champion
from chalicelib.errors import BadRequest, NotFound

_CALLER = re.compile(r"^[\x21-\x7e]{1,256}$")


def variant_for(champion: Champion, caller: str, named: str) -> str | None:
    """The variant to ask for: the one a tester named, a caller's own, or None to leave it to the weights.

    Raises NotFound for a variant there is not, BadRequest for a caller key that is no single word.
    """
    if named:
        there = sorted({VARIANT, *champion.variants})
        if named not in there:
            what = f"{named[:63]!r} is not one of {', '.join(there)}"
            raise NotFound("X-Penstock-Variant", what, "Leave it out, or name one of them.")
        return named
    if not caller:
        return None
    if not _CALLER.match(caller):
        raise BadRequest(
            "X-Penstock-Caller", "not 1 to 256 printable ASCII characters", "Send an id or a digest."
        )
    return pinned(caller, champion.variants) if champion.variants else None


def pinned(caller: str, weights: Mapping[str, float]) -> str:
    """A caller's variant. The champion's share comes first, so that a new weight moves the fewest callers."""
    place = int.from_bytes(hashlib.sha256(caller.encode()).digest()[:8]) / 2**64 * sum(weights.values())
    names = sorted(weights, key=lambda name: (name != VARIANT, name))
    for name in names:
        place -= weights[name]
        if place < 0:
            return name
    return names[-1]
