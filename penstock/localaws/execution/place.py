"""Where a local service lives: its directory, the embedded AWS it speaks to, and the interpreter its jobs run with."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Place:
    """Settings of the SageMaker plane and the Glue runner.

    `root` holds everything they keep on disk; `endpoint_url` is the embedded AWS itself (S3, Logs, EventBridge);
    `python` runs the jobs; `serving_root` is a directory from which `python -m serving` can be started.
    """

    root: Path
    endpoint_url: str
    region: str
    account: str
    python: str
    serving_root: Path
