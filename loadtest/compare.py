"""Sets runs beside each other: one table, a chart, and the workshop's published figures.

    python loadtest/compare.py --out compared "batching off:42=off.json" "batching on:42=on.json"

Reads what Locust wrote with --json-file. Writes <out>.html (self-contained), <out>.json, and prints the table.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Run:
    """One run: who, how much, how fast. Milliseconds by percentile."""

    name: str
    users: int
    requests: int
    failures: int
    rps: float
    p50: float
    p95: float
    p99: float
    slowest: float


PUBLISHED = (
    Run("published: Flask + TF-Serving", 42, 4812, 0, 116.3, 170, 370, 540, 1218),
    Run("published: lesson 6, TF-Serving", 100, 36181, 0, 113.4, 830, 1200, 1400, 1963),
)
"""ConcurMLWorkshop: 06_Optimizations/report_1649347457.html, and lesson_6.ipynb §4 in its history."""
_COLUMNS = ("users", "requests", "failures", "requests/s", "p50 ms", "p95 ms", "p99 ms", "slowest ms")
_COLOURS = {"p50": "#7aa6d8", "p95": "#2f6db3", "p99": "#173e6b"}


def read(name: str, path: Path, users: int) -> Run:
    """The run a file of Locust's tells of, all its requests together.

    Raises:
        ValueError: there is no request in it.
    """
    entries = json.loads(path.read_text(encoding="utf-8"))
    times: dict[int, int] = {}
    for entry in entries:
        for milliseconds, count in entry["response_times"].items():
            times[int(float(milliseconds))] = times.get(int(float(milliseconds)), 0) + count
    if not times:
        raise ValueError(f"{path}: no request was measured; look at the run's own report")
    seconds = max(e["last_request_timestamp"] for e in entries) - min(e["start_time"] for e in entries)
    requests = sum(entry["num_requests"] for entry in entries)
    return Run(
        name, users, requests, sum(entry["num_failures"] for entry in entries), round(requests / max(seconds, 1e-9), 1),
        percentile(times, 0.5), percentile(times, 0.95), percentile(times, 0.99),
        round(max(entry["max_response_time"] for entry in entries)),
    )  # fmt: skip


def percentile(times: dict[int, int], share: float) -> float:
    """The time within which that share of the requests was answered."""
    wanted, seen = share * sum(times.values()), 0
    for milliseconds in sorted(times):
        seen += times[milliseconds]
        if seen >= wanted:
            return float(milliseconds)
    return float(max(times))


def cells(run: Run) -> list[str]:
    """A run's row of the table."""
    numbers = (run.users, run.requests, run.failures, run.rps, run.p50, run.p95, run.p99, run.slowest)
    return [run.name, *(f"{number:,.1f}" if number == run.rps else f"{number:,.0f}" for number in numbers)]


def table(runs: Sequence[Run]) -> str:
    """The table as text."""
    rows = [["run", *_COLUMNS], *map(cells, runs)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join(lines)


def page(runs: Sequence[Run]) -> str:
    """Table and chart as a page that needs nothing else."""
    head = "".join(f"<th>{escape(name)}</th>" for name in ("run", *_COLUMNS))
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells(run)) + "</tr>" for run in runs
    )
    return f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>Load tests compared</title>
<meta name="viewport" content="width=device-width"><style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c2733 }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ padding: .3rem .6rem; text-align: right; border-bottom: 1px solid #dde3ea }}
th:first-child, td:first-child {{ text-align: left }} svg {{ max-width: 100%; height: auto }}
div {{ overflow-x: auto }}
</style><h1>Load tests compared</h1><div><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>
<h2>Milliseconds until half, 95 and 99 of 100 answers were there</h2>{chart(runs)}
<p>Published: ConcurMLWorkshop, on another machine. They are the bar, not a race on equal terms.</p>
</html>
"""


def chart(runs: Sequence[Run]) -> str:
    """Three bars a run, as SVG."""
    longest, row, left, width = max(run.p99 for run in runs) or 1.0, 66, 290, 900
    parts = []
    for place, run in enumerate(runs):
        top = place * row
        parts.append(
            f'<text x="{left - 12}" y="{top + 34}" text-anchor="end">{escape(run.name)}, {run.users} users</text>'
        )
        for line, (name, colour) in enumerate(_COLOURS.items()):
            value = getattr(run, name)
            long = max(1.0, (width - left - 90) * value / longest)
            y = top + 6 + line * 17
            parts.append(f'<rect x="{left}" y="{y}" width="{long:.1f}" height="14" fill="{colour}"/>')
            parts.append(f'<text x="{left + long + 6:.1f}" y="{y + 12}">{name} {value:,.0f}</text>')
    return (
        f'<svg viewBox="0 0 {width} {row * len(runs)}" role="img" font-size="13" font-family="system-ui" '
        f'fill="#1c2733">{"".join(parts)}</svg>'
    )


def main() -> None:
    """Read, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", nargs="+", metavar="name:users=file.json")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    found: list[Run] = []
    for one in asked.runs:
        told, _, path = one.rpartition("=")
        name, _, users = told.rpartition(":")
        try:
            found.append(read(name, Path(path), int(users)))
        except (OSError, ValueError) as error:
            parser.exit(1, f"compare.py: {error}\n")
    users = {run.users for run in found}
    every = [*found, *(run for run in PUBLISHED if run.users in users)]
    print(table(every))
    document: dict[str, Any] = {"runs": [asdict(run) for run in every]}
    asked.out.with_suffix(".json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    asked.out.with_suffix(".html").write_text(page(every), encoding="utf-8")


if __name__ == "__main__":
    main()
