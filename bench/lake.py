"""Prepare against the same steps in pandas, on one machine: seconds and peak memory, from 0.1 to 10 million rows.

    python bench/lake.py [--rows 100000 1000000 10000000] [--rounds 3] [--what …] [--spark path/to/python] …

Each round runs Prepare (DuckDB), and bench/lake_pandas.py with text as Python objects (pandas 2's own way) and in
Arrow (pandas 3's), on the same CSV of 103 bytes a row, each in a process of its own; with --spark, a Python that has
PySpark, Prepare on local Spark too. Prepare reads from S3 and writes to it, an embedded AWS on the same cores; pandas
has the file on the disk. What they say of the columns must agree. Writes bench/results/lake.json, which
bench/lake_page.py shows.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.csv as pc

from penstock.localaws import control

ROOT = Path(__file__).parents[1]
BUCKET = "penstock-bench-000000000000-us-east-1"
BLOCK = 500_000  # rows made at once
WHATS = ["prepare", "pandas", "pandas_arrow", "spark"]
SPEC = {
    "project": "accounts",
    "task": "classification",
    "columns": {
        "id": "id",
        "amount": "number",
        "balance": {"type": "number"},
        "age": {"type": "number", "null_values": ["unknown"]},
        "country": "category",
        "channel": "category",
        "opened": {"type": "date", "format": "%Y-%m-%d"},
        "note": "category",
        "verdict": "label",
    },
    "labels": ["bad", "good"],
}


def make(path: Path, rows: int) -> None:
    """A CSV of so many rows; the same for the same number. Some cells are empty, one in 5,000 is wrong."""
    path.unlink(missing_ok=True)
    with path.open("wb") as out:
        for start in range(0, rows, BLOCK):
            block = _block(start, min(BLOCK, rows - start))
            pc.write_csv(block, out, pc.WriteOptions(include_header=start == 0, quoting_style="needed"))


def _block(start: int, count: int) -> pa.Table:
    dice = np.random.default_rng(start)
    amount = dice.lognormal(4, 1, count).round(2)
    balance = dice.normal(1000, 400, count).round(2).astype(str)
    balance[dice.random(count) < 0.02] = ""
    balance[dice.random(count) < 0.0002] = "n.a. yet"
    age = dice.integers(18, 90, count).astype(str)
    age[dice.random(count) < 0.05] = "unknown"
    days = np.datetime64("2015-01-01") + dice.integers(0, 4000, count)
    words = np.array(
        [
            "paid in part, rest due",
            "called twice, no answer",
            "regular customer since",
            "moved to a new address",
            "see the paper file",
        ]
    )
    note = np.char.add(np.char.add(dice.choice(words, count), " "), dice.integers(0, 5000, count).astype(str))
    good = dice.random(count) < 1 / (1 + np.exp((amount - 80) / 60))
    return pa.table(
        {
            "id": np.char.add("account-", np.char.zfill(np.arange(start, start + count).astype(str), 9)),
            "amount": amount,
            "balance": balance,
            "age": age,
            "country": dice.choice(np.array(["at", "be", "ch", "de", "es", "fr", "it", "nl"]), count),
            "channel": dice.choice(np.array(["branch", "online", "phone", "partner"]), count),
            "opened": days.astype(str),
            "note": note,
            "verdict": np.where(good, "good", "bad"),
        }
    )


class Bench:
    """One embedded AWS and the files dropped there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {
            **os.environ,
            "AWS_ENDPOINT_URL": control.up(root).endpoint_url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        self.s3 = boto3.client(
            "s3",
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        self.s3.create_bucket(Bucket=BUCKET)

    def drop(self, path: Path) -> dict[str, Any]:
        """The file as an object, and what a run is told of it."""
        key = f"drop/accounts/{path.name}"
        self.s3.upload_file(str(path), BUCKET, key)
        head = self.s3.head_object(Bucket=BUCKET, Key=key)
        etag, size = head["ETag"].strip('"'), head["ContentLength"]
        return {"bucket": BUCKET, "key": key, "etag": etag, "sequencer": "1", "size": size}

    def prepare(self, dropped: dict[str, Any], name: str, *extra: str, python: str) -> dict[str, Any]:
        """One run of the job."""
        root = f"s3://{BUCKET}"
        documents = {"objects": {"objects": [dropped]}, "project": SPEC}
        for what, document in documents.items():
            self.s3.put_object(
                Bucket=BUCKET, Key=f"runs/{name}/{what}.json", Body=json.dumps(document).encode()
            )
        arguments = {
            "bucket": BUCKET, "project": "accounts", "run": name, "version": "1",
            "objects_uri": f"{root}/runs/{name}/objects.json", "spec_uri": f"{root}/runs/{name}/project.json",
            "result_uri": f"{root}/runs/{name}/prepare.json", "lake_uri": f"{root}/lake/{name}/",
        }  # fmt: skip
        words = [word for key, value in arguments.items() for word in (f"--{key}", value)]
        found = timed([python, str(ROOT / "training" / "prepare.py"), *words, *extra], self.environment)
        said = [json.loads(line) for line in found.pop("stdout").splitlines() if line.startswith("{")]
        found["phases"] = _phases(said)
        found["rows"] = {
            name: value for name, value in said[-2].items() if isinstance(value, int) and name != "version"
        }
        found["profile"] = told(self._json(f"lake/{name}/prepared/version=000001/profile.json"))
        return found

    def _json(self, key: str) -> Any:
        return json.loads(self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())


def told(profile: dict[str, Any]) -> dict[str, Any]:
    """Of a profile what agrees whoever makes it: quantiles and distinct values are estimates above a million rows."""
    columns = {}
    for column in profile["columns"]:
        same = {name: column[name] for name in ("nulls", "min", "max", "mean", "longest") if name in column}
        top = column.get("top")
        columns[column["name"]] = {**same, "most": top[0]["rows"] if top else None}
    return {"rows": profile["rows"], "columns": columns}


def _phases(lines: list[dict[str, Any]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for line in lines:
        if "seconds" in line:
            found[line["phase"]] = round(found.get(line["phase"], 0) + line["seconds"], 2)
    return found


def timed(command: list[str], environment: dict[str, str]) -> dict[str, Any]:
    """Run a process to its end: wall and processor seconds, peak memory in MB of it and its largest child."""
    probe = (
        "import json, resource, subprocess, sys, time; t = time.monotonic(); "
        "done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, text=True); "
        "r = resource.getrusage(resource.RUSAGE_CHILDREN); "
        "print(json.dumps({'code': done.returncode, 'stdout': done.stdout, 'seconds': time.monotonic() - t, "
        "'cpu_seconds': r.ru_utime + r.ru_stime, 'peak_mb': r.ru_maxrss >> 10}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe, *command], env=environment, capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    if found.pop("code"):
        sys.exit(f"{command[1]} failed: {done.stderr[-2000:]}")
    return {**found, "seconds": round(found["seconds"], 2), "cpu_seconds": round(found["cpu_seconds"], 2)}


def pandas(bench: Bench, path: Path, backend: str) -> dict[str, Any]:
    """One run of the same steps in pandas, whose text is kept as `backend` says."""
    out = bench.root / "pandas"
    found = timed(
        [sys.executable, str(ROOT / "bench" / "lake_pandas.py"), str(path), str(out), backend],
        bench.environment,
    )
    found |= json.loads(found.pop("stdout"))
    return {**found, "profile": told(json.loads((out / "profile.json").read_text()))}


def measure(bench: Bench, rows: int, whats: list[str], asked: argparse.Namespace) -> dict[str, Any]:
    """Rounds of each, one after the other."""
    path = (asked.data or bench.root) / f"rows-{rows}.csv"
    if not path.exists():
        make(path, rows)
    dropped = bench.drop(path)
    found: dict[str, list[dict[str, Any]]] = {what: [] for what in whats}
    for number in range(asked.rounds):
        for what in whats:
            name, memory = f"{what}-{rows}-{number}-{time.time_ns()}", ("--memory", asked.memory)
            if what.startswith("pandas"):
                one = pandas(bench, path, "pyarrow" if what == "pandas_arrow" else "numpy")
            elif what == "spark":
                one = bench.prepare(dropped, name, "--engine", "spark", python=asked.spark)
            else:
                one = bench.prepare(dropped, name, *memory, python=sys.executable)
            agree(*(runs[0]["profile"] for runs in found.values() if runs), one["profile"])
            found[what].append(one)
            print(f"{rows:>10,} rows  {what:12} {one['seconds']:7.2f} s {one['peak_mb']:6,} MB", flush=True)
    size = path.stat().st_size
    if not asked.data:
        path.unlink()
    return {
        "rows": rows,
        "megabytes": round(size / 1e6),
        **{what: _middle(runs) for what, runs in found.items()},
    }


def agree(first: dict[str, Any], *others: dict[str, Any]) -> None:
    """Whether they found the same rows, and of each column the same missing values, extremes, mean and favourite."""
    for other in others:
        assert first["rows"] == other["rows"], (first["rows"], other["rows"])
        for name, column in first["columns"].items():
            for figure, value in column.items():
                theirs = other["columns"][name][figure]
                close = isinstance(value, float) and math.isclose(value, theirs, rel_tol=1e-9)
                assert value == theirs or close, f"{name}: {figure} is {value} and {theirs}"


def _middle(found: list[dict[str, Any]]) -> dict[str, Any]:
    chosen = sorted(found, key=lambda one: one["seconds"])[(len(found) - 1) // 2]
    kept = {name: value for name, value in chosen.items() if name not in {"stdout", "profile"}}
    kept["peak_mb"] = max(one["peak_mb"] for one in found)
    kept["all_seconds"] = [one["seconds"] for one in found]
    return {**kept, "seconds": statistics.median(kept["all_seconds"])}


def keep(out: Path, measured: dict[str, Any], memory: str) -> None:
    """Put what was measured beside what was measured of other sizes, or by other means."""
    known = json.loads(out.read_text(encoding="utf-8")) if out.is_file() else {}
    sizes = {one["rows"]: one for one in known.get("sizes", ())}
    sizes[measured["rows"]] = {**sizes.get(measured["rows"], {}), **measured}
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
    document = {"machine": machine, "memory": memory, "sizes": [sizes[rows] for rows in sorted(sizes)]}
    out.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Measure, print, keep the numbers with the machine they were measured on."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--what", nargs="+", choices=WHATS, default=WHATS[:3])
    parser.add_argument(
        "--data", type=Path, help="a folder in which the files are kept, to be measured again"
    )
    parser.add_argument("--memory", default="1GB", help="of Prepare, as its own argument")
    parser.add_argument("--spark", help="a Python with PySpark 3.5, Ibis and boto3")
    asked = parser.parse_args()
    whats = [*asked.what, *(["spark"] if asked.spark and "spark" not in asked.what else [])]
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as directory:
        bench = Bench(Path(directory))
        try:
            for rows in asked.rows:
                keep(
                    ROOT / "bench" / "results" / "lake.json", measure(bench, rows, whats, asked), asked.memory
                )
        finally:
            control.down(bench.root)


if __name__ == "__main__":
    main()
