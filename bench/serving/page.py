"""Renders docs/results-serving.md and its chart from bench/results/serving.json.

python bench/serving/page.py
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
NAMES = {
    "penstock": "Penstock", "flask": "Flask + gunicorn", "fastapi": "FastAPI", "uvicorn": "bare uvicorn",
    "litserve": "LitServe", "bentoml": "BentoML", "mlserver": "MLServer", "constant": "constant answer",
}  # fmt: skip
MODELS = {
    "text": "TF-IDF + logistic regression",
    "xgboost": "XGBoost, 200 trees of depth 5",
    "forest": "forest of 100 trees over TF-IDF",
}
GOALS = {"text": 5, "xgboost": 8, "forest": 8}  # times Flask at 8 connections
CLOSED = (1, 8, 32)
HEAD = """# The model server beside others

{cores} cores shared by server and wrk, {system}, Python {python}, {day}. {rounds} rounds, each server started anew in
another order; medians, and ratios to Flask within a round. The machine was not idle: others' work made the load that
stands with every cell of the file, up to {load:.0f}, so compare within a table and not with another machine's figures;
stalls of 50 to 100 ms are other processes' turns, Flask has them as well. One row as JSON a request, two workers each,
as each server's own documentation recommends. Penstock has validation, log lines, metrics and back-pressure on, and
every held-back row is asked first: same labels, probabilities within 1e-6. Written by `python bench/serving/page.py`
from `bench/results/serving.json`, not by hand; `bench/serving/run.py` measures.

![Requests a second at 8 connections, by server and model](images/serving.svg)
"""
LIMITS = """## Limits

Of one row: the original model in process, our form of it in process (both on one core, without HTTP), and the CPU a
request costs our server whole. The constant answer is bare uvicorn without any model.
"""
TABLE = (
    "| server | rounds | requests/s at 1, 8, 32 connections | times Flask at 8 | p50 at 8, ms | p99 at 1, 8, 32, ms "
    "| CPU a request at 8, µs | open loop p50, p99, ms | busier worker | MB of each process |"
)
_COLOURS = {"penstock": "#2f6db3", "flask": "#d08b3e", "constant": "#c9d2dc"}
_OTHERS = "#8fa3b8"
Lines = list[dict[str, Any]]


def page(document: dict[str, Any]) -> str:
    """Return the page of a run's document."""
    lines, machine = document["summary"], document["machine"]
    models = [name for name in MODELS if any(line["model"] == name for line in lines)]
    parts = [
        HEAD.format(
            load=max(cell["load"] for cell in document["cells"]),
            rounds=_range(sorted({line["rounds"] for line in lines})),
            system=machine["system"].partition("-")[0], day=machine["when"][:10], **_kept(machine),
        ),
        *_goals(lines, models),
        "",
    ]  # fmt: skip
    for model in models:
        parts += [f"## {MODELS[model]}", "", *_table(lines, model), ""]
    return "\n".join([*parts, LIMITS, *_limits(document, models)]) + "\n"


def _kept(machine: dict[str, Any]) -> dict[str, Any]:
    return {name: machine[name] for name in ("cores", "python")}


def _goals(lines: Lines, models: list[str]) -> list[str]:
    """What was set out to be reached, and whether it was."""
    found = ["| goal | found | |", "|---|---|---|"]
    for model in models:
        times = _one(lines, model, "penstock", 8)["rps_to_flask"]
        found.append(
            f"| {MODELS[model]}: {GOALS[model]} times Flask + gunicorn at 8 connections | {times:.1f} times | "
            f"{_met(times >= GOALS[model])} |"
        )
    for model in models:
        ratios = [_one(lines, model, "penstock", connections)["p99_to_flask"] for connections in CLOSED]
        said = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        found.append(
            f"| {MODELS[model]}: p99 no worse than Flask's at 1, 8, 32 connections | {said} of it "
            f"| {_met(max(ratios) <= 1)} |"
        )
    busiest = max(
        _one(lines, model, "penstock", connections)["busiest_of_two"]
        for model in models
        for connections in (8, 32)
    )
    found.append(
        "| no worker starves at 8 and 32 connections | the busier of the two did at most "
        f"{busiest:.0%} of the work in any round | {_met(busiest <= 0.75)} |"
    )
    return found


def _met(true: bool) -> str:
    return "met" if true else "**missed**"


