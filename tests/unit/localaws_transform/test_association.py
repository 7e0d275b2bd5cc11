"""Predictions come back beside the records they belong to."""

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.localaws.sagemaker.transform.association import CSV, JSON, JSON_LINES, Association
from penstock.localaws.sagemaker.transform.faults import BadFile
from penstock.localaws.sagemaker.transform.jsonpath import parse

PROPERTY = settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
CELLS = st.text(st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=6)


def association(
    kind: str, input_filter: str = "$", output_filter: str = "$", join: bool = True, stamp: str | None = None
) -> Association:
    return Association(kind, kind, parse(input_filter), parse(output_filter), join, stamp)


@pytest.mark.parametrize(
    ("kind", "filters", "record", "sent", "answer", "stored"),
    [
        # AWS's own examples
        (CSV, ("$", "$"), b"1,2,3\n", b"1,2,3\n", b"1", b"1,2,3,1\n"),
        (CSV, ("$[1:]", "$"), b"id1,2,3\n", b"2,3\n", b"0.5\n", b"id1,2,3,0.5\n"),
        (CSV, ("$[1:]", "$[0,-1]"), b"id1,2,3\n", b"2,3\n", b"0.5\n", b"id1,0.5\n"),
        (
            JSON,
            ("$", "$"),
            b'{"key":1}',
            b'{"key":1}',
            b'{"label":1}',
            b'{"SageMakerOutput":{"label":1},"key":1}',
        ),
        (
            JSON_LINES,
            ("$.features", "$['id','SageMakerOutput']"),
            b'{"id":7,"features":[1,2]}\n',
            b"[1,2]\n",
            b'{"label":1}\n',
            b'{"SageMakerOutput":{"label":1},"id":7}\n',
        ),
        (JSON, ("$", "$"), b"[1,2]", b"[1,2]", b"5", b'{"SageMakerInput":[1,2],"SageMakerOutput":5}'),
        # what the format allows
        (CSV, ("$[0]", "$[-1]"), b'"a,b",c\r\n', b'"a,b"\n', b'"say ""hi"""', b'"say ""hi"""\n'),
        (CSV, ("$", "$"), b"\n", b"", b"", b""),
        (JSON, ("$.a", "$.SageMakerOutput"), b'{"a":\n 1.50}\n', b"1.5\n", b"[\n 2 ]", b"[2]"),
        (
            JSON,
            ("$", "$"),
            '{"ä":1}'.encode(),
            '{"ä":1}'.encode(),
            b"1",
            '{"SageMakerOutput":1,"ä":1}'.encode(),
        ),
    ],
)
def test_a_record_and_its_answer(
    kind: str, filters: tuple[str, str], record: bytes, sent: bytes, answer: bytes, stored: bytes
) -> None:
    made = association(kind, *filters)
    assert made.sent(record) == sent
    assert made.stored((record,), answer) == stored


@pytest.mark.parametrize(
    ("kind", "records", "answer", "why"),
    [
        (CSV, [b"1\n", b"2\n"], b"1\n2\n3\n", "mismatched line count between the input and the output"),
        (CSV, [b"1\n", b"2\n"], b"1,2", "mismatched line count"),
        (CSV, [b'1,"2\n'], b"1", "Failed to parse input as CSV"),
        (CSV, [b"1,2\n"], b"\xff", "Failed to parse output from the algorithm as CSV"),
        (JSON, [b'{"a":1}'], b"{", "Failed to parse output from the algorithm as JSON"),
        (JSON, [b"{'a':1}"], b"1", "Failed to parse input as JSON"),
        (JSON, [b"1"], b"NaN", "NaN is not JSON"),
        (JSON, [b"1"], b'"\\ud800"', "cannot be written as JSON"),
        (JSON, [b"1"], b"1e999", "cannot be written as JSON"),
        (JSON, [b"[" * 100_000], b"1", "Failed to parse input as JSON"),
    ],
)
def test_what_does_not_fit_together_is_the_clients_error(
    kind: str, records: list[bytes], answer: bytes, why: str
) -> None:
    with pytest.raises(BadFile, match=why) as bad:
        association(kind).stored(tuple(records), answer)
    assert bad.value.blame == "ClientError"
    assert bad.value.lines[0].startswith("ClientError: ")


def test_an_index_outside_is_an_error() -> None:
    with pytest.raises(BadFile, match=r"InputFilter .* index 2 is not within its 2 elements"):
        association(CSV, "$[2]").sent(b"1,2\n")
    with pytest.raises(BadFile, match=r"OutputFilter .* index 3 is not within its 3 elements"):
        association(CSV, "$", "$[3]").stored((b"1,2\n",), b"3")


@PROPERTY
@given(st.lists(st.lists(CELLS, min_size=2, max_size=4), min_size=1, max_size=5))
def test_csv_cells_survive(rows: list[list[str]]) -> None:
    records = tuple(line(row) for row in rows)
    made = association(CSV, "$[1:]", "$")
    sent = b"".join(made.sent(record) for record in records)
    assert read_csv(sent) == [row[1:] for row in rows]
    stored = made.stored(records, b"".join(line([str(n), "x,y"]) for n in range(len(rows))))
    assert read_csv(stored) == [[*row, str(n), "x,y"] for n, row in enumerate(rows)]


@PROPERTY
@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=5), st.sampled_from([JSON, JSON_LINES]))
def test_json_values_survive(pairs: list[tuple[Any, Any]], kind: str) -> None:
    records = tuple(json.dumps(one).encode() + b"\n" for one, _ in pairs)
    stored = association(kind).stored(
        records, b"".join(json.dumps(said).encode() + b"\n" for _, said in pairs)
    )
    for text, (one, said) in zip(stored.decode().strip("\n").split("\n"), pairs, strict=True):
        joined = {**one} if isinstance(one, dict) else {"SageMakerInput": one}
        assert json.loads(text) == {**joined, "SageMakerOutput": said}


def test_every_record_gets_an_id_of_its_own() -> None:
    made = association(CSV, join=False, stamp="2022-08-30T00:49:15Z")
    rows = read_csv(made.stored((b"a\n", b"b\n"), b"0\n1\n"))
    assert [(row[0], row[2]) for row in rows] == [
        ("0", "2022-08-30T00:49:15Z"),
        ("1", "2022-08-30T00:49:15Z"),
    ]
    assert len({row[1] for row in rows}) == 2
    assert all(len(row[1]) == 36 for row in rows)
    stored = association(JSON_LINES, join=False, stamp="t").stored((b"1\n",), b'{"output":0}\n')
    assert json.loads(stored).keys() == {"output", "SageMakerInferenceId", "SageMakerInferenceTime"}


def line(row: list[str]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n", quoting=csv.QUOTE_ALL).writerow(row)
    return out.getvalue().encode()


def read_csv(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))
