"""Ten minutes at a steady pace on the embedded AWS, with a model release in the middle: what failed, and the memory.

    penstock up; penstock deploy        # and a project whose model reads texts
    python bench/soak.py --project NAME --drop more-rows.csv [--run-time 10m]

Runs the profile `soak` of loadtest/. Half way through it drops the file, which becomes a run, a model and an update of
the endpoint while requests go on. Every ten seconds it notes the resident memory of the embedded AWS, of the functions'
processes and of the model servers. Writes bench/results/soak.json; the exit code is 1 if a request failed, the budget
was broken or no other model was released.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import boto3
import psutil
from front_door_load import ROLES, ROOT, _machine, _server, read, role_of

from penstock import deploy
from penstock.client.api import Api, of
from penstock.client.load import Load, profile_of
from penstock.client.stage import aim

RESULTS = ROOT / "bench/results/soak.json"
LOOK_SECONDS = 10.0
EDGE = 12  # looks, of two minutes, that beginning and end are compared by


def main() -> int:
    """Run, note, write; return the exit code."""
    wanted = _arguments()
    aim("local", ROOT)
    stage = deploy.locate("local", ROOT)
    api = Api(stage.api_url)
    began_with = model_of(api, wanted.project)
    with tempfile.TemporaryDirectory() as folder:
        profile, more = profile_of(ROOT, "soak"), ("--run-time", wanted.run_time)
        load = Load(stage.api_url, f"{of(wanted.project)}/predict", profile, Path(folder), None, more)
        ended: list[tuple[int, Path]] = []
        running = threading.Thread(target=lambda: ended.append(load.run("soak")))
        running.start()
        looks = watch(running, seconds_of(wanted.run_time) / 2, lambda: drop(stage.bucket, wanted))
        running.join()
        code, report = ended[0]
        run = asdict(read("soak", report, load.users))
    released = model_of(api, wanted.project)
    document = {
        "machine": _machine(), "run": run, "kept": code == 0, "models": [began_with, released],
        "memory_mb": looks, "growth_mb": growth(looks),
    }  # fmt: skip
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({name: document[name] for name in ("run", "kept", "models", "growth_mb")}, indent=1))
    return 0 if code == 0 and began_with != released else 1


def watch(running: threading.Thread, half: float, at_half: Any) -> list[dict[str, float]]:
    """Look at the memory until the run has ended; do `at_half` once, when half its time is over."""
    looks, started, done = [], time.monotonic(), False
    while running.is_alive():
        now = time.monotonic() - started
        looks.append({"second": round(now), **memory()})
        if now >= half and not done:
            at_half()
            done = True
        running.join(LOOK_SECONDS)
    return looks


def memory() -> dict[str, float]:
    """Resident MB by role, and how many processes the functions have."""
    found, processes = dict.fromkeys(ROLES[:-1], 0.0), 0
    server = _server()
    for one in (server, *server.children(recursive=True)):
        try:
            role = role_of(one)
            found["embedded AWS" if one == server else role] += (
                one.memory_info().rss / 1e6 if one == server or role != "embedded AWS" else 0.0
            )
            processes += role == "function"
        except psutil.NoSuchProcess:
            continue
    return {**{role: round(each, 1) for role, each in found.items()}, "function processes": processes}


def growth(looks: list[dict[str, float]]) -> dict[str, float]:
    """MB from the third and fourth minute to the last two, by role: medians of each."""
    first, last = looks[EDGE : 2 * EDGE] or looks[:1], looks[-EDGE:]
    return {
        role: round(statistics.median(one[role] for one in last) - statistics.median(one[role] for one in first), 1)
        for role in ROLES[:-1]
    }  # fmt: skip


def drop(bucket: str, wanted: argparse.Namespace) -> None:
    """More rows: a run, and a model of its own."""
    key = f"drop/{wanted.project}/{wanted.drop.name}"
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=wanted.drop.read_bytes())


def model_of(api: Api, project: str) -> str:
    """The configuration the endpoint answers with: each release has its own."""
    return str(api.get(f"{of(project)}/endpoint")["config"])


def seconds_of(text: str) -> int:
    """Of Locust's `90s` or `10m`."""
    return int(text[:-1]) * {"s": 1, "m": 60}[text[-1]]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--project", required=True)
    parser.add_argument("--drop", type=Path, required=True, help="rows that become the second model")
    parser.add_argument("--run-time", default="10m")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
