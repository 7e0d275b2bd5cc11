"""Renders docs/results-front-door.md from what front_door.py, front_door_load.py and soak.py left in bench/results.

python bench/front_door_page.py
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench/results"
PROFILES = {42: "workshop-42", 100: "workshop-100"}  # by users, as the published runs are
HEAD = """# The front door under load

Written by `python bench/front_door_page.py` from `bench/results/`, not by hand.
"""
LOAD = """## The whole path

Locust, API Gateway, Lambda, InvokeEndpoint and the model server, all on {cores} cores ({system}, Python {python},
{day}): the embedded AWS and the load share them. `bench/front_door_load.py` measures; medians of {rounds}.
The machine had other work: its load is in the second table.

| run | users | requests | failed | requests/s | p50 ms | p95 ms | p99 ms | slowest ms | |
|---|---|---|---|---|---|---|---|---|---|"""
HOPS = """### Where a request's milliseconds go

One request after the other, no other of ours: each line includes those below it, as it is asked for itself; the
function and the endpoint are asked through boto3, as the function asks the endpoint.

| asked | median ms |
|---|---|"""
CPU = """Under load processor time decides, not waiting. Milliseconds of a core a request costs, and how many of the
cores were busy:

| run | {roles} | all | cores busy | function processes | load |
|---|{lines}---|---|---|---|"""
OWN = """## The function itself

`bench/front_door.py`: a cold import in a fresh interpreter (best of the rounds; goal 300 ms by the clock), and our own
time for a request, with a model in memory that answers at once (goal p50 1 ms).

| | |
|---|---|"""
SOAK = """## Ten minutes with another model in the middle

`bench/soak.py`, profile `soak`; half way through a file is dropped, which trains, registers and releases another model.
The embedded AWS keeps every metric point of every invocation (some 4 KB a request) and so grows with the requests; log
lines are bounded, idle function processes end after five minutes.
"""


def page(folder: Path) -> str:
    """Return the page of whatever is there."""
    parts = [HEAD]
    for name, section in (("front_door_load", load), ("front_door", own), ("soak", soak)):
        path = folder / f"{name}.json"
        if path.is_file():
            parts += [section(json.loads(path.read_text(encoding="utf-8"))), ""]
    return "\n".join(parts).rstrip() + "\n"


def load(document: dict[str, Any]) -> str:
    """The runs beside the published ones, the hops, and whose processor time it was."""
    machine, runs = document["machine"], document["runs"]
    by_users = {users: [run for run in runs if run["users"] == users] for users in PROFILES}
    rounds = sorted({len(group) for group in by_users.values() if group})
    said = "one round" if rounds == [1] else f"{rounds[0]} to {rounds[-1]} rounds"
    lines = [
        LOAD.format(
            cores=machine["cores"], python=machine["python"], system=machine["system"].partition("-")[0],
            day=machine["when"][:10], rounds=said,
        )
    ]  # fmt: skip
    for published in document["published"]:
        group = by_users.get(published["users"], [])
        if group:
            lines += [_row(published, ""), _row(_middle(group), _verdict(_middle(group), published))]
    lines += ["", HOPS, *(f"| {name} | {value:.2f} |" for name, value in document["hops_ms"].items()), ""]
    roles = list(runs[0]["cpu_ms_a_request"])
    lines.append(CPU.format(roles=" | ".join(roles), lines="---|" * len(roles)))
    for run in runs:
        each = run["cpu_ms_a_request"]
        cells = [f"{each[role]:.2f}" for role in roles]
        lines.append(
            f"| {run['profile']} | {' | '.join(cells)} | {sum(each.values()):.2f} | {run['cores_busy']:.2f} "
            f"| {run['functions']} | {run['load']:.0f} |"
        )
    return "\n".join(lines)


def _row(run: dict[str, Any], verdict: str) -> str:
    cells = [f"{run[name]:,.0f}" for name in ("users", "requests", "failures")]
    cells += [f"{run['rps']:,.1f}", *(f"{run[name]:,.0f}" for name in ("p50", "p95", "p99", "slowest"))]
    return f"| {run['name']} | {' | '.join(cells)} | {verdict} |"


def _middle(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of each figure; failures add up."""
    figures = ("users", "requests", "rps", "p50", "p95", "p99", "slowest")
    found = {name: statistics.median(run[name] for run in runs) for name in figures}
    return {"name": runs[0]["name"], "failures": sum(run["failures"] for run in runs), **found}


def _verdict(run: dict[str, Any], published: dict[str, Any]) -> str:
    better = run["rps"] > published["rps"] and run["p95"] < published["p95"] and not run["failures"]
    return "better" if better else "**not better**"


def own(document: dict[str, Any]) -> str:
    """The cold import and our own time."""
    cold, alone = document["cold_import_ms"], document["of_which_botocore_alone_ms"]
    lines = [
        OWN,
        f"| cold import, by the clock | {cold['wall']:.0f} ms (botocore alone {alone['wall']:.0f}) |",
        f"| cold import, processor | {cold['processor']:.0f} ms (botocore alone {alone['processor']:.0f}) |",
    ]
    for name, times in document["own_time_a_request"].items():
        lines.append(f"| own time, {name} | p50 {times['p50_ms']:.2f} ms, p99 {times['p99_ms']:.2f} ms |")
    return "\n".join(lines)


def soak(document: dict[str, Any]) -> str:
    """What failed, which models answered, and the memory."""
    run, looks = document["run"], document["memory_mb"]
    roles = list(document["growth_mb"])
    times = ", ".join(f"{name} {run[name]:,.0f} ms" for name in ("p50", "p95", "p99", "slowest"))
    first, second = document["models"]
    lines = [
        SOAK,
        f"{run['requests']:,} requests, {run['failures']:,} failed; {times}.",
        f"`{first}` answered, then `{second}`. Budget of the profile: {'kept' if document['kept'] else '**broken**'}.",
        "",
        f"| MB resident at second | {' | '.join(roles)} | function processes |",
        f"|---|{'---|' * len(roles)}---|",
    ]
    for look in looks[:: max(1, len(looks) // 10)]:
        cells = " | ".join(f"{look[role]:,.0f}" for role in roles)
        lines.append(f"| {look['second']} | {cells} | {look['function processes']} |")
    grown = ", ".join(f"{role} {mb:+.1f} MB" for role, mb in document["growth_mb"].items())
    return "\n".join([*lines, "", f"From the third and fourth minute to the last two: {grown}."])


if __name__ == "__main__":
    (ROOT / "docs/results-front-door.md").write_text(page(RESULTS), encoding="utf-8")
