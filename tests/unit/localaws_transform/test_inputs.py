"""Every object below a prefix, or of a manifest, once; each with an output of its own."""

import io
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.localaws.sagemaker.faults import JobFault
from penstock.localaws.sagemaker.transform import inputs

PROPERTY = settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])


class S3:
    """A bucket of these keys, listed two a page; `manifest` is what every object contains."""

    def __init__(self, *keys: str, manifest: Any = None) -> None:
        self._keys = keys
        self._manifest = manifest

    def get_paginator(self, _name: str) -> "S3":
        return self

    def paginate(self, **members: str) -> list[dict[str, Any]]:
        found = [{"Key": key} for key in self._keys if key.startswith(members["Prefix"])]
        return [{"Contents": found[at : at + 2]} for at in range(0, len(found), 2)] or [{}]

    def get_object(self, **_: str) -> dict[str, Any]:
        if self._manifest is None:
            raise ClientError({"Error": {"Code": "NoSuchKey", "Message": "gone"}}, "GetObject")
        return {"Body": io.BytesIO(json.dumps(self._manifest).encode())}


def found(s3: S3, uri: str, kind: str = "S3Prefix") -> dict[str, str]:
    """Output by key."""
    listed = inputs.find(s3, {"S3DataType": kind, "S3Uri": uri}, "s3://b/out/")
    return {one.key: one.output for one in listed}


@pytest.mark.parametrize(
    ("key", "prefix", "output"),
    [
        ("in/a.csv", "in/", "a.csv.out"),
        ("in/x/a.csv", "in", "x/a.csv.out"),
        ("in/a.csv", "in/a.csv", "a.csv.out"),
        ("in/part-1/a", "in/pa", "part-1/a.out"),
        ("in/x//a", "in/x/", "/a.out"),
        ("a.csv", "", "a.csv.out"),
        ("in/../../etc/x", "in/", "../../etc/x.out"),  # a key is no path: it stays what it is
    ],
)
def test_an_output_is_named_after_what_follows_the_prefix(key: str, prefix: str, output: str) -> None:
    assert found(S3(key), f"s3://b/{prefix}") == {key: f"s3://b/out/{output}"}


@PROPERTY
@given(st.sets(st.text("ab/", min_size=1, max_size=6), min_size=1), st.text("ab/", max_size=3))
def test_no_two_inputs_share_an_output(keys: set[str], prefix: str) -> None:
    expected = {key for key in keys if key.startswith(prefix) and not key.endswith("/")}
    if not expected:
        with pytest.raises(JobFault, match=r"^ClientError: No S3 objects found"):
            found(S3(*keys), f"s3://b/{prefix}")
        return
    outputs = found(S3(*keys), f"s3://b/{prefix}")
    assert list(outputs) == sorted(expected)
    assert len(set(outputs.values())) == len(outputs)


@PROPERTY
@given(st.lists(st.integers(), min_size=1, max_size=9, unique=True), st.integers(1, 5))
def test_instances_share_the_files(numbers: list[int], count: int) -> None:
    files: Any = sorted(numbers)
    shares = inputs.shares(files, count)
    assert sorted(one for share in shares for one in share) == files
    assert all(shares)
    assert len(shares) <= count


def test_a_manifest_names_keys_after_its_prefix() -> None:
    s3 = S3(manifest=[{"prefix": "s3://data/in/"}, "b", "x/a", "b"])
    assert found(s3, "s3://b/m.json", "ManifestFile") == {
        "in/b": "s3://b/out/b.out",
        "in/x/a": "s3://b/out/x/a.out",
    }


@pytest.mark.parametrize(
    "content",
    [
        {},
        [],
        [1],
        ["a"],
        [{"prefix": 1}, "a"],
        [{"prefix": "s3://b/"}, {"x": 1}],
        [{"prefix": "s3://b/"}, ""],
    ],
)
def test_what_is_no_manifest_is_said(content: Any) -> None:
    with pytest.raises(JobFault, match="is not a manifest file"):
        found(S3(manifest=content), "s3://b/m.json", "ManifestFile")


def test_a_manifest_that_is_gone_is_said() -> None:
    with pytest.raises(JobFault, match=r"Data download failed:.*NoSuchKey"):
        found(S3(), "s3://b/m.json", "ManifestFile")
