"""The report: one page that loads nothing, and the warnings a reader needs."""

from __future__ import annotations

import copy
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from judge import checks, plots, report

from tests.training.optml import KINDS, evaluated, trained


class Loads(HTMLParser):
    """Collects whatever a page would fetch or run."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.tags: set[str] = set()
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [
            value or "" for name, value in attributes if name in ("src", "srcset", "href", "data")
        ]
        self.handlers += [name for name, _ in attributes if name.startswith("on")]


def card(kind: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((evaluated(kind)[0] / "scorecard.json").read_text())
    return document


def about(kind: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((trained(kind)[0] / "model/manifest.json").read_text())
    return document


def loads(page: str) -> Loads:
    parser = Loads()
    parser.feed(page)
    return parser


@pytest.mark.parametrize("kind", KINDS)
def test_loads_nothing_and_runs_nothing(kind: str) -> None:
    page = (evaluated(kind)[0] / "report.html").read_text()
    found = loads(page)
    assert found.addresses
    assert all(address.startswith("data:image/png;base64,") for address in found.addresses)
    assert "script" not in found.tags
    assert not found.handlers
    assert not re.search(r"https?://|@import|url\(", page)


@pytest.mark.parametrize("kind", KINDS)
def test_says_the_verdict_before_the_figures(kind: str) -> None:
    page = (evaluated(kind)[0] / "report.html").read_text()
    assert (
        page.index("<h1>") < page.index("class=tiles") < page.index("<img") < page.index("Does a column give")
    )
    assert page.index("<h1>") < page.index("class=purpose") < page.index("class=tiles")


def test_hostile_names_stay_text() -> None:
    hostile = "</td><script>alert(1)</script>"
    document = copy.deepcopy(card("binary"))
    document["target"] = document["project"] = hostile
    document["warnings"] = [hostile]
    document["classes"] = [hostile, "$x$"]
    document["leakage"][0]["column"] = document["per_class"][0]["class"] = hostile
    page = report.page(
        document, [plots.Plot("p", hostile, b"a", b"b")], {**about("binary"), "versions": {hostile: hostile}}
    )
    assert "script" not in loads(page).tags
    assert page.count("&lt;script&gt;") >= 6


def test_names_the_champion_it_does_not_beat() -> None:
    document = {**card("binary"), "champion": {"metrics": {**card("binary")["metrics"], "macro_f1": 1.0}}}
    document["settings"] = {**document["settings"], "gate": {"metric": "macro_f1", "beat_champion": True}}
    page = report.page(document, [], about("binary"))
    assert "Not good enough: Macro F1 is" in page
    assert "asked for: better than the released model 1.0000" in page
    assert "<dt>champion</dt>" in page


def test_warns_of_few_rows_rare_classes_and_no_progress() -> None:
    assert "Only 40 test rows" in next(checks.few_rows(40, {"a": 40}))
    assert list(checks.few_rows(400, {"a": 391, "b": 9})) == [
        "Fewer than 10 test rows of: b (9). Their figures say little."
    ]
    assert not list(checks.few_rows(400, {"a": 390, "b": 10}))
    assert "b (1.0%)" in next(checks.imbalance({"a": 99, "b": 1}))
    assert not list(checks.imbalance({"a": 90, "b": 10}))
    assert "No better than the baseline" in next(checks.no_better({"rmse": 2.0}, {"rmse": 2.0}))
    assert not list(checks.no_better({"macro_f1": 0.6}, {"macro_f1": 0.5}))


def test_warns_of_test_rows_with_a_training_rows_features() -> None:
    train = {"a": ["x", "y", None], "b": ["1", "2", None]}
    test = {"a": ["x", "x", None, "y"], "b": ["1", "2", None, "3"]}
    (warning,) = checks.duplicates(train, test, ["a", "b"], 4)
    assert warning.startswith("2 of 4 test rows (50.0%)")
    assert not list(checks.duplicates(train, {"a": ["z"], "b": ["1"]}, ["a", "b"], 1))


@pytest.mark.parametrize("kind", KINDS)
def test_every_plot_named_is_a_png(kind: str) -> None:
    for name in card(kind)["plots"]:
        assert (evaluated(kind)[0] / name).read_bytes().startswith(b"\x89PNG")
