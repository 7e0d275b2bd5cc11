"""Many small files dropped at once: how long a file takes and costs, how many runs, and whether all have a verdict.

    python bench/burst.py [--files 10000] [--rows 3] [--threads 8]

Needs a deployed stage `local` (`penstock up`, `penstock deploy`). Drops the files from several threads, waits until the
ledger knows them all and until the last run has ended, and prints what a file took, what each run's states took, and
what a file costs on AWS (burst_cost.py). Writes bench/results/burst.json. Ends with code 1 when there were more than
two runs, a file without a verdict, or an error.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import re
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from bench import burst_cost  # noqa: E402
from penstock import deploy  # noqa: E402
from penstock.client.api import Api, Refused  # noqa: E402
from penstock.client.stage import aim  # noqa: E402

PATIENCE_SECONDS = 7200
SAMPLE = 200
"""Files whose requests are counted."""
METRICS = ("Invocations", "Errors", "Throttles")


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
    """Ask until it is so; twenty times as long between as asking takes, so that asking is not what is measured."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        begun = time.monotonic()
        try:
            if condition():
                return
        except Refused as refused:  # a machine that is busy with the burst answers late: that is asked again
            print(refused, file=sys.stderr)
        if begun > deadline:
            sys.exit(f"gave up after {PATIENCE_SECONDS} s waiting for {what}")
        time.sleep(min(15.0, max(0.5, 20 * (time.monotonic() - begun))))


def settled(api: Api, project: str, files: int) -> bool:
    """Whether nothing runs and every file has its last verdict."""
    if any(run["state"] == "RUNNING" for run in api.runs(project)):
        return False
    counts = api.verdicts(project)
    waits = counts.get("pending", 0) + counts.get("claimed", 0)
    return sum(counts.values()) == files and not waits


def counted(function: str, metric: str, since: float) -> int:
    """The sum of a function's metric (AWS/Lambda) from the minute of `since` on: each attempt counts."""
    minute = since - since % 60
    found = boto3.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/Lambda",
        MetricName=metric,
        Dimensions=[{"Name": "FunctionName", "Value": function}],
        StartTime=minute,
        EndTime=minute + PATIENCE_SECONDS + 600,
        Period=60,
        Statistics=["Sum"],
    )
    return int(sum(point["Sum"] for point in found["Datapoints"]))


def invocations(since: float) -> dict[str, dict[str, int]]:
    """How often each function was invoked, failed, or was refused."""
    told = {name: {metric: counted(name, metric, since) for metric in METRICS} for name in functions()}
    return {name: metrics for name, metrics in told.items() if any(metrics.values())}


def functions() -> list[str]:
    """The stage's functions."""
    pages = boto3.client("lambda").get_paginator("list_functions").paginate()
    every = [str(one["FunctionName"]) for page in pages for one in page["Functions"]]
    return sorted(name for name in every if name.startswith("penstock-local"))


def lines(function: str, since: float, pattern: str) -> list[str]:
    """A function's log lines that match a pattern."""
    pages = (
        boto3.client("logs")
        .get_paginator("filter_log_events")
        .paginate(
            logGroupName=f"/aws/lambda/penstock-local-{function}",
            startTime=int(since * 1000),
            filterPattern=pattern,
        )
    )
    return [str(event["message"]) for page in pages for event in page["events"]]


def billed(function: str, since: float) -> float:
    """The median of a function's billed milliseconds, by the lines the embedded AWS has kept."""
    found = [re.search(r"Billed Duration: (\d+) ms", line) for line in lines(function, since, "REPORT")]
    return statistics.median([float(one[1]) for one in found if one] or [0.0])


def states(stage: deploy.Deployed, run: dict[str, Any]) -> dict[str, float]:
    """Seconds in each state of a run, a state entered more than once summed up."""
    name = f"{run['run']}-{run['attempt']}"
    arn = f"{stage.machine_arn.replace(':stateMachine:', ':execution:')}:{name}"
    history = boto3.client("stepfunctions").get_execution_history(executionArn=arn, maxResults=1000)
    spent: dict[str, float] = {}
    entered = 0.0
    for event in history["events"]:
        if "stateEnteredEventDetails" in event:
            entered = event["timestamp"].timestamp()
        if "stateExitedEventDetails" in event:
            state = event["stateExitedEventDetails"]["name"]
            spent[state] = spent.get(state, 0.0) + event["timestamp"].timestamp() - entered
    return {state: round(seconds, 2) for state, seconds in spent.items() if seconds >= 0.05}


def cost(since: float, sample: int) -> dict[str, Any]:
    """What a file costs on AWS, by the requests the product's own code makes for a sample."""
    found = burst_cost.count("local", spec(f"burst-cost-{int(since) % 10**6}"), sample)
    lambdas = json.loads((ROOT / ".chalice" / "config.json").read_text())["stages"]["local"]
    memory = lambdas["lambda_functions"]["ingest"]["lambda_memory_size"]
    milliseconds = billed("ingest", since)
    return {
        "sample": sample,
        "requests_and_units_a_file": found,
        "ingest_billed_ms_here": milliseconds,
        "usd_for_a_million_files": burst_cost.price(found, milliseconds, memory),
        "prices": "us-east-1 list prices of 2026-06, no free tier: bench/burst_cost.py",
    }


def measure(files: int, rows: int, threads: int, stage: deploy.Deployed) -> dict[str, Any]:
    """One burst, from the first file to the end of the last run."""
    api, begun, since = Api(stage.api_url), time.monotonic(), time.time()
    project = f"burst-{int(since) % 10**9}"
    api.put(f"/projects/{project}", spec(project))
    dropped = drop(stage, project, files, rows, threads)
    until(lambda: sum(api.verdicts(project).values()) == files, "the ledger")
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
            {
                "run": one["run"],
                "state": one["state"],
                "objects": one["summary"].get("objects"),
                "seconds": states(stage, one),
            }
            for one in reversed(runs)
        ],
        "verdicts": api.verdicts(project),
        "functions": invocations(since),
        "cost": cost(since, min(files, SAMPLE)),
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
    failed = sum(told["Errors"] + told["Throttles"] for told in found["functions"].values())
    sound = found["verdicts"] == {"prepared": asked.files} and not failed
    return 0 if sound and len(found["runs"]) <= 2 else 1


if __name__ == "__main__":
    sys.exit(main())
