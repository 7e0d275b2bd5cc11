"""Workshop 000, sessions 3 to 5: its tables in Athena, by its own statements, through a plain boto3 client."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.workshops.conftest import Account

FORMAT = r"""ROW FORMAT SERDE
  'org.apache.hadoop.hive.serde2.OpenCSVSerde'
WITH SERDEPROPERTIES (
  'escapeChar'='\\',
  'quoteChar'='\"',
  'separatorChar'='\t')
STORED AS INPUTFORMAT
  'org.apache.hadoop.mapred.TextInputFormat'
OUTPUTFORMAT
  'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
LOCATION
  's3://sagemaker-workshop/PLACE'
TBLPROPERTIES (
  'has_encrypted_data'='false'HEADER)"""
HEADER = ",\n  'skip.header.line.count'='1'"


def ask(account: Account, sql: str, database: str = "default") -> list[list[str | None]]:
    """The rows below the header; results go to `athena_log/`, as the workshop has it."""
    athena = account.client("athena")
    run = athena.start_query_execution(
        QueryString=sql,
        QueryExecutionContext={"Database": database},
        ResultConfiguration={"OutputLocation": f"s3://{account.bucket}/athena_log/"},
    )["QueryExecutionId"]
    while (found := athena.get_query_execution(QueryExecutionId=run)["QueryExecution"])["Status"]["State"] in (
        "QUEUED", "RUNNING",
    ):  # fmt: skip
        time.sleep(0.05)  # between two looks
    assert found["Status"]["State"] == "SUCCEEDED", found["Status"]
    pages = athena.get_paginator("get_query_results").paginate(QueryExecutionId=run)
    rows = [
        [c.get("VarCharValue") for c in row["Data"]] for page in pages for row in page["ResultSet"]["Rows"]
    ]
    return rows[1:] if found["StatementType"] == "DML" else rows


def make_table(account: Account, name: str, columns: str, file: Path, header: bool) -> None:
    """Upload a file and lay the workshop's table over its folder."""
    place = f"labeling_data_component/{name}"
    account.client("s3").upload_file(str(file), account.bucket, f"{place}/{file.name}")
    typed = ", ".join(f"`{column}` string" for column in columns.split())
    clauses = FORMAT.replace("PLACE", place).replace("HEADER", HEADER if header else "")
    ask(account, f"CREATE EXTERNAL TABLE `{name}`({typed})\n{clauses}", "ml-workshop-db")


@pytest.fixture(scope="module")
def workshop(account: Account, seeds: Path) -> Account:
    """The account with the workshop's database and its three tables."""
    ask(account, "CREATE DATABASE ml-workshop-db")
    data = seeds / "000"
    enriched = "id dp_unique_key target text updated_date entity"
    make_table(account, "enriched_data", enriched, data / "enriched_data_74680.tsv", header=True)
    predicted = "tweet_id score sentiment tweet_text date entity"
    make_table(
        account, "labeling_prediction", predicted, data / "labeling" / "workshop_prediction.csv", header=False
    )
    return account


def test_the_enriched_tweets_are_counted(workshop: Account) -> None:
    """74,680 tweets, and the published label counts; the answer also lies below athena_log/."""
    assert ask(workshop, 'SELECT count(*) FROM "ml-workshop-db"."enriched_data"') == [["74680"]]
    labels = ask(
        workshop, "SELECT target, count(*) FROM enriched_data GROUP BY 1 ORDER BY 2 DESC", "ml-workshop-db"
    )
    assert labels == [
        ["Negative", "22542"],
        ["Positive", "20830"],
        ["Neutral", "18318"],
        ["Irrelevant", "12990"],
    ]
    listed = workshop.client("s3").list_objects_v2(Bucket=workshop.bucket, Prefix="athena_log/")["Contents"]
    assert any(item["Key"].endswith(".csv") for item in listed)


def test_predictions_of_low_confidence_are_those_the_workshop_labels_again(
    workshop: Account, seeds: Path
) -> None:
    """Its query, as it wrote it, finds the 17 tweets of its input_predicted.manifest."""
    rows = ask(
        workshop,
        "SELECT tweet_id, COALESCE(TRY(CAST(score AS double)),0.0) score, sentiment, tweet_text "
        'FROM "ml-workshop-db"."labeling_prediction" WHERE COALESCE(TRY(CAST(score AS double)),0.0) < 0.8',
    )
    lines = (seeds / "000" / "labeling" / "input_predicted.manifest").read_text(encoding="utf-8").splitlines()
    manifest: list[dict[str, Any]] = [json.loads(line) for line in lines]
    assert len(rows) == len(manifest) == 17
    assert sorted(str(row[0]) for row in rows) == sorted(str(entry["tweet_id"]) for entry in manifest)
