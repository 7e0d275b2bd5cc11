"""The job code as uploaded: training/ packed byte for byte the same from the same files, named by its digest."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

GLUE_SCRIPTS = ("prepare.py", "erase.py")
"""What Glue starts by its address; the rest it imports from training.zip."""
_EPOCH = (1980, 1, 1, 0, 0, 0)


class Bundle:
    """training/ in the three forms AWS wants: loose files (processing), tar.gz (script mode), zip (Glue)."""

    def __init__(self, folder: Path) -> None:
        self.files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts
        }
        digest = hashlib.sha256()
        for name, content in self.files.items():
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
        self.prefix = f"code/{digest.hexdigest()}"

    def objects(self) -> dict[str, bytes]:
        """Key → content of everything to upload; `complete` comes last and says the rest is there."""
        loose = {f"{self.prefix}/source/{name}": content for name, content in self.files.items()}
        return loose | {
            **{f"{self.prefix}/{name}": self.files[name] for name in GLUE_SCRIPTS if name in self.files},
            f"{self.prefix}/training.tar.gz": self._tar(),
            f"{self.prefix}/training.zip": self._zip(),
            self.marker: b"",
        }

    @property
    def marker(self) -> str:
        """The key whose presence says that this code is already there, whole."""
        return f"{self.prefix}/complete"

    def _tar(self) -> bytes:
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w") as archive:
            for name, content in self.files.items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(content), 0o644
                archive.addfile(entry, io.BytesIO(content))
        return gzip.compress(raw.getvalue(), mtime=0)

    def _zip(self) -> bytes:
        raw = io.BytesIO()
        with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in self.files.items():
                archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
        return raw.getvalue()


def upload(bundle: Bundle, s3: Any, bucket: str) -> bool:
    """Put the bundle into the bucket unless it is there already; returns whether anything was sent."""
    listed = s3.list_objects_v2(Bucket=bucket, Prefix=bundle.marker, MaxKeys=1)
    if listed.get("KeyCount"):
        return False
    for key, content in bundle.objects().items():
        s3.put_object(Bucket=bucket, Key=key, Body=content)
    return True