def _table(lines: Lines, model: str) -> list[str]:
    found = [TABLE, "|---" * 10 + "|"]
    servers = [name for name in NAMES if _some(lines, model, name)]
    for name in sorted(servers, key=lambda name: -_one(lines, model, name, 8)["rps"]):
        at = [_one(lines, model, name, connections) for connections in CLOSED]
        opened = _one(lines, model, name, "open")
        cells = (
            NAMES[name],
            str(at[1]["rounds"]),
            ", ".join(f"{one['rps']:,.0f}" for one in at),
            f"{at[1]['rps_to_flask']:.1f}" if at[1]["rps_to_flask"] else "-",
            _ms(at[1]["p50"]),
            ", ".join(_ms(one["p99"]) for one in at),
            f"{at[1]['cpu_us']:,.0f}",
            f"{_ms(opened['p50'])}, {_ms(opened['p99'])}",
            f"{max(at[1]['busiest_of_two'], at[2]['busiest_of_two']):.0%}",
            ", ".join(f"{one:.0f}" for one in opened["memory_mb"][:4]),
        )
        found.append(f"| {' | '.join(cells)} |")
    failed = sum(line["failed"] for line in lines if line["model"] == model)
    return [*found, "", f"Failed requests of all servers together: {failed:,}."]


def _limits(document: dict[str, Any], models: list[str]) -> list[str]:
    """The distance to what no server can go below: the prediction alone, and HTTP alone."""
    lines = document["summary"]
    constant = next(
        (line for line in lines if line["server"] == "constant" and line["connections"] == 8), None
    )
    found = [
        "| model | original, µs | our form, µs | whole request, µs | of the constant answer's requests/s at 8 |",
        "|---|---|---|---|---|",
    ]
    for model in models:
        alone, ours = document["in_process"][model], _one(lines, model, "penstock", 8)
        share = f"{ours['rps'] / constant['rps']:.0%}" if constant else "-"
        costs = " | ".join(f"{one:,.0f}" for one in (alone["original"], alone["ours"], ours["cpu_us"]))
        found.append(f"| {MODELS[model]} | {costs} | {share} |")
    return found


def chart(document: dict[str, Any]) -> str:
    """Requests a second at 8 connections as bars, a panel for each model."""
    lines, top, parts = document["summary"], 0, []
    most = max(line["rps"] for line in lines if line["connections"] == 8)
    for model, title in MODELS.items():
        at = sorted(
            (line for line in lines if line["model"] == model and line["connections"] == 8),
            key=lambda line: -line["rps"],
        )
        if not at:
            continue
        parts.append(f'<text x="6" y="{top + 16}" font-weight="600">{escape(title)}</text>')
        for place, line in enumerate(at):
            parts += _bar(line, top + 26 + place * 21, most)
        top += 26 + len(at) * 21 + 18
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 {top}" font-size="13" '
        'font-family="system-ui, sans-serif" fill="#1c2733" role="img">'
        "<title>Requests a second at 8 connections, by server and model</title>"
        f'<rect width="760" height="{top}" fill="#ffffff"/>{"".join(parts)}</svg>\n'
    )


def _bar(line: dict[str, Any], y: float, most: float) -> list[str]:
    long = max(1.0, 425 * line["rps"] / most)
    colour = _COLOURS.get(line["server"], _OTHERS)
    times = line.get("rps_to_flask")
    said = f"{line['rps']:,.0f}" + (
        f" ({times:.1f} times Flask)" if times and line["server"] != "flask" else ""
    )
    return [
        f'<text x="128" y="{y + 13}" text-anchor="end">{NAMES[line["server"]]}</text>',
        f'<rect x="136" y="{y}" width="{long:.1f}" height="16" rx="2" fill="{colour}"/>',
        f'<text x="{136 + long + 6:.1f}" y="{y + 13}">{said}</text>',
    ]


def _one(lines: Lines, model: str, server: str, connections: int | str) -> dict[str, Any]:
    return _some(lines, model, server)[connections]


def _some(lines: Lines, model: str, server: str) -> dict[int | str, dict[str, Any]]:
    return {line["connections"]: line for line in lines if (line["model"], line["server"]) == (model, server)}


def _range(rounds: list[int]) -> str:
    return str(rounds[0]) if len(rounds) == 1 else f"{rounds[0]} to {rounds[-1]}"


def _ms(microseconds: float) -> str:
    return f"{microseconds / 1000:,.2f}" if microseconds < 10_000 else f"{microseconds / 1000:,.0f}"


if __name__ == "__main__":
    found = json.loads((ROOT / "bench/results/serving.json").read_text(encoding="utf-8"))
    (ROOT / "docs/results-serving.md").write_text(page(found), encoding="utf-8")
    (ROOT / "docs/images/serving.svg").write_text(chart(found), encoding="utf-8")
