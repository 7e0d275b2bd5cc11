"""Job code is uploaded once per content: the same files give the same bytes under the same name."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

from penstock.deploy.code import Bundle, upload


class Bucket:
    """As much of S3 as an upload needs."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}

    def list_objects_v2(self, Bucket: str, Prefix: str, MaxKeys: int) -> dict[str, Any]:  # noqa: N803
        """Count what starts with the prefix."""
        return {"KeyCount": sum(key.startswith(Prefix) for key in self.objects)}

    def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803
        """Keep the object."""
        self.objects[Key] = Body


def _folder(path: Path, **files: str) -> Path:
    path.mkdir()
    for name, text in ({"prepare.py": "print(1)\n"} | files).items():
        (path / name).write_text(text)
    return path


def test_same_files_same_bytes(tmp_path: Path) -> None:
    """Two checkouts of one commit upload the same archives, whatever their clocks say."""
    one, two = (Bundle(_folder(tmp_path / name, **{"train.py": "x = 1\n"})) for name in ("a", "b"))
    assert one.objects() == two.objects()


def test_any_change_is_another_prefix(tmp_path: Path) -> None:
    """A running stage keeps the code it was deployed with: new code lies beside it."""
    assert Bundle(_folder(tmp_path / "a")).prefix != Bundle(_folder(tmp_path / "b", **{"new.py": ""})).prefix


def test_moving_bytes_between_files_is_another_prefix(tmp_path: Path) -> None:
    """The digest covers where a file ends: the same bytes cut elsewhere are other code."""
    one = Bundle(_folder(tmp_path / "a", **{"x.py": "ab", "y.py": "c"}))
    two = Bundle(_folder(tmp_path / "b", **{"x.py": "a", "y.py": "bc"}))
    assert one.prefix != two.prefix


def test_archives_hold_the_files_at_their_root(tmp_path: Path) -> None:
    """Script mode and Glue put an archive's root on sys.path."""
    bundle = Bundle(_folder(tmp_path / "a", **{"train.py": "x = 1\n"}))
    objects = bundle.objects()
    with tarfile.open(fileobj=io.BytesIO(objects[f"{bundle.prefix}/training.tar.gz"])) as archive:
        assert sorted(archive.getnames()) == ["prepare.py", "train.py"]
    with zipfile.ZipFile(io.BytesIO(objects[f"{bundle.prefix}/training.zip"])) as archive:
        assert archive.read("train.py") == b"x = 1\n"


def test_upload_happens_once_and_marks_its_end(tmp_path: Path) -> None:
    """The marker is written last, so an upload cut short is done again and a whole one never."""
    bundle, bucket = Bundle(_folder(tmp_path / "a")), Bucket()
    assert upload(bundle, bucket, "b") is True
    assert list(bucket.objects)[-1] == bundle.marker
    assert upload(bundle, bucket, "b") is False
