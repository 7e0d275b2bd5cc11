"""How long a run takes beyond its jobs' own compute, on this machine, several rounds.

    python bench/pipeline.py [--rounds 5]

Needs a deployed stage `local` (`penstock up`, `penstock deploy`). Drops scikit-learn's breast-cancer set anew each
round, waits for the run, and reads the times from AWS's own records: the execution, the Glue job run, the training
job's and the processing job's transitions. Overhead = from the upload to the end of the execution, minus the time the
three jobs' processes ran. Writes bench/results/pipeline.json and prints a table.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import platform
import statistics
import time
from pathlib import Path
from typing import Any

import boto3
import urllib3
from sklearn.datasets import load_breast_cancer

from penstock import deploy
from penstock.client.stage import aim

ROOT = Path(__file__).parents[1]
PROJECT = "bench-pipeline"
GOAL_SECONDS = 5.0


def rows(round_number: int) -> bytes:
    """The set as CSV, one row fewer each round, so that no two uploads are the same."""
    found = load_breast_cancer()
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*(name.replace(" ", "_") for name in found.feature_names), "diagnosis"])
    for values, target in list(zip(found.data, found.target, strict=True))[round_number:]:
        writer.writerow([*values, found.target_names[target]])
    return out.getvalue().encode()


def spec() -> dict[str, Any]:
    """All numbers, one label; a gate that any honest model passes, so that every round releases."""
    columns = {name.replace(" ", "_"): "number" for name in load_breast_cancer().feature_names}
    gate = {"metric": "macro_f1", "at_least": 0.5, "beat_champion": False}
    return {
        "project": PROJECT,
        "task": "classification",
        "columns": columns | {"diagnosis": "label"},
        "gate": gate,
    }


def seconds(start: Any, end: Any) -> float:
    """Between two timestamps of AWS."""
    return float((end - start).total_seconds())


def job_seconds(document: dict[str, Any]) -> dict[str, float]:
    """How long each job's own process ran."""
    sagemaker, glue = boto3.client("sagemaker"), boto3.client("glue")
    run = glue.get_job_run(JobName="penstock-local-prepare", RunId=document["prepare"]["job_run_id"])[
        "JobRun"
    ]
    train = sagemaker.describe_training_job(TrainingJobName=document["train"]["job"])
    fit = next(t for t in train["SecondaryStatusTransitions"] if t["Status"] == "Training")
    judge = sagemaker.describe_processing_job(ProcessingJobName=document["evaluate"]["job"])
    return {
        "prepare": seconds(run["StartedOn"], run["CompletedOn"]),
        "train": seconds(fit["StartTime"], fit["EndTime"]),
        "evaluate": seconds(judge["ProcessingStartTime"], judge["ProcessingEndTime"]),
    }


def one_round(number: int, stage: deploy.Deployed) -> dict[str, float]:
    """Drop, wait, account for every second."""
    machine, s3 = boto3.client("stepfunctions"), boto3.client("s3")
    known = {
        e["executionArn"] for e in machine.list_executions(stateMachineArn=stage.machine_arn)["executions"]
    }
    dropped = time.time()
    s3.put_object(Bucket=stage.bucket, Key=f"drop/{PROJECT}/rows.csv", Body=rows(number))
    while True:
        found = machine.list_executions(stateMachineArn=stage.machine_arn)["executions"]
        ours = [e for e in found if e["executionArn"] not in known and e["name"].startswith(PROJECT)]
        if ours and ours[0]["status"] != "RUNNING":
            break
        time.sleep(0.05)
    ended = machine.describe_execution(executionArn=ours[0]["executionArn"])
    if ended["status"] != "SUCCEEDED":
        raise SystemExit(f"round {number} ended {ended['status']}: {ended.get('cause')}")
    jobs = job_seconds(json.loads(ended["output"]))
    wall = ended["stopDate"].timestamp() - dropped
    return jobs | {"jobs": sum(jobs.values()), "wall": wall, "overhead": wall - sum(jobs.values())}


def main() -> None:
    """Run the rounds, print the table, keep the numbers with the machine they were measured on."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    count = parser.parse_args().rounds
    aim("local", ROOT)
    stage = deploy.locate("local", ROOT)
    answer = urllib3.request(
        "PUT",
        f"{stage.api_url}/projects/{PROJECT}",
        json=spec(),
        headers={"content-type": "application/json"},
    )
    if answer.status >= 300:
        raise SystemExit(answer.data.decode())
    measured = [one_round(number, stage) for number in range(count)]
    names = list(measured[0])
    print(f"{'':>10}{'min':>8}{'median':>8}{'max':>8}   seconds, {count} rounds")
    for name in names:
        values = [m[name] for m in measured]
        print(f"{name:>10}{min(values):8.2f}{statistics.median(values):8.2f}{max(values):8.2f}")
    median = statistics.median(m["overhead"] for m in measured)
    print(f"overhead: median {median:.2f} s, goal {GOAL_SECONDS:.0f} s")
    result = {
        "machine": {
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "system": platform.platform(),
        },
        "goal_overhead_seconds": GOAL_SECONDS,
        "rounds": measured,
    }
    out = ROOT / "bench" / "results" / "pipeline.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
