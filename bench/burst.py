"""Many small files dropped at once: how long a file takes and costs, how many runs, and whether all have a verdict.

    python bench/burst.py [--files 10000] [--rows 3] [--threads 8]

Needs a deployed stage `local` (`penstock up`, `penstock deploy`). Drops the files from several threads, waits until the
ledger knows them all and until the last run has ended, and prints what each stage took a file. Writes
bench/results/burst.json. Ends with code 1 when there were more than two runs, a file without a verdict, or an error.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3

from penstock import deploy
from penstock.client.api import Api
from penstock.client.stage import aim

ROOT = Path(__file__).parents[1]
PATIENCE_SECONDS = 7200
FUNCTIONS = ("ingest", "claim", "report")


def spec(project: str) -> dict[str, Any]:
    """Two numbers and a label that follows from them; a gate that any honest model passes."""
    columns = {"x": "number", "y": "number", "side": "label"}
    gate = {"metric": "macro_f1", "at_least": 0.5, "beat_champion": False}
    return {"project": project, "task": "classification", "columns": columns, "gate": gate}


def content(number: int, rows: int) -> bytes:
    """One small file; the same for the same number."""
    dice = random.Random(number)
    points = [(dice.uniform(-1, 1), dice.uniform(-1, 1)) for _ in range(rows)]
    lines = [f"{x:.6f},{y:.6f},{'above' if y > x else 'below'}" for x, y in points]
    return "\n".join(["x,y,side", *lines, ""]).encode()


def drop(stage: deploy.Deployed, project: str, files: int, rows: int, threads: int) -> float:
    """Put all files; seconds it took."""
    s3 = boto3.client("s3")

    def put(number: int) -> None:
        key = f"drop/{project}/{number % 100:02d}/part-{number:06d}.csv"
        s3.put_object(Bucket=stage.bucket, Key=key, Body=content(number, rows))

    begun = time.monotonic()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(put, range(files)))
    return time.monotonic() - begun


def until(condition: Callable[[], bool], what: str) -> None:
    """Ask twice a second until it is so."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            sys.exit(f"gave up after {PATIENCE_SECONDS} s waiting for {what}")
        time.sleep(0.5)


def verdicts(api: Api, project: str) -> dict[str, int]:
    """How many files have each verdict."""
    found: dict[str, int] = api.get(f"/projects/{project}/objects?limit=1")["verdicts"]
    return found


def settled(api: Api, project: str, files: int) -> bool:
    """Whether every file has its last verdict and nothing runs."""
    counts = verdicts(api, project)
    waits = counts.get("pending", 0) + counts.get("claimed", 0)
    going = any(run["state"] == "RUNNING" for run in api.runs(project))
    return sum(counts.values()) == files and not waits and not going


def failures(since: float) -> int:
    """Lines of the functions' logs that tell of an error."""
    logs, found = boto3.client("logs"), 0
    for name in FUNCTIONS:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/penstock-local-{name}",
            startTime=int(since * 1000),
            filterPattern="?ERROR ?Traceback ?timed",
        )
        found += sum(len(page["events"]) for page in pages)
    return found


def measure(files: int, rows: int, threads: int, stage: deploy.Deployed) -> dict[str, Any]:
    """One burst, from the first file to the end of the last run."""
    api, begun, since = Api(stage.api_url), time.monotonic(), time.time()
    project = f"burst-{int(since) % 10**9}"
    api.put(f"/projects/{project}", spec(project))
    dropped = drop(stage, project, files, rows, threads)
    until(lambda: sum(verdicts(api, project).values()) == files, "the ledger")
    entered = time.monotonic() - begun
    until(lambda: settled(api, project, files), "the runs")
    runs = api.runs(project)
    return {
        "files": files,
        "rows_a_file": rows,
        "seconds": {
            "dropped": round(dropped, 2),
            "all_entered": round(entered, 2),
            "all_prepared": round(time.monotonic() - begun, 2),
        },
        "milliseconds_a_file": {
            "dropped": round(dropped / files * 1000, 2),
            "entered": round(entered / files * 1000, 2),
            "prepared": round((time.monotonic() - begun) / files * 1000, 2),
        },
        "runs": [
            {"run": one["run"], "state": one["state"], "objects": one["summary"].get("objects")}
            for one in runs
        ],
        "verdicts": verdicts(api, project),
        "log_lines_with_errors": failures(since),
    }


def main() -> int:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=3)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--root", type=Path, default=ROOT, help="the checkout whose stage local is asked")
    asked = parser.parse_args()
    aim("local", asked.root)
    found = measure(asked.files, asked.rows, asked.threads, deploy.locate("local", asked.root))
    found["machine"] = {"cpus": os.cpu_count(), "python": platform.python_version()}
    print(json.dumps(found, indent=2))
    target = ROOT / "bench" / "results" / "burst.json"
    target.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    sound = found["verdicts"] == {"prepared": asked.files} and not found["log_lines_with_errors"]
    return 0 if sound and len(found["runs"]) <= 2 else 1


if __name__ == "__main__":
    sys.exit(main())
