"""Which source of the project has a file, and what that source asks of a header."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from data.spec import ALL_FILES, SourceRule, Spec

REPLAYED = r"replay/version=\d{6,}/etag=(?P<etag>[^/]+)/(?P<path>.+)\.replay\.csv"
NOBODY = "no source of the project takes it: its name matches none of {paths}"
_WILD = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


@functools.cache
def _pattern(path: str) -> re.Pattern[str]:
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", path)
    return re.compile("".join(_WILD.get(piece) or re.escape(piece) for piece in pieces), re.DOTALL)


def of(spec: Spec, key: str) -> SourceRule | None:
    """The first source whose path matches an object's key below `drop/<project>/`; None when none does."""
    name = key.removeprefix(f"drop/{spec.project}/")
    while found := re.fullmatch(REPLAYED, name, re.DOTALL):
        name = found["path"]  # corrected rows belong where the rows they correct do
    return next((rule for rule in spec.sources if _pattern(rule.path).fullmatch(name)), None)


def rule(spec: Spec, key: str) -> SourceRule:
    """As `of`, for an object that is known to have one."""
    return of(spec, key) or ALL_FILES


def nobody(spec: Spec) -> str:
    """Why an object of no source is ignored."""
    return NOBODY.format(paths=", ".join(repr(one.path) for one in spec.sources))


def must_have(one: SourceRule, spec: Spec) -> Sequence[str]:
    """The columns without which a file of deletes or a reference is of no use."""
    return spec.key if one.kind == "deletes" else one.join_on
