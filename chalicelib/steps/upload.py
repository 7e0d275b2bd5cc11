"""Upload: a link to put one file with, so that what is too large for the API goes to S3 directly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from chalicelib.domain.upload import DROP, NO_PROJECT, SCORE, destination
from chalicelib.errors import BadRequest, Fault, NotFound
from chalicelib.ports import Ports

_SECONDS = 900
_MOST = 5 * 1024**3
"""What S3 takes in one PUT."""
_LONGEST_KEY = 700
_FOLDERS = {"": "", "score": SCORE}


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to come: `name` below drop/<project>/ (or its score/), `size` in bytes and `content_type` as signed."""

    project: str
    asked: Any


def run(command: Upload, ports: Ports) -> dict[str, Any]:
    """Answers url, method, headers to send with it, the key, and when the link expires."""
    if ports.ledger.project(command.project) is None:
        advice = f"Create it with PUT /projects/{command.project}."
        raise NotFound(f"project {command.project}", "there is no such project", advice)
    faults = list(_faults(command))
    if faults:
        raise BadRequest(
            "upload", "not a file we take", "Correct what errors names.", status=422, faults=faults
        )
    asked: Mapping[str, Any] = command.asked
    key = _key(command.project, asked)
    kind = asked.get("content_type") or "application/octet-stream"
    expires = ports.clock.now() + timedelta(seconds=_SECONDS)
    return {
        "method": "PUT",
        "url": ports.files.upload(key, kind, asked["size"], _SECONDS),
        "headers": {"Content-Type": kind, "Content-Length": str(asked["size"])},
        "key": key,
        "expires_at": expires.isoformat(),
    }


def _key(project: str, asked: Mapping[str, Any]) -> str:
    return f"{DROP}{project}/{_FOLDERS[asked.get('folder') or '']}{asked['name']}"


def _faults(command: Upload) -> list[Fault]:
    asked = command.asked
    if not isinstance(asked, Mapping):
        return [Fault("", 'must be an object: {"name": "rows.csv", "size": 1000}')]
    found = [Fault(str(name), "is not known here") for name in asked if name not in _KNOWN]
    found += [Fault(name, problem) for name, rule in _KNOWN.items() if (problem := rule(asked.get(name)))]
    if not found and destination(_key(command.project, asked))[0] == NO_PROJECT and not asked.get("folder"):
        found.append(Fault("name", str(destination(_key(command.project, asked))[1])))
    return found


def _name(value: Any) -> str | None:
    if not isinstance(value, str) or not value:
        return "must be the file's name"
    parts = value.split("/")
    odd = any(part in {"", ".", ".."} for part in parts) or not value.isprintable() or "\\" in value
    if odd or len(value.encode("utf-8", "replace")) > _LONGEST_KEY:
        return f"must be a path of plain names, at most {_LONGEST_KEY} bytes: no .., no empty part"
    return None


def _size(value: Any) -> str | None:
    good = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= _MOST
    return None if good else f"must be the file's size in bytes, from 1 to {_MOST:,}"


def _kind(value: Any) -> str | None:
    good = value is None or (
        isinstance(value, str) and value.isascii() and value.isprintable() and "/" in value
    )
    return None if good and len(value or "") < 128 else "must be a content type like text/csv"


def _folder(value: Any) -> str | None:
    return None if value is None or value in tuple(_FOLDERS) else "must be score, or left out"


_KNOWN = {"name": _name, "size": _size, "content_type": _kind, "folder": _folder}
