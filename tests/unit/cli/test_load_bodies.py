"""What `penstock load` sends when nobody says what: the front door must take it, whatever the model reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from chalicelib.domain.request_schema import RequestSchema
from penstock.client.load import MADE_UP, bodies_for


def schema(*features: tuple[str, str, dict[str, Any]]) -> dict[str, Any]:
    return {"x-features": [{"name": name, "role": role, **more} for name, role, more in features]}


def test_bodies_made_up_for_numbers_categories_and_dates_pass_the_doors_own_check(tmp_path: Path) -> None:
    asked = schema(
        ("age", "number", {}),
        ("plan", "category", {"categories": ["a", "b"]}),
        ("unseen", "category", {}),
        ("since", "date", {"format": "%d.%m.%Y"}),
    )
    path = bodies_for(asked, tmp_path / "reports")
    assert path is not None
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(records) == MADE_UP
    assert list(RequestSchema(asked).faults(records)) == []
    assert {record["plan"] for record in records} == {"a", "b"}
    assert bodies_for(asked, tmp_path / "again").read_text() == path.read_text()  # type: ignore[union-attr]


def test_a_model_that_reads_text_gets_the_workshops_texts(tmp_path: Path) -> None:
    assert bodies_for(schema(("age", "number", {}), ("body", "text", {})), tmp_path) is None
    assert list(tmp_path.iterdir()) == []
