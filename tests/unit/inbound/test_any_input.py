"""Whatever is sent to a door, no answer blames us for it: below 500, and a problem document when it is a refusal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chalice.test import Client
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import app as doors
from chalicelib import wiring
from chalicelib.domain.asked import check, read
from chalicelib.domain.model_version import Champion
from chalicelib.domain.prediction import Answer, Question
from tests import builders
from tests.fakes import FakePorts, FakePredictor

ROOT = Path(__file__).parents[3]
RUN = "churn-0001-x"
FEATURES = [{"name": name, "role": name} for name in ("number", "category", "date", "text")]
PATHS = [
    ("POST", "/predict"),
    ("POST", "/projects/churn/predict"),
    ("POST", "/projects/churn/batch"),
    ("POST", "/projects/churn/feedback"),
    ("POST", "/projects/churn/uploads"),
    ("POST", "/projects/churn/erasures"),
    ("PUT", "/projects/churn/endpoint"),
    ("PUT", "/projects/other"),
]
WORDS = st.sampled_from(
    "instances text number category date key name size folder content_type truth inference_id model variants "
    f"shadow sample keys project task columns {RUN} é".split()
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)
BODIES = (
    VALUES.map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=60)
    | st.text('number,"\n\r1a=', max_size=40).map(str.encode)
)
HEADER = st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=12)
TYPES = ["application/json", "application/json; x=1", "text/csv", "text/csv; charset=x", "*/*", "image/*;q=0"]
TYPE = st.sampled_from(TYPES * 3 + [""]).flatmap(lambda known: st.just(known) if known else HEADER)


class Obliging(FakePredictor):
    """A model that answers every row it is asked."""

    schema: Any = None

    def ask(self, endpoint: str, question: Question, inference_id: str) -> Answer:
        rows = check(read(question.body, question.content_type), self.schema)
        self.answer = {"predictions": [{"prediction": "yes", "score": 0.9}] * (rows or 1)}
        return super().ask(endpoint, question, inference_id)


@pytest.fixture
def client(ports: FakePorts, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """The app over ports in memory, with a released model of four columns."""
    uri = f"s3://{builders.BUCKET}/runs/{RUN}/evaluate/request.schema.json"
    ports.documents.write(uri, {"x-features": FEATURES, "x-classes": ["no", "yes"]})
    ports.ledger.put_champion(Champion("churn", RUN, "s3://b/m", "arn", 1, "e1", "c", {}, builders.AT))
    ports.predictor = Obliging()
    ports.predictor.schema = ports.schemas.of(RUN)
    monkeypatch.setattr(wiring, "ports", lambda: ports)
    monkeypatch.setenv("PENSTOCK_STAGE", "test")
    with Client(doors.app, stage_name="local", project_dir=str(ROOT)) as made:
        yield made


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(PATHS), BODIES, TYPE, TYPE, HEADER, HEADER)
@example(("POST", "/predict"), b'{"instances": [{"text": "x"}]}', "application/json", "text/csv", "", "")
def test_no_input_gives_a_5xx(
    client: Client, door: tuple[str, str], body: bytes, sent: str, accept: str, caller: str, variant: str
) -> None:
    headers = {
        "Content-Type": sent,
        "Accept": accept,
        "X-Penstock-Caller": caller,
        "X-Penstock-Variant": variant,
    }
    answer = client.http.request(*door, headers=headers, body=body)
    assert answer.status_code < 500, answer.body
    if answer.status_code >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json_body["status"] == answer.status_code
