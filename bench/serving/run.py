"""The model server beside six others: same models, same two cores, same request, same answers.

    apt-get install wrk
    for part in web bento mls: python -m venv <peers>/<part>, pip install -r bench/serving/requirements-<part>.txt
    PYTHONPATH=. python bench/serving/run.py --peers <peers> --models <models> [--tweets tweets.csv] [--model text]
    python bench/serving/page.py

Every round starts each server anew, in another order, checks its answers (ours on all held-back rows, the others' on
fifty), and asks it by wrk with 1, 8 and 32 connections (a closed loop) and at a fixed rate (an open loop). Ratios are
taken within a round: what else the machine does meets both alike. `cpu_us` is the servers' own CPU time for a request,
which other work on the machine touches least. Each round is written to bench/results/serving.json as it ends; a run
replaces what was there of its models, with --add it adds rounds to it. page.py makes the table and the chart of it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import openloop
import prepare
import servers

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench/results/serving.json"
CONNECTIONS = (1, 8, 32)
TOLERANCE = 1e-6
SAMPLE = 50  # answers of a peer that are compared
RATES = {"text": 500, "xgboost": 500, "forest": 200}  # requests a second of the open loop: what all can do


def main() -> None:
    """Measure and write."""
    wanted = _arguments()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        models = wanted.models or scratch / "models"
        if not (models / "text").is_dir():
            prepare.prepare(models, wanted.tweets)
        document = _before(wanted)
        for model in wanted.model:
            if not wanted.add or model not in document["in_process"]:
                document["in_process"][model] = _in_process(models / model)
        first = 1 + max((cell["round"] for cell in document["cells"]), default=-1)
        for number in range(first, first + wanted.rounds):
            for model in wanted.model:
                for cells in _round(number, model, wanted, models, scratch):
                    document["cells"] += cells
                    _write(document, wanted.out)
    print(json.dumps(document["summary"], indent=1))


def _before(wanted: argparse.Namespace) -> dict[str, Any]:
    """What earlier runs found: of other models, and with --add of these too."""
    document: dict[str, Any] = {"machine": _machine(), "in_process": {}, "cells": []}
    if wanted.out.is_file():
        found = json.loads(wanted.out.read_text(encoding="utf-8"))
        document["in_process"] = found["in_process"]
        document["cells"] = [
            cell for cell in found["cells"] if wanted.add or cell["model"] not in wanted.model
        ]
    return document


def _write(document: dict[str, Any], path: Path) -> None:
    document["summary"] = summary(document["cells"])
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _round(
    number: int, model: str, wanted: argparse.Namespace, models: Path, scratch: Path
) -> Iterator[list[dict[str, Any]]]:
    """The cells of each server; one that does not serve is told of and left out."""
    names = [name for name in wanted.only or servers.PEERS if name != "constant" or model == "text"]
    random.Random(number).shuffle(names)
    for name in names:
        try:
            with servers.running(name, models / model, wanted.peers, scratch) as server:
                yield _cells(server, model, models / model, wanted.seconds, number)
        except (OSError, servers.DoesNotServe) as error:
            print(f"{name}, {model}, round {number}: left out: {error}", flush=True)


def _cells(
    server: servers.Server, model: str, folder: Path, seconds: int, number: int
) -> list[dict[str, Any]]:
    bodies = (folder / "held_back.jsonl").read_bytes().splitlines()
    about = {"round": number, "server": server.name, "model": model, "load": round(os.getloadavg()[0], 1)}
    if server.name != "constant":
        about["checked"] = _check(server, bodies, np.load(folder / "expected.npy"))
    cells = []
    _wrk(server.url, bodies[2], CONNECTIONS[-1], 1)  # warm
    for connections in CONNECTIONS:
        server.shares()
        found = _wrk(server.url, bodies[2], connections, seconds)
        used = server.shares()
        busiest = used[0] / sum(used[:2]) if sum(used[:2]) else 0.0
        cost = round(sum(used) / max(1, found["requests"]) * 1e6, 1)
        found |= {"cpu_us": cost, "busiest_of_two": round(busiest, 3)}
        cells.append({**about, "connections": connections, **found})
        print(json.dumps(cells[-1]), flush=True)
    opened = openloop.measure(server.url, bodies[2], RATES[model], seconds)
    cells.append({**about, "rate": RATES[model], **{key: round(value) for key, value in opened.items()}})
    cells[-1]["memory_mb"] = [round(one, 1) for one in server.memory()]
    print(json.dumps(cells[-1]), flush=True)
    return cells


def _wrk(url: str, body: bytes, connections: int, seconds: int) -> dict[str, Any]:
    script = str(Path(__file__).with_name("ask.lua"))
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", script, url]
    env = {**os.environ, "BODY": body.decode()}
    told = json.loads(
        subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
    )
    rate = round(told["requests"] / told["microseconds"] * 1e6, 1)
    return {
        "requests": told["requests"],
        "rps": rate,
        "p50": told["p50"],
        "p99": told["p99"],
        "max": told["max"],
        "failed": told["failed"],
    }


def _check(server: servers.Server, bodies: list[bytes], expected: Any) -> int:
    """Ask for held-back rows and stop the run if a label or a probability is not the original's."""
    rows = range(len(bodies)) if server.name == "penstock" else range(min(SAMPLE, len(bodies)))
    for row in rows:
        request = urllib.request.Request(server.url, bodies[row], {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as said:
            answer = json.load(said)["predictions"][0]
        found = np.array(list(answer["probabilities"].values()))
        names = list(answer["probabilities"])
        right = names[int(expected[row].argmax())] == str(answer["prediction"])
        if not right or np.abs(found - expected[row]).max() > TOLERANCE:
            raise SystemExit(f"{server.name} answers row {row} wrongly: {answer} and not {expected[row]}")
    return len(rows)


def _in_process(folder: Path) -> dict[str, float]:
    """µs for one row without any HTTP: the original and our form of it, the best of five."""
    from serving import plain  # noqa: PLC0415 - needs the repository on the path

    os.environ["SERVING_UNPICKLE"] = "true"
    model = plain.model_fn(str(folder))
    ours = plain.Plain(model)
    row = plain.input_fn((folder / "held_back.jsonl").read_text().splitlines()[2], "application/json")
    slow = plain.Plain(model)
    slow._form = None
    return {"original": _best(lambda: slow.answers(row), 50), "ours": _best(lambda: ours.answers(row), 500)}


def _best(work: Any, times: int) -> float:
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(times):
            work()
        best = min(best, (time.perf_counter() - started) / times)
    return round(best * 1e6, 1)


def summary(cells: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Medians over the rounds of each cell, and of the ratio to Flask in the same round."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for cell in cells:
        groups.setdefault((cell["model"], cell["server"], cell.get("connections", "open")), []).append(cell)
    found = []
    for (model, server, connections), group in groups.items():
        flask = {one["round"]: one for one in groups.get((model, "flask", connections), [])}
        line = {"model": model, "server": server, "connections": connections, "rounds": len(group)}
        for key in ("rps", "p50", "p99", "cpu_us"):
            if key in group[0]:
                line[key] = round(statistics.median(one[key] for one in group), 1)
                ratios = [one[key] / flask[one["round"]][key] for one in group if one["round"] in flask]
                line[f"{key}_to_flask"] = round(statistics.median(ratios), 3) if ratios else None
        line["failed"] = sum(one["failed"] for one in group)
        if "busiest_of_two" in group[0]:
            line["busiest_of_two"] = max(one["busiest_of_two"] for one in group)
        else:
            line["memory_mb"] = group[-1]["memory_mb"]
        found.append(line)
    return found


def _machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(),
        "load_1min": round(os.getloadavg()[0], 1),
        "when": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--peers", type=Path, required=True, help="virtualenvs of the other servers: web, bento, mls"
    )
    parser.add_argument("--tweets", type=Path, help="CSV with the columns text and sentiment")
    parser.add_argument("--models", type=Path, help="where the fitted models are kept")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=servers.PEERS)
    parser.add_argument("--model", nargs="*", choices=prepare.MODELS, default=prepare.MODELS)
    parser.add_argument("--add", action="store_true", help="add rounds to those that are there")
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
