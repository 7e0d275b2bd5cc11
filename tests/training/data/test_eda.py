"""eda.json and its page: the figures are those of the rows, on both engines, and the page needs nothing but itself."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

from data import counts, eda, explore, leaks, page, profile, results, spec

from tests.training.data.bench import Bench

DOCUMENT: dict[str, Any] = {
    "project": "p1", "task": "classification", "labels": ["a", "b"],
    "columns": {"n": {"type": "number", "null_values": ["tbd"], "required": True}, "c": "category", "d": "date",
                "t": "text", "y": "label"},
}  # fmt: skip
NASTY = "<script>alert('x')</script> & \"so\""


def rows() -> list[dict[str, Any]]:
    good = [
        {"n": str(place), "c": [NASTY, "blue"][place % 2], "d": f"2024-01-{place % 28 + 1:02d}",
         "t": f"{['lovely', 'awful'][place % 2]} thing number {place}", "y": "ab"[place % 2]}
        for place in range(40)
    ]  # fmt: skip
    return [
        *good,
        {"n": "tbd", "c": "", "d": "", "t": "", "y": "a"},
        {"n": "", "c": "red", "d": "2024-01-01", "t": "lovely", "y": "b"},
        {"n": "many", "c": "red", "d": "2024-01-01", "t": "lovely", "y": "b"},
    ]


def look(bench: Bench, document: dict[str, Any], given: list[dict[str, Any]]) -> dict[str, Any]:
    meaning, names = spec.parse(document), list(document["columns"])
    judged = bench.judged(document, given)
    counted = results.tally(
        bench.rows(counts.sides(judged)),
        bench.rows(counts.classes(judged, meaning)) if meaning.classification else (),
        bench.rows(counts.faults(judged)),
    )
    kept = judged.filter(judged["_side"].isin(explore.KEPT))
    measured = bench.rows(profile.measures(kept, names, exact=True))[0]
    top = [row for query in profile.tops(kept, names, measured, exact=True) for row in bench.rows(query)]
    told = profile.document(measured, top, results.described(meaning, names), exact=True)
    head = {"project": "p1", "version": 1, **told}
    finding = leaks.Finding("header_rows", "clear", "No row repeats the header.")
    return eda.Look(bench, meaning, judged, counted, head).document([finding])  # type: ignore[arg-type]


def column(document: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in document["columns"] if one["name"] == name)
    return found


def test_the_figures_are_those_of_the_rows(bench: Bench) -> None:
    found = look(bench, DOCUMENT, rows())
    assert (found["read"], found["rows"]["quarantined"]) == (43, 2)
    assert [column(found, name)["empty"] for name in "ncdty"] == [1, 1, 1, 1, 0]
    assert column(found, "n")["nulls"] == 1  # "tbd": a null value, and not an empty cell
    assert found["target"]["read"] == {"a": 21, "b": 22}
    for name in "ncdt":
        assert sum(column(found, name)["buckets"]["rows"]) == 40, name
    by_class = column(found, "c")["buckets"]
    assert by_class["values"] == [NASTY, "blue"]
    assert by_class["classes"] == [[20, 0, 0], [0, 20, 0], [0, 0, 0], [0, 0, 0]]
    assert {row["term"] for row in found["terms"]["classes"]["a"]} == {"lovely"}
    assert {(row["column"], row["rows"]) for row in found["refused"]["reasons"]} == {("n", 1)}
    assert [row["number"] for row in found["refused"]["examples"]] == [42, 43]


def test_a_regression_has_means_and_correlations(bench: Bench) -> None:
    document = {
        "project": "p1",
        "task": "regression",
        "columns": {"u": "number", "v": "number", "y": "label"},
    }
    given = [{"u": str(place), "v": str(-place), "y": str(2 * place)} for place in range(30)]
    found = look(bench, document, given)
    told = found["correlations"]
    assert (told["columns"], told["values"][0], told["target"]) == (["u", "v"], [1.0, -1.0], [1.0, -1.0])
    buckets = column(found, "u")["buckets"]
    assert sum(buckets["rows"]) == 30
    assert buckets["mean"][0] < buckets["mean"][-1]
    assert page.page(found).count("<svg") == 4


class Page(HTMLParser):
    """What a page asks a browser for, and whether its tags are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Gather."""
        self.tags.add(tag)
        self.asked += [str(value) for name, value in attrs if name in {"src", "href", "srcset", "data"}]


def test_the_page_loads_nothing_runs_nothing_and_shows_what_was_dropped_as_text(bench: Bench) -> None:
    shown = page.page(look(bench, DOCUMENT, rows()))
    seen = Page()
    seen.feed(shown)
    assert seen.asked == []
    assert not seen.tags & {"script", "link", "iframe", "img", "object"}
    assert not re.search(r"url\(|@import|https?://", shown)
    assert "default-src 'none'" in shown
    for words in ("41 of 43 rows", "lovely", "is required and empty", "No row repeats the header"):
        assert words in shown
    assert shown.count("<svg") == shown.count('role="img"') == shown.count("</svg>") >= 5


def test_columns_with_nothing_to_see_are_no_trouble(duckdb_bench: Bench) -> None:
    given = [{"n": "5", "c": "", "d": "2024-01-01", "t": "", "y": "ab"[place % 2]} for place in range(20)]
    found = look(duckdb_bench, DOCUMENT, given)
    assert column(found, "n")["buckets"]["rows"] == [20]
    assert "buckets" not in column(found, "c")
    assert "<svg" in page.page(found)


def test_a_bucket_holds_what_it_says() -> None:
    about = {"min": 0.0, "max": 1e6, "quantiles": {"0.05": 1.0, "0.5": 20.0, "0.95": 100.0}}
    cut = explore.number_cut(0, "n", about)
    assert cut is not None
    assert (cut.open_low, cut.open_high) == (False, True)
    assert cut.low <= 0
    assert 100 < cut.low + cut.width * cut.count < 1000
    assert explore.number_cut(0, "n", {"min": -1e200, "max": 1e200}) is None
