"""A versioned bucket in memory: it changes as S3 does, tells of each change as S3 does, and lists its versions."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from chalicelib.domain.bucket import Listed
from chalicelib.domain.upload import Upload
from tests import builders

_LONG_AGO = datetime(2026, 10, 1, tzinfo=UTC)


@dataclass(frozen=True)
class _Version:
    version_id: str
    etag: str
    modified: datetime

    @property
    def marker(self) -> bool:
        return not self.etag


class Bucket:
    """Versions of each key, oldest first. Every change answers the event S3 sends of it."""

    def __init__(self) -> None:
        self.keys: dict[str, list[_Version]] = {}
        self._count = itertools.count(1)
        self._sequence = itertools.count(0x0066A0000000, 256)

    def put(self, key: str, etag: str | None = None, *, modified: datetime = _LONG_AGO) -> Upload:
        """Upload an object, over another if there is one."""
        number = next(self._count)
        made = _Version(f"v{number}", etag or f"e{number}", modified)
        self.keys.setdefault(key, []).append(made)
        return self._told(key, made, kind="created", etag=made.etag)

    def delete(self, key: str) -> Upload:
        """Delete as `aws s3 rm` does: a marker goes on top."""
        made = _Version(f"v{next(self._count)}", "", _LONG_AGO)
        self.keys.setdefault(key, []).append(made)
        return self._told(key, made, kind="deleted", etag="")

    def remove(self, key: str, place: int = -1) -> Upload:
        """Delete one version, or one marker, for good."""
        gone = self.keys[key].pop(place)
        return self._told(key, gone, kind="deleted", etag="", permanent=True)

    def current(self) -> dict[str, str]:
        """Version of each key that shows an object."""
        shown = {key: found[-1] for key, found in self.keys.items() if found}
        return {key: one.version_id for key, one in shown.items() if not one.marker}

    def listing(self, prefix: str) -> Iterator[Listed]:
        """As ListObjectVersions, sorted by key: uploads newest first, then markers."""
        for key in sorted(self.keys):
            found = [replace(one) for one in reversed(self.keys[key])] if key.startswith(prefix) else []
            for one in sorted(found, key=lambda one: one.marker):
                latest = one.version_id == found[0].version_id
                yield Listed(key, one.etag, 100, one.modified, one.version_id, latest, one.marker)

    def _told(self, key: str, version: _Version, **event: object) -> Upload:
        number = f"{next(self._sequence):018X}"
        at = version.modified.isoformat()
        return builders.an_upload(key=key, version_id=version.version_id, sequencer=number, at=at, **event)
