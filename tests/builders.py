"""Values for tests with every default filled in: a test names only what it is about."""

from __future__ import annotations

import itertools
from typing import Any

from chalicelib.domain.ledger import PENDING, ObjectRecord, record_of
from chalicelib.domain.upload import Upload
from chalicelib.settings import Settings

BUCKET = "penstock-test-000000000000-us-east-1"
AT = "2026-11-01T12:00:00+00:00"
_sequence = itertools.count(0x0066A0000000)


def settings(**changes: Any) -> Settings:
    """A stage called test."""
    account = "000000000000"
    document = {
        "stage": "test",
        "bucket": BUCKET,
        "table": "penstock-test-ledger",
        "machine_arn": f"arn:aws:states:us-east-1:{account}:stateMachine:penstock-test-pipeline",
        "topic_arn": f"arn:aws:sns:us-east-1:{account}:penstock-test-notices",
        "glue_job": "penstock-test-prepare",
        "glue_database": "penstock_test",
        "jobs_role_arn": f"arn:aws:iam::{account}:role/penstock-test-jobs",
        "schedule_role_arn": f"arn:aws:iam::{account}:role/penstock-test-schedule",
        "recur_function_arn": f"arn:aws:lambda:us-east-1:{account}:function:penstock-test-recur",
        "code_prefix": "code/" + "ab" * 32,
        "images": {"sklearn": "sklearn:1.9-0", "xgboost": "xgboost:3.2-0", "pytorch": "pytorch:2.6.0"},
        "instance_type": "ml.m5.large",
    }
    return Settings.from_document({**document, **changes}, where="test")


def a_spec(**changes: Any) -> dict[str, Any]:
    """A small classification."""
    columns = {"age": "number", "plan": "category", "churned": "label"}
    return {"project": "churn", "task": "classification", "columns": columns, **changes}


def an_upload(**changes: Any) -> Upload:
    """A file dropped into project churn; each is newer than the one before."""
    given = {
        "kind": "created",
        "bucket": BUCKET,
        "key": "drop/churn/rows.csv",
        "version_id": None,
        "etag": "e1",
        "sequencer": f"{next(_sequence):018X}",
        "size": 100,
        "at": AT,
    }
    return Upload(**{**given, **changes})


def a_record(
    *, verdict: str = PENDING, project: str = "churn", reason: str | None = None, **changes: Any
) -> ObjectRecord:
    """The ledger's record of an upload."""
    return record_of(an_upload(**changes), project, verdict=verdict, reason=reason)


def an_s3_event(*, key: str = "drop/churn/rows.csv", deleted: bool = False, **thing: Any) -> dict[str, Any]:
    """The event as EventBridge delivers it."""
    described = {"key": key, "size": 100, "etag": "e1", "sequencer": f"{next(_sequence):018X}", **thing}
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": "Object Deleted" if deleted else "Object Created",
        "source": "aws.s3",
        "account": "000000000000",
        "time": AT,
        "region": "us-east-1",
        "resources": [f"arn:aws:s3:::{BUCKET}"],
        "detail": {"version": "0", "bucket": {"name": BUCKET}, "object": described, "reason": "PutObject"},
    }


def a_scorecard(**changes: Any) -> dict[str, Any]:
    """A model that beats its baseline."""
    return {
        "project": "churn",
        "run": "churn-0001-t4k2p9",
        "metrics": {"accuracy": 0.91, "macro_f1": 0.9, "auc": 0.95, "log_loss": 0.3},
        "baseline": {
            "name": "majority class",
            "metrics": {"accuracy": 0.6, "macro_f1": 0.4, "log_loss": 0.7},
        },
        "champion": None,
        **changes,
    }


def prepared(project: str, run: str, objects: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """What Prepare writes when it takes every upload it was given."""
    words = [
        {
            "key": one["key"],
            "etag": one["etag"],
            "verdict": "prepared",
            "reason": None,
            "rows": {"good": 40, "refused": 0, "unlabelled": 0},
        }
        for one in objects
    ]
    rows = {"train": 28, "validation": 4, "test": 8, "unlabelled": 0, "quarantined": 0}
    document = {"project": project, "run": run, "version": 1, "outcome": "prepared", "reason": None}
    return {
        **document,
        "objects": words,
        "rows": rows,
        "dataset_uri": None,
        "quarantine_uri": None,
        **changes,
    }
