"""Renders docs/results-lake.md and its chart from bench/results/lake.json: Prepare, pandas and Spark side by side.

python bench/lake_page.py
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
NAMES = {
    "prepare": ("Prepare (DuckDB)", "#2563c9"),
    "pandas_arrow": ("pandas, text in Arrow", "#e08a2e"),
    "pandas": ("pandas, text as objects", "#c0504d"),
    "spark": ("Prepare (Spark, local)", "#2a9d6f"),
}
WORDS = """# How fast the lake is made

Prepare of a classification project of nine columns (an id, three numbers, three categories, a date, the label;
103 bytes a row, some cells empty, one row in 5,000 bad), beside the same steps in pandas, on one machine:
{machine}. Written by `python bench/lake_page.py` from what `python bench/lake.py` measured, not by hand.

{table}

![Seconds to prepare a CSV, by rows](images/lake.svg)

{phases}

{said}
## What is compared

* **Prepare** is the whole job as the pipeline starts it (`training/prepare.py`, `--memory {memory}`): from the
  object in S3 to `dataset.json`, `profile.json`, `eda.json` and `report.html` in S3. S3 is the embedded AWS,
  which works on the same cores.
* **pandas** (`bench/lake_pandas.py`) reads the CSV from the disk and writes to it: cells trimmed, typed and
  judged with the reason of each bad one, rows dealt to sides by a hash of their content, counts, quarantine
  with records, the leak guard's checks (header rows, equal rows on two sides, columns that tell the label,
  ids), a Parquet file a side, and what the profile and the report count. Left out, to its advantage: S3, the
  MD5 of the upload, the search for encoding, delimiter and header, rows of a wrong width, the page. It runs
  twice: with text as Python objects (what pandas 2 does when told nothing) and in Arrow (what pandas 3 does).
* Both must find the same: rows, and of each column missing values, extremes, mean, longest and most frequent
  value; the benchmark stops when they do not. Of more than a million rows Prepare estimates distinct values and
  quantiles, pandas counts them.
* **Spark** is the same job with `--engine spark` on local Spark 3.5, all cores: one file is read by one task,
  the start of the JVM is part of its time, and its memory is that of its largest process.
