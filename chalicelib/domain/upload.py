"""One upload: which object version an event speaks of, which project it belongs to, and which of two came later."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from chalicelib.domain.project import name_fault

DROP, SCORE = "drop/", "score/"
"""Users write below DROP; what lies below SCORE of a project there is to be scored."""
NO_PROJECT = "-"
"""Where the ledger keeps objects that can belong to no project."""
_SEQUENCER_WIDTH = 32
_LONGEST_ID = 1000
"""Bytes; a sort key of DynamoDB takes 1,024."""
_SCRATCH = re.compile(r"^\.(?!\.?$)|^_(SUCCESS|temporary|committed_\w+|started_\w+)$|_\$folder\$$")
"""Names that Hadoop, Spark, editors and desktops leave beside data: never data themselves."""


@dataclass(frozen=True, slots=True)
class Upload:
    """An object that was created or deleted, as S3 tells it. `sequencer` orders the events of one key."""

    kind: str
    bucket: str
    key: str
    version_id: str | None
    etag: str
    sequencer: str
    size: int
    at: str
    permanent: bool = False


def order(sequencer: str) -> str:
    """A sequencer as a string that sorts: S3's are hexadecimal of different lengths, so pad on the left."""
    return sequencer.upper().rjust(_SEQUENCER_WIDTH, "0")


def after(sequencer: str) -> str:
    """The smallest sequencer above this one: for an object seen in a listing, whose event was lost."""
    return f"{int(sequencer or '0', 16) + 1:018X}"


def object_id(key: str, version_id: str | None, sequencer: str, etag: str) -> str:
    """The ledger's name of one upload: its key and version. A bucket without versions is told apart by event."""
    return key_in_ids(key) + _short(version_id or f"{order(sequencer)}#{etag}", _LONGEST_ID - 800)


def key_in_ids(key: str) -> str:
    """What the names of all uploads of a key begin with; keys too long for a sort key are named by their digest."""
    return f"{_short(key, 799)}#"


def _short(text: str, limit: int) -> str:
    return text if len(text.encode()) <= limit else hashlib.sha256(text.encode()).hexdigest()


def destination(key: str) -> tuple[str, str | None]:
    """(project, None), or (NO_PROJECT, reason) for an object that can belong to no project."""
    if not key.startswith(DROP):
        return NO_PROJECT, f"not below {DROP}: the product's own output is never taken for an upload"
    project, slash, rest = key[len(DROP) :].partition("/")
    if not slash:
        return NO_PROJECT, f"no project in the key: put it below {DROP}<project>/"
    fault = name_fault(project)
    if fault:
        return NO_PROJECT, f"{project!r} is no project name: {fault}{_meant(project)}"
    if not rest or key.endswith("/"):
        return NO_PROJECT, "a folder marker, not a file"
    reason = _no_data(project, rest)
    return (NO_PROJECT, reason) if reason else (project, None)


def scratch(path: str) -> str | None:
    """The part of a path that a program has left beside data, if one is."""
    return next((part for part in path.split("/") if _SCRATCH.search(part)), None)


def _no_data(project: str, rest: str) -> str | None:
    """Why a file of a project is none to learn from."""
    left = scratch(rest)
    if left is not None:
        return f"{left!r} is what a program leaves beside data: give data another name"
    if rest.startswith(SCORE):
        return f"rows to be scored, not to learn from: GET /projects/{project}/batch tells of them"
    return None


def _meant(project: str) -> str:
    near = project.strip().lower().replace("_", "-").replace(" ", "-")
    return "" if name_fault(near) else f". Did you mean {DROP}{near}/?"
