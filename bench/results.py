"""Renders docs/results.md from the figures in bench/results: published, ours on the same rows, ours leak-free."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ("learners_tabular.json", "learners_text.json")
HEAD = """# Results

Every figure the workshops published and every baseline of the data files, beside ours: under the published protocol,
and leak-free, which is what the gate uses. Written by `python bench/results.py` from `bench/results/`, not by hand.

| figure | what | protocol | published | ours | leak-free | seconds | command |
|---|---|---|---|---|---|---|---|
"""


def page(rows: list[dict[str, Any]]) -> str:
    """Return the page of these rows."""
    return HEAD + "".join(line(row) for row in rows)


def line(row: dict[str, Any]) -> str:
    """Return one row of the table."""
    keys = ("figure", "what", "protocol", "published", "ours", "leak_free")
    cells = [said(row[key]).replace("|", "/") for key in keys]
    return f"| {' | '.join(cells)} | {said(row['seconds'])} | `{row['command']}` |\n"


def said(value: Any) -> str:
    """Return a figure, several by name, or words, as a cell of the table; nothing is a dash."""
    if value is None:
        return "-"
    if isinstance(value, dict):
        return ", ".join(f"{name} {said(one)}" for name, one in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def rows(folder: Path) -> list[dict[str, Any]]:
    """Return what the benchmarks left, in the order of SOURCES: each a list of rows, or such lists by part."""
    found: list[dict[str, Any]] = []
    for path in (folder / name for name in SOURCES):
        if path.is_file():
            left = json.loads(path.read_text(encoding="utf-8"))
            found += [row for part in left.values() for row in part] if isinstance(left, dict) else left
    return found


if __name__ == "__main__":
    (ROOT / "docs" / "results.md").write_text(page(rows(ROOT / "bench" / "results")), encoding="utf-8")
