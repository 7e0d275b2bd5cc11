"""Model archives: whole or not there, and never outside their directory."""

import io
import shutil
import tarfile

import pytest
from botocore.exceptions import ClientError

from penstock.localaws.sagemaker.hosting.artifacts import MANY, OBJECT, ONLY, PREFIX, Unusable, exists, unpack


class FakeS3:
    """Objects in memory."""

    def __init__(self, **objects):
        self.objects = objects
        self.downloads = 0

    def head_object(self, Bucket, Key):  # noqa: N803  boto3's names
        if Key not in self.objects:
            metadata = {"ResponseMetadata": {"HTTPStatusCode": 404}, "Error": {"Code": "404"}}
            raise ClientError(metadata, "HeadObject")

    def download_file(self, bucket, key, path, Callback):  # noqa: N803  boto3's name
        self.downloads += 1
        self.head_object(bucket, key)
        with open(path, "wb") as file:
            shutil.copyfileobj(io.BytesIO(self.objects[key]), file)

    def list_objects_v2(self, Bucket, Prefix, MaxKeys=1000):  # noqa: N803
        found = [{"Key": key} for key in sorted(self.objects) if key.startswith(Prefix)][:MaxKeys]
        return {"Contents": found, "KeyCount": len(found)}

    def get_paginator(self, _operation):
        return self

    def paginate(self, **wanted):
        yield self.list_objects_v2(**wanted)


def archive(*members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as opened:
        for member in members:
            opened.addfile(member, io.BytesIO(b"x" * member.size))
    return out.getvalue()


def member(name, **attributes):
    made = tarfile.TarInfo(name)
    made.size = 1 if not attributes else 0
    for attribute, value in attributes.items():
        setattr(made, attribute, value)
    return made


def test_an_archive_is_unpacked_once(tmp_path):
    s3 = FakeS3(m=archive(member("code/inference.py")))
    target = tmp_path / "opt/ml/model"
    unpack(s3, "s3://b/m", target)
    unpack(s3, "s3://b/m", target)
    assert (target / "code/inference.py").read_bytes() == b"x"
    assert s3.downloads == 1
    assert [path.name for path in target.parent.iterdir()] == ["model"]


@pytest.mark.parametrize(
    "hostile",
    [
        member("../outside"),
        member("/outside"),
        member("link", type=tarfile.SYMTYPE, linkname="/etc/passwd"),
        member("hard", type=tarfile.LNKTYPE, linkname="../../outside"),
        member("device", type=tarfile.CHRTYPE),
    ],
    ids=lambda made: made.name,
)
def test_a_hostile_archive_leaves_nothing(tmp_path, hostile):
    target = tmp_path / "a/b/model"
    try:
        unpack(FakeS3(m=archive(member("fine"), hostile)), "s3://b/m", target)
    except Unusable:
        assert not target.exists()
    else:  # an absolute name is taken as one inside
        assert (target / "outside").is_file()
    assert not (tmp_path / "a/outside").exists()
    assert not (tmp_path / "a/b/outside").exists()


@pytest.mark.parametrize(
    "content", [b"", b"no archive", archive(member("x"))[:20]], ids=["empty", "text", "cut"]
)
def test_what_is_no_archive_is_a_reason_that_names_it(tmp_path, content):
    with pytest.raises(Unusable, match=r"\"s3://b/m\"\. Please ensure"):
        unpack(FakeS3(m=content), "s3://b/m", tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_object(tmp_path):
    assert exists(FakeS3(m=b""), "s3://b/m")
    assert not exists(FakeS3(), "s3://b/m")
    with pytest.raises(Unusable, match="Failed to download"):
        unpack(FakeS3(), "s3://b/m", tmp_path / "model")


def test_no_model_data_is_an_empty_directory(tmp_path):
    unpack(FakeS3(), None, tmp_path / "model")
    assert list((tmp_path / "model").iterdir()) == []


def files(root):
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }


def test_everything_below_a_prefix_comes_as_it_is(tmp_path):
    s3 = FakeS3(**{"m/": b"", "m/code/inference.py": b"1", "m/w.bin": b"2", "m/sub/": b"", "other": b"3"})
    unpack(s3, "s3://b/m/", tmp_path / "model", kind=PREFIX)
    assert files(tmp_path / "model") == {"code/inference.py": b"1", "w.bin": b"2"}
    assert exists(s3, "s3://b/m/", PREFIX)
    assert not exists(s3, "s3://b/none/", PREFIX)


def test_one_object_comes_under_its_own_name(tmp_path):
    packed = archive(member("x"))
    unpack(FakeS3(**{"m/model.tar.gz": packed}), "s3://b/m/model.tar.gz", tmp_path / "model", kind=OBJECT)
    assert files(tmp_path / "model") == {"model.tar.gz": packed}


def test_the_only_archive_below_a_prefix_is_unpacked(tmp_path):
    s3 = FakeS3(**{"m/any.tar.gz": archive(member("x"))})
    unpack(s3, "s3://b/m/", tmp_path / "model", kind=ONLY)
    assert files(tmp_path / "model") == {"x": b"x"}
    s3.objects["m/second.tar.gz"] = b""
    with pytest.raises(Unusable, match="there are 2 objects"):
        unpack(s3, "s3://b/m/", tmp_path / "again", kind=ONLY)


@pytest.mark.parametrize("key", ["m/../outside", "m/x/../../outside", "m//../../outside"])
def test_a_key_that_leads_outside_leaves_nothing(tmp_path, key):
    with pytest.raises(Unusable, match="names a place outside"):
        unpack(FakeS3(**{key: b"x"}), "s3://b/m/", tmp_path / "a/model", kind=PREFIX)
    assert files(tmp_path) == {}


def test_models_of_a_multi_model_endpoint_are_not_fetched_before_they_are_asked_for(tmp_path):
    s3 = FakeS3(**{"m/a.tar.gz": b""})
    unpack(s3, "s3://b/m/", tmp_path / "model", kind=MANY)
    assert (s3.downloads, list((tmp_path / "model").iterdir())) == (0, [])
