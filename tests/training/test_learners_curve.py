"""The exponential curve: what it finds, what it answers beyond its rows, and what it refuses."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from learners import curve
from learners.errors import BadData, BadRequest
from learners.problem import Dataset, Problem, problem
from scipy.optimize import curve_fit

from tests.training.optml import fill, run

YEARS = np.arange(1960, 2020, dtype=np.float64)
WORKSHOP = {"origin": "1964", "scale": "20"}


def given(x: Any, y: Any, role: str = "number", **more: Any) -> Problem:
    columns = [{"name": "year", "role": role}, {"name": "price", "role": "label"}]
    described = {
        "project": "p",
        "version": 1,
        "task": "regression",
        "target": "price",
        "columns": columns,
        **more,
    }
    return problem(Dataset.read(described), {"year": x, "price": y}, None)


def noisy(seed: int = 1) -> Any:
    return 0.3 * np.exp(0.75 * (YEARS - 1964) / 20 + 0.8) + np.random.default_rng(seed).normal(
        0, 0.05, len(YEARS)
    )


def test_b_and_the_answers_are_those_of_scipys_three_parameters() -> None:
    """a and c are one number together; that number, b and the curve are the same."""
    found = curve.fit(given(YEARS, noisy()), WORKSHOP, str)

    def three(x: Any, a: float, b: float, c: float) -> Any:
        return a * np.exp(b * (x - 1964) / 20 + c)

    (a, b, c), _ = curve_fit(three, YEARS, noisy(), p0=(0.3, 0.7, 0.8), maxfev=20_000)
    assert found.fitted["b"] == pytest.approx(b, rel=1e-4)
    assert found.fitted["a"] == 1
    assert np.exp(found.fitted["c"]) == pytest.approx(a * np.exp(c), rel=1e-3)
    assert found.at(np.array([2030.0]))[0] == pytest.approx(three(2030, a, b, c), rel=1e-3)
    assert 0 < found.fitted["b_error"] < 0.1


@pytest.mark.parametrize("units", [{}, WORKSHOP, {"origin": "2000", "scale": "0.001"}])
def test_the_answers_do_not_depend_on_the_units(units: dict[str, str]) -> None:
    plain = curve.fit(given(YEARS, noisy()), {}, str).at(np.array([1950.0, 2030.0]))
    np.testing.assert_allclose(
        curve.fit(given(YEARS, noisy()), units, str).at(np.array([1950.0, 2030.0])), plain
    )


def test_falling_and_negative_curves() -> None:
    for y in (100 * np.exp(-0.03 * (YEARS - 1960)), -2 * np.exp(0.02 * (YEARS - 1960))):
        np.testing.assert_allclose(curve.fit(given(YEARS, y), {}, str).at(YEARS), y, rtol=1e-6)


def test_a_date_is_its_year_and_the_part_of_it_gone_by() -> None:
    moments = np.array(["2000-01-01", "2000-07-02", "2001-01-01", "NaT"], dtype="datetime64[s]")
    np.testing.assert_allclose(curve.abscissa(moments, "date")[:3], [2000, 2000.5, 2001], atol=1e-9)
    days = pd.date_range("1990-01-01", periods=100, freq="30D").to_numpy()
    y = np.exp(0.1 * (curve.abscissa(days, "date") - 1990))
    model = curve.fit(given(days, y, "date"), {}, str)
    assert model.predict({"year": ["2030-01-01"]}, 1)[0] == pytest.approx(np.exp(4), rel=1e-4)


def test_rows_and_requests_without_an_x_are_refused() -> None:
    with pytest.raises(BadData, match="9 rows without a finite year: make the column required"):
        curve.fit(given(np.where(YEARS % 7 == 0, np.nan, YEARS), noisy()), {}, str)
    model = curve.fit(given(YEARS, noisy()), {}, str)
    with pytest.raises(BadRequest) as refused:
        model.predict({"year": [2000.0, None]}, 2)
    assert refused.value.detail["faults"] == [
        {
            "instance": 1,
            "column": "year",
            "problem": "is missing, and the curve has nothing else to answer from",
        }
    ]


def test_far_out_the_answer_is_as_large_as_a_number_can_be() -> None:
    """JSON has no infinity."""
    assert np.isfinite(curve.fit(given(YEARS, noisy()), {}, str).at(np.array([1e9]))).all()


@pytest.mark.parametrize(
    ("x", "y", "said"),
    [
        (YEARS, YEARS * 0, "the same price|Every answer is 0"),
        (np.where(YEARS > 1990, 1.0, 2.0), noisy(), "three different values"),
    ],
)
def test_what_holds_no_curve_is_refused(x: Any, y: Any, said: str) -> None:
    with pytest.raises(BadData, match=said):
        curve.fit(given(x, y), {}, str)


def test_more_than_one_column_is_refused_by_name() -> None:
    columns = [{"name": name, "role": "number"} for name in ("year", "size")] + [
        {"name": "price", "role": "label"}
    ]
    both = {"project": "p", "version": 1, "task": "regression", "target": "price", "columns": columns}
    table = {"year": YEARS, "size": YEARS, "price": noisy()}
    with pytest.raises(BadData, match="year, size: give the others the type ignore"):
        curve.fit(problem(Dataset.read(both), table, None), {}, str)


def test_a_job_leaves_the_curve_its_picture_and_an_exact_request(tmp_path: Path) -> None:
    """The request holds one number; the picture is drawn as far as asked."""
    made = pd.DataFrame({"year": YEARS, "price": noisy()}).sample(frac=1, random_state=7)
    columns = [{"name": "year", "role": "number"}, {"name": "price", "role": "label"}]
    document = {"project": "p", "version": 1, "task": "regression", "target": "price", "classes": None,
                "columns": columns, "rows": {}, "source_objects": []}  # fmt: skip
    fill(tmp_path, made, document)
    arguments = ("--learner", "curve", "--origin", "1964", "--scale", "20", "--draw_until", "2030")
    done = run("train.py", tmp_path, *arguments)
    assert done.returncode == 0, done.stderr
    assert "curve: a=1 b=0.7" in done.stdout
    schema = json.loads((tmp_path / "model/request.schema.json").read_text())
    assert schema["properties"]["instances"]["items"]["properties"] == {"year": {"type": ["number", "null"]}}
    drawn = ET.parse(tmp_path / "model/curve.svg")
    assert any(text.text == "2030" for text in drawn.iter("{http://www.w3.org/2000/svg}text"))
    again = curve.load(tmp_path / "model")
    assert again.predict({"year": [2030.0]}, 1)[0] == pytest.approx(
        0.3 * np.exp(0.75 * 66 / 20 + 0.8), rel=0.1
    )
