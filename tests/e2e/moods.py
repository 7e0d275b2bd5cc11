"""Sentences that say a mood, the project that tells it, and what its tests ask of the front door."""

from __future__ import annotations

import csv
import io
import random
from typing import Any

from tests.e2e.stage import Answer, Stage

PROJECT = "moods"
GOOD = ("great", "love", "excellent", "wonderful", "happy", "best")
BAD = ("bad", "hate", "awful", "terrible", "sad", "worst")
FILLING = ("service", "really", "day", "experience", "it", "was", "this", "that")


def moods(count: int, seed: int = 7) -> list[tuple[str, str]]:
    """Sentences of filling words, names so that no two sentences are nearly the same, and two that say the mood."""
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        words, label = ((GOOD, "Positive"), (BAD, "Negative"))[number % 2]
        names = [f"guest{draw.randrange(500)}" for _ in range(5)]
        said = [*draw.choices(FILLING, k=4), *names, *draw.choices(words, k=2)]
        draw.shuffle(said)
        rows.append((" ".join(said), label))
    return rows


def spec(project: str) -> dict[str, Any]:
    """A small text classification whose requests are all captured."""
    return {
        "project": project,
        "task": "classification",
        "columns": {"body": "text", "mood": "label"},
        "learner": {"name": "text_forest", "hyperparameters": {"n_estimators": 20}},
        "gate": {"beat_champion": False},
        "watch": {"capture_percent": 100},
    }


def as_csv(rows: list[tuple[str, str]]) -> bytes:
    out = io.StringIO()
    write = csv.writer(out)
    write.writerow(["body", "mood"])
    write.writerows(rows)
    return out.getvalue().encode()


def problem(answer: Answer, status: int) -> dict[str, Any]:
    assert answer.status == status, (answer.status, answer.body)
    assert answer.headers["content-type"].startswith("application/problem+json"), answer.headers
    found: dict[str, Any] = answer.document
    return found


def model_in(stage: Stage) -> str:
    return str(stage.get(f"/projects/{PROJECT}/endpoint")["released"])


def captured(stage: Stage, variant: str = "") -> str:
    """Everything captured of the endpoint, or of one variant."""
    s3, bucket = stage.client("s3"), stage.deployed.bucket
    prefix = f"capture/penstock-local-{PROJECT}/{variant}"
    found = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
    return "".join(s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read().decode() for one in found)