* Memory is the peak of the process (its largest child where it has some).
"""
WIDE, TALL, LEFT, TOP, RIGHT, FOOT = 760, 420, 64, 44, 190, 48


def page(found: dict[str, Any]) -> str:
    """The page of what was measured."""
    machine = found["machine"]
    where = f"{machine['cores']} cores, {machine['system'].split('-')[0]}, Python {machine['python']}"
    shown = WORDS.replace("{machine}", where).replace("{memory}", found["memory"])
    parts = {"{table}": table, "{phases}": phases, "{said}": said}
    for name, part in parts.items():
        shown = shown.replace(name, part(found["sizes"]))
    return shown


def table(sizes: Sequence[dict[str, Any]]) -> str:
    """Seconds, times, memory of each, a line a size."""
    lines = [
        "| rows | CSV | "
        + " | ".join(name for name, _ in NAMES.values())
        + " | Prepare is faster by | peak memory, in that order |",
        "|---|---|" + "---|" * (len(NAMES) + 2),
    ]
    for one in sizes:
        cells = [_seconds(one.get(what)) for what in NAMES]
        times = [
            one[what]["seconds"] / one["prepare"]["seconds"]
            for what in NAMES
            if what != "prepare" and what in one
        ]
        peaks = [f"{one[what]['peak_mb']:,}" for what in NAMES if what in one]
        lines.append(
            f"| {one['rows']:,} | {one['megabytes']:,} MB | {' | '.join(cells)} | "
            f"{', '.join(f'{factor:.1f}' for factor in times)} | {' / '.join(peaks)} MB |"
        )
    return "\n".join(lines)


def said(sizes: Sequence[dict[str, Any]]) -> str:
    """What the figures say of the aim: three times as fast at the largest size, within 2 GB, growing in proportion."""
    largest, before = sizes[-1], sizes[-2]
    ours = largest["prepare"]
    more = largest["rows"] / before["rows"]
    grown = ours["seconds"] / before["prepare"]["seconds"]
    lines = [
        "The aim was three times the speed of pandas, within 2 GB, and time that grows in proportion.",
        "",
    ]
    for what in ("pandas", "pandas_arrow"):
        times = largest[what]["seconds"] / ours["seconds"]
        met = "met" if times >= 3 else "not met"
        lines.append(f"* {times:.1f} times as fast as {NAMES[what][0]}, of {largest['rows']:,} rows: {met}.")
    met = "met" if ours["peak_mb"] <= 2000 else "not met"
    lines.append(f"* {ours['peak_mb']:,} MB at most (pandas {largest['pandas']['peak_mb']:,} MB): {met}.")
    met = "met" if grown <= 1.1 * more else "not met"
    lines.append(f"* {more:g} times the rows take {grown:.1f} times as long: {met}.")
    small = sizes[0]
    slower = small["prepare"]["seconds"] > small["pandas_arrow"]["seconds"]
    if slower:
        lines.append(
            f"* Of {small['rows']:,} rows pandas is faster: of Prepare's {small['prepare']['seconds']:.1f} s most are "
            "imports, and queries that are written and planned whatever the number of rows."
        )
    return "\n".join([*lines, ""])


def _seconds(found: dict[str, Any] | None) -> str:
    if found is None:
        return "-"
    rounds = found["all_seconds"]
    spread = f" ({min(rounds):.1f} to {max(rounds):.1f} in {len(rounds)})" if len(rounds) > 1 else " (once)"
    return f"{found['seconds']:.1f} s{spread}"


def phases(sizes: Sequence[dict[str, Any]]) -> str:
    """Where the time of the largest goes."""
    largest = sizes[-1]
    lines = ["| | seconds by step |", "|---|---|"]
    for what, (name, _) in NAMES.items():
        steps = largest.get(what, {}).get("phases", {})
        told = ", ".join(
            f"{step} {seconds:.1f}" for step, seconds in steps.items() if step != "done" and seconds >= 0.1
        )
        if told:
            lines.append(f"| {name} | {told} |")
    return "\n".join(lines)


def chart(sizes: Sequence[dict[str, Any]]) -> str:
    """Seconds by rows, both scales logarithmic: growth in proportion is a line of slope one."""
    times = [one[what]["seconds"] for one in sizes for what in NAMES if what in one]
    low, high = math.floor(math.log10(min(times))), math.ceil(math.log10(max(times)))
    first, last = (math.log10(one["rows"]) for one in (sizes[0], sizes[-1]))

    def at(rows: float, seconds: float) -> tuple[float, float]:
        x = LEFT + (math.log10(rows) - first) / ((last - first) or 1) * (WIDE - LEFT - RIGHT)
        return x, TOP + (high - math.log10(seconds)) / (high - low) * (TALL - TOP - FOOT)

    body = [_axes(sizes, range(low, high + 1), at)]
    for what, (name, colour) in NAMES.items():
        points = [
            (*at(one["rows"], one[what]["seconds"]), one[what]["seconds"]) for one in sizes if what in one
        ]
        if points:
            body.append(_line(points, name, colour))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDE} {TALL}" role="img" font-family="sans-serif">'
        "<title>Seconds to prepare 0.1 to 10 million rows</title>"
        f'<rect width="{WIDE}" height="{TALL}" fill="#fff"/>'
        + _text(LEFT, 24, "Seconds to prepare a CSV, by rows (both logarithmic)", "#1f2328")
        + "".join(body)
        + "</svg>\n"
    )


def _axes(sizes: Sequence[dict[str, Any]], powers: Sequence[int], at: Any) -> str:
    found = ""
    for power in powers:
        _, y = at(sizes[0]["rows"], 10**power)
        found += f'<line x1="{LEFT}" x2="{WIDE - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d0d7de"/>'
        found += _text(LEFT - 8, y + 4, f"{10**power:g} s", anchor="end")
    for one in sizes:
        x, y = at(one["rows"], 10 ** powers[0])
        found += _text(x, y + 20, f"{one['rows'] / 1e6:g} M", anchor="middle")
    return found


def _text(x: float, y: float, words: str, colour: str = "#57606a", anchor: str = "start") -> str:
    at = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {at} font-size="12" fill="{colour}">{escape(words)}</text>'


def _line(points: Sequence[tuple[float, float, float]], name: str, colour: str) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"><title>{seconds:.1f} s</title></circle>'
        for x, y, seconds in points
    )
    x, y, seconds = points[-1]
    label = _text(x + 10, y + 4, f"{name}, {seconds:.0f} s", colour)
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>{dots}{label}'


if __name__ == "__main__":
    measured = json.loads((ROOT / "bench" / "results" / "lake.json").read_text(encoding="utf-8"))
    (ROOT / "docs" / "results-lake.md").write_text(page(measured), encoding="utf-8")
    (ROOT / "docs" / "images" / "lake.svg").write_text(chart(measured["sizes"]), encoding="utf-8")
