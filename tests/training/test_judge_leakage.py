"""What gives the answer away is found; what does not, and ids, are not taken for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from judge import leakage

from tests.training.optml import SHARED

RNG = np.random.default_rng(5)
ANSWERS = RNG.integers(0, 2, 600)


def find(
    columns: dict[str, Any], answers: Any = ANSWERS, classes: int = 2, used: tuple[str, ...] = ()
) -> Any:
    return {f.column: f for f in leakage.find(columns, answers, classes, used, list(columns))}


def test_a_copy_under_another_name_is_flagged_whatever_its_type() -> None:
    found = find(
        {
            "code": ["yes" if answer else "no" for answer in ANSWERS],
            "text of number": [str(answer * 7) for answer in ANSWERS],
            "late": np.where(ANSWERS == 1, np.datetime64("2024-01-01"), np.datetime64("NaT")),
        },
        used=("code",),
    )
    assert all(finding.strong and finding.alone > 0.99 for finding in found.values())
    assert found["code"].verdict("class").startswith("LEAK? nearly gives class away")
    assert found["late"].verdict("class") == "left out, rightly: it nearly gives class away"


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_ids_of_many_values_do_not_fool_it(classes: int) -> None:
    answers = RNG.integers(0, classes, 600) if classes else RNG.normal(size=600)
    ids = {
        "uuid": [f"{value:x}" for value in RNG.integers(1 << 60, 1 << 62, 600)],
        "number": RNG.permutation(600).astype(float),
        "number as text": [str(value) for value in RNG.permutation(100_000)[:600]],
        "nothing": [None] * 600,
        "one": ["same"] * 600,
    }
    for finding in find(ids, answers, classes).values():
        assert not finding.flagged
        assert finding.alone == pytest.approx(0.5 if classes else 0.0, abs=0.12)


def test_parts_that_add_up_are_found_though_each_is_weak() -> None:
    parts = {name: RNG.exponential(size=600) for name in ("north", "south", "east", "west")}
    total = sum(parts.values())
    columns = {
        **{name: [f"{value:.6f}" for value in part] for name, part in parts.items()},
        "noise": RNG.normal(size=600),
    }
    for answers, classes in ((total, 0), ((total > 4).astype(int), 2)):
        found = find(columns, answers, classes, used=("north",))
        assert {name for name, finding in found.items() if finding.parts} == set(parts)
        assert not found["west"].strong
        assert "adds up with" in found["north"].verdict("total")
        assert not found["noise"].flagged


def test_too_few_rows_are_not_judged() -> None:
    (finding,) = find({"x": [1.0, 2.0, 3.0]}, np.array([0, 1, 1])).values()
    assert (finding.alone, finding.flagged, finding.verdict("y")) == (None, False, "too few rows to say")


def test_texts_that_are_nearly_all_numbers_are_numbers() -> None:
    assert leakage.readable(["1", "2.5", None, "4"] * 5 + ["tbd"]).dtype.kind == "f"
    assert leakage.readable(["1", "b", "c", "4"]).dtype.kind == "O"
    assert leakage.readable([None, None]).dtype.kind == "O"


def test_the_regional_sales_are_flagged_as_leaking() -> None:
    path = SHARED / "seeds/004/Video_Games_Sales_as_at_22_Dec_2016.csv"
    if not path.is_file():
        pytest.skip("the shared data is not here: ../shared/data/seeds/004")
    made = pd.read_csv(path, dtype=str, keep_default_na=False)
    made = made[(made[["Platform", "Critic_Score", "User_Score", "Rating"]] != "").all(axis=1)]
    sales = made.pop("Global_Sales").astype(float).to_numpy()
    columns = {name: [value or None for value in made[name]] for name in made}
    for answers, classes in (((sales > 1).astype(int), 2), (sales, 0)):
        found = find(columns, answers, classes)
        flagged = {name for name, finding in found.items() if finding.flagged}
        assert flagged == {"NA_Sales", "EU_Sales", "JP_Sales", "Other_Sales"}
