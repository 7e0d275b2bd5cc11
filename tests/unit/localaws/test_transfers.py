"""Where objects go, and that none goes elsewhere."""

import io
import tarfile
from pathlib import Path

import pytest

from penstock.localaws.sagemaker.faults import JobFault
from penstock.localaws.sagemaker.jobs import transfers


@pytest.mark.parametrize(
    ("key", "prefix", "path"),
    [
        ("train/a.csv", "train/", "a.csv"),
        ("train/x/a.csv", "train", "x/a.csv"),
        ("lake/dataset.json", "lake/dataset.json", "dataset.json"),
        ("lake/train-1/a", "lake/tr", "train-1/a"),
        ("train//a b.csv", "train/", "a b.csv"),
    ],
)
def test_a_key_becomes_a_path_below_its_prefix(key: str, prefix: str, path: str) -> None:
    assert str(transfers.relative(key, prefix)) == path


@pytest.mark.parametrize("key", ["train/../../etc/passwd", "train/..", "train/a\0b", "train/./"])
def test_a_hostile_key_is_refused(key: str) -> None:
    with pytest.raises(JobFault, match=r"^ClientError: .* cannot be the name of a file"):
        transfers.relative(key, "train/")


def archive(tmp_path: Path, *members: tarfile.TarInfo) -> Path:
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as opened:
        for member in members:
            opened.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def member(name: str, **fields: object) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = 1
    for key, value in fields.items():
        setattr(info, key, value)
    return info


@pytest.mark.parametrize(
    "bad",
    [
        member("../out.txt"),
        member("link", type=tarfile.SYMTYPE, linkname="/etc/passwd", size=0),
        member("hard", type=tarfile.LNKTYPE, linkname="../../x", size=0),
        member("device", type=tarfile.CHRTYPE, size=0),
    ],
)
def test_a_hostile_archive_is_refused(tmp_path: Path, bad: tarfile.TarInfo) -> None:
    with pytest.raises(JobFault, match="cannot be unpacked"):
        transfers.extract_tar(archive(tmp_path, member("ok.txt"), bad), tmp_path / "code")
    assert not (tmp_path / "out.txt").exists()


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tar.gz").write_bytes(b"no")
    with pytest.raises(JobFault, match=r"a\.tar\.gz cannot be unpacked"):
        transfers.extract_tar(tmp_path / "a.tar.gz", tmp_path / "code")


def test_links_are_never_uploaded(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b").write_text("b")
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "dirlink").symlink_to("/etc")
    assert [name for _, name in transfers.files_below(tmp_path)] == ["sub/b"]
