"""Any bytes at all end in a verdict, and every row of what is read is a row or a refusal."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from tests.training import corpus
from tests.training.data.dropped import look, read
from tests.training.mutants import GOOD, anything


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(anything)
def test_any_bytes_are_refused_or_read_to_the_last_row(
    tmp_path_factory: pytest.TempPathFactory, body: bytes
) -> None:
    source = look(tmp_path_factory.getbasetemp(), "a", body, corpus.SPEC)
    if source.refusal:
        assert len(source.refusal) > 20
        return
    found = read(source)
    numbers = [row["_number"] for row in found if row["_number"]]
    broken = [row for row in found if not row["_number"]]
    assert numbers == list(range(1, len(numbers) + 1)) or broken
    assert len(broken) <= 1
    for row in found:
        cells = [value for name, value in row.items() if not name.startswith("_")]
        assert (row["_problem"] is None) or not any(cells)


def test_the_good_file_is_good(tmp_path_factory: pytest.TempPathFactory) -> None:
    found = read(look(tmp_path_factory.getbasetemp(), "a", GOOD, corpus.SPEC))
    assert [row["_problem"] for row in found] == [None] * 14
