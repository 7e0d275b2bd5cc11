"""What tells a record, in documents and while several threads learn it."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from data import cut, seek, spec
from data.files import Source
from data.seek import Seeker
from data.store import Drop
from data.traces import Traces
from data.versions import Version

KEY = "person-4711"
SPEC = spec.parse(
    {
        "project": "p",
        "task": "classification",
        "columns": {"who": "id", "note": "text", "kind": "label"},
        "key": "who",
    }
)


def traces(*texts: str) -> Traces:
    """Of one person."""
    return Traces(SPEC, [[KEY]], texts)


def _request(text: str) -> dict[str, Any]:
    return {"encoding": "BASE64", "data": base64.b64encode(text.encode()).decode(), "mode": "INPUT"}


@pytest.mark.parametrize(
    ("document", "left"),
    [
        ({"by": {KEY: 3, "other-1": 4, f"{KEY} too": 5}}, {"by": {"[erased 1]": 3, "other-1": 4, "[erased 2]": 5}}),
        ({KEY: 1, "[erased 1]": 2}, {"[erased 2]": 1, "[erased 1]": 2}),
        ({"who": KEY, KEY: "x"}, {"who": "[erased]", "[erased 1]": "[erased]"}),
        ([_request(f"{KEY},5"), _request("other-1,5")], [{**_request(""), "data": "[erased]"}, _request("other-1,5")]),
        ({"a": json.dumps({"who": KEY})}, {"a": "[erased]"}),
    ],
)  # fmt: skip
def test_nothing_of_a_record_is_left_in_a_document(document: Any, left: Any) -> None:
    its = traces()
    assert its.in_json(document)
    assert its.redacted(document) == left
    assert not its.in_json(left)


def test_what_is_nested_too_deeply_to_look_into_goes_as_a_whole() -> None:
    its, deep = traces(), {"end": KEY}
    for _ in range(200):
        deep = {"a": deep}  # type: ignore[dict-item]
    assert its.in_json(deep)
    assert not its.in_json(its.redacted(deep))


def test_threads_may_learn_while_others_look() -> None:
    its = traces()
    page = "nothing of theirs " * 20
    names = ["who", "note"]

    def learn(start: int) -> None:
        for number in range(start, start + 400):
            columns = [pa.array([KEY]), pa.array([f"a text of number {number} by itself"])]
            its.learn(names, columns, [0])

    with ThreadPoolExecutor(4) as pool:
        learning = [pool.submit(learn, start) for start in (0, 10_000)]
        looking = [pool.submit(lambda: [its.in_text(page) for _ in range(400)]) for _ in range(2)]
        assert not any(any(one.result()) for one in looking)
        for one in learning:
            one.result()
    assert len(its.texts) == 800


def test_lines_are_numbered_as_they_are_cut(tmp_path: Path) -> None:
    """By any of the three ends; a form feed alone is a blank line, a no-break space is none."""
    path, out = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    lines = [
        b'{"who": "x"}\r',
        b"\r\n",
        "\u00a0\n".encode(),
        b"\x0c\n",
        b'{"who": "person-4711"}\r\n',
        b'{"who": "y"}',
    ]
    path.write_bytes(b"".join(lines))
    seeker = Seeker(None, "b", SPEC, traces(), str(tmp_path))
    found = seeker.read_document(
        Version("capture/a.jsonl", "1", "e", 99, None, True), str(path), "capture/a.jsonl"
    )  # type: ignore[arg-type]
    assert found is not None
    drop = Drop(0, "b", "capture/a.jsonl", None, "", "0", 1, True)
    cut.text(Source(drop, format="jsonl"), str(path), str(out), found.numbers)
    assert out.read_bytes() == b"".join(line for line in lines if KEY.encode() not in line)


def test_lines_too_long_to_be_cut_are_not_said_to_be_searched(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a": "' + b"x" * (9 << 20) + b'"}')
    seeker = Seeker(None, "b", SPEC, traces(), str(tmp_path))
    version = Version("capture/a.jsonl", "1", "e", 99, None, True)  # type: ignore[arg-type]
    found = seeker.read_document(version, str(path), "capture/a.jsonl")
    assert found is not None
    assert found.how == seek.UNSEARCHED
