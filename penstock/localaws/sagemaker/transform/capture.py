"""Data capture of a batch transform: not the data again, but manifests of the inputs and of their outputs.

    <DestinationS3Uri>/input/yyyy/mm/dd/hh/<job>.jsonl     [{"prefix": "s3://…/"}, "a.csv", …]
    <DestinationS3Uri>/output/yyyy/mm/dd/hh/<job>.jsonl    [{"prefix": "s3://…/"}, "a.csv.out", …]

The hour is that of the job's start. AWS does not say what its files are called; ours have the job's name.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from penstock.localaws.sagemaker.jobs import transfers
from penstock.localaws.sagemaker.names import moment
from penstock.localaws.sagemaker.transform.inputs import Input


def store(s3: Any, destination: str, job: str, started: float, done: Sequence[Input], scratch: Path) -> None:
    """Write both manifests of a job that started at `started` (epoch seconds); JobFault when S3 refuses."""
    hour = moment(started).strftime("%Y/%m/%d/%H")
    pairs = {"input": [(one.uri, one.name) for one in done]}
    pairs["output"] = [(one.output, f"{one.name}.out") for one in done]
    for side, found in pairs.items():
        address, name = found[0]
        manifest = [{"prefix": address.removesuffix(name)}, *sorted(name for _, name in found)]
        path = scratch / f"{side}.jsonl"
        path.write_text(json.dumps(manifest), encoding="utf-8")
        transfers.upload_file(s3, path, f"{destination.rstrip('/')}/{side}/{hour}/{job}.jsonl")


def stamp(started: float) -> str:
    """The start as GenerateInferenceId writes it into every record."""
    return moment(started).strftime("%Y-%m-%dT%H:%M:%SZ")
