"""Which source has a file, and what its header must have."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from data import files, sources, spec

SPEC = spec.parse(
    {
        "project": "p",
        "task": "classification",
        "sources": {
            "rows": {"path": "upserts/**"},
            "deletes": {"path": "deletes/**/*.csv"},
            "names": {"path": "names-?.csv", "kind": "reference", "join_on": ["id", "n"]},
            "late": {"path": "**/[x].csv"},
        },
        "key": "id",
        "columns": {"id": "id", "n": "number", "y": "label"},
    }
)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("upserts/a.csv", "rows"),
        ("upserts/2022/03/a b+ö%.csv", "rows"),
        ("upserts", None),
        ("upserts.csv", None),
        ("deletes/a.csv", "deletes"),
        ("deletes/2022/a.csv", "deletes"),
        ("deletes/a.tsv", None),
        ("names-1.csv", "names"),
        ("names-12.csv", None),
        ("names-/.csv", None),
        ("old/names-1.csv", None),
        ("[x].csv", "late"),
        ("a/b/[x].csv", "late"),
        ("x.csv", None),
        ("upserts/a\nb", "rows"),
    ],
)
def test_the_first_source_whose_path_matches_has_the_file(name: str, source: str | None) -> None:
    found = sources.of(SPEC, f"drop/p/{name}")
    assert (found.name if found else None) == source


def test_without_sources_one_has_every_file() -> None:
    assert sources.of(replace(SPEC, sources=(spec.ALL_FILES,)), "drop/p/any/thing") == spec.ALL_FILES


class OneObject:
    """An S3 with one object in it."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def get_object(self, **_: Any) -> dict[str, Any]:
        return {"Body": self}

    def iter_chunks(self, size: int) -> Any:
        return iter([self.body[place : place + size] for place in range(0, len(self.body), size)])


@pytest.mark.parametrize(
    ("name", "body", "refusal"),
    [
        ("deletes/a.csv", b'""\n', None),
        ("deletes/a.csv", b"", None),
        ("deletes/a.csv", b"\n\n", None),
        ("deletes/a.csv", b"id\n", None),
        ("deletes/a.csv", b"id\n1\n", None),
        ("deletes/a.csv", b"n,y\n1,a\n", "lacks key column 'id'"),
        ("deletes/a.csv", b"id,\x00\n1\n", "NUL byte"),
        ("names-1.csv", b"id,n,more\n1,1,x\n", None),
        ("names-1.csv", b"id,more\n1,x\n", "lacks join column 'n'"),
        ("names-1.csv", b'""\n', "no row below it"),
        ("upserts/a.csv", b'""\n', "no row below it"),
        ("upserts/a.csv", b"id,n\n1,1\n", "lacks target column 'y'"),
        ("upserts/a.csv", b"id,y\n1,a\n", None),
    ],
)
def test_a_header_is_judged_by_its_source(
    tmp_path: Path, name: str, body: bytes, refusal: str | None
) -> None:
    drop = files.store.Drop(0, "b", f"drop/p/{name}", None, "e", "1", len(body), True)
    found = files.check(OneObject(body), drop, str(tmp_path), SPEC)
    assert (found.refusal is None) == (refusal is None), found.refusal
    assert (refusal or "") in (found.refusal or "")
