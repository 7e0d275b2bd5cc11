"""Athena on the embedded AWS, through boto3 as on AWS. The hooks it shows were checked on MiniStack 1.5.33."""

import datetime
import gzip
import io
import uuid
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import EmbeddedAws, until

# The workshop's own statement (its notebook's, with its bucket put in).
WORKSHOP_DDL = r"""CREATE EXTERNAL TABLE labeling_output(
  `tweet_id` string,
  `entity` string,
  `sentiment` string,
  `confidence` string,
  `tweet_text` string)
ROW FORMAT SERDE
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
  's3://{bucket}/labeling_data_component/labeling_data_etl'
TBLPROPERTIES (
  'has_encrypted_data'='false',
  'skip.header.line.count'='1')"""
LABELS = (
    "tweet_id\tentity\tsentiment\tconfidence\ttweet_text\n"
    '1\tNvidia\tPositive\t0.95\t"say ""hi"" now\\"\\\\"\n'
    "2\tX\tNegative\tno number\t\n"
    '3\tÜber\tNeutral\t0.5\tthe middle "q" stays\r\n'
)


@dataclass
class Lake:
    """A bucket and a database of a test's own, and what one asks Athena."""

    aws: EmbeddedAws
    bucket: str
    database: str
    ended: dict[str, Any] = field(default_factory=dict)

    @property
    def athena(self) -> Any:
        return self.aws.client("athena")

    def put(self, key: str, content: bytes) -> None:
        self.aws.client("s3").put_object(Bucket=self.bucket, Key=key, Body=content)

    def begin(self, sql: str, **more: Any) -> str:
        asked = {
            "QueryExecutionContext": {"Database": self.database},
            "ResultConfiguration": {"OutputLocation": f"s3://{self.bucket}/athena/"},
        }
        return str(self.athena.start_query_execution(QueryString=sql, **(asked | more))["QueryExecutionId"])

    def end(self, run: str) -> dict[str, Any]:
        def found() -> dict[str, Any]:
            answer: dict[str, Any] = self.athena.get_query_execution(QueryExecutionId=run)["QueryExecution"]
            return answer if answer["Status"]["State"] not in ("QUEUED", "RUNNING") else {}

        self.ended = until(found, seconds=60)
        return self.ended

    def rows(self, sql: str, **more: Any) -> list[list[str | None]]:
        """The result's rows, the header first where there is one."""
        run = self.begin(sql, **more)
        assert self.end(run)["Status"]["State"] == "SUCCEEDED", self.ended["Status"]
        pages = self.athena.get_paginator("get_query_results").paginate(QueryExecutionId=run)
        return [
            [cell.get("VarCharValue") for cell in row["Data"]]
            for page in pages
            for row in page["ResultSet"]["Rows"]
        ]

    def failure(self, sql: str) -> str:
        """Why it fails."""
        assert self.end(self.begin(sql))["Status"]["State"] == "FAILED", sql
        return str(self.ended["Status"]["StateChangeReason"])


@pytest.fixture
def lake(embedded_aws: EmbeddedAws) -> Lake:
    name = f"athena-{uuid.uuid4().hex[:12]}"
    embedded_aws.client("s3").create_bucket(Bucket=name)
    made = Lake(embedded_aws, name, name.replace("-", "_"))
    embedded_aws.client("glue").create_database(DatabaseInput={"Name": made.database})
    return made


def parquet(**columns: list[Any]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def projected(lake: Lake) -> None:
    """A table as Prepare makes them: two versions, two sides, partitions by projection, other files beside."""
    for version, rows in ((1, 3), (2, 5)):
        base = f"lake/v/version={version:06d}"
        lake.put(f"{base}/dataset.json", b"{}")
        lake.put(f"{base}/train/part-0.parquet", parquet(_row=list(range(rows)), Target=["a"] * rows))
        lake.put(f"{base}/test/part-0.parquet", parquet(_row=[rows], Target=["b"]))
    serde = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
    table = {
        "Name": "v",
        "PartitionKeys": [{"Name": "version", "Type": "int"}, {"Name": "split", "Type": "string"}],
        "Parameters": {
            "projection.enabled": "true",
            "projection.version.type": "integer",
            "projection.version.range": "1,2",
            "projection.version.digits": "6",
            "projection.split.type": "enum",
            "projection.split.values": "train,test,unlabelled",
            "storage.location.template": f"s3://{lake.bucket}/lake/v/version=${{version}}/${{split}}/",
        },
        "StorageDescriptor": {
            "Columns": [
                {"Name": "_row", "Type": "bigint"},
                {"Name": "target", "Type": "string"},
                {"Name": "later", "Type": "double"},
            ],
            "Location": f"s3://{lake.bucket}/lake/v/",
            "SerdeInfo": {"SerializationLibrary": serde},
        },
    }
    lake.aws.client("glue").create_table(DatabaseName=lake.database, TableInput=table)


def test_the_workshops_ddl_and_queries_run_unchanged(lake: Lake) -> None:
    lake.rows("CREATE DATABASE IF NOT EXISTS ml-workshop-db")
    lake.put("labeling_data_component/labeling_data_etl/outputetl.csv", LABELS.encode())
    there = {"QueryExecutionContext": {"Database": "ml-workshop-db"}}
    lake.rows("DROP TABLE IF EXISTS labeling_output", **there)
    lake.rows(WORKSHOP_DDL.replace("{bucket}", lake.bucket), **there)
    rows = lake.rows('SELECT * FROM "ml-workshop-db"."labeling_output"')
    assert rows[0] == ["tweet_id", "entity", "sentiment", "confidence", "tweet_text"]
    assert [row[4] for row in rows[1:]] == ['say "hi" now"\\', "", 'the middle "q" stays']
    low = lake.rows(
        "SELECT tweet_id, COALESCE(TRY(CAST(confidence AS double)),0.0) score, sentiment, tweet_text FROM "
        '"ml-workshop-db"."labeling_output" WHERE COALESCE(TRY(CAST(confidence AS double)),0.0) < 0.8'
    )
    assert [row[:3] for row in low[1:]] == [["2", "0.0", "Negative"], ["3", "0.5", "Neutral"]]
    lake.rows("DROP TABLE labeling_output", **there)


def test_projected_partitions_are_read_and_only_those_asked_for(lake: Lake) -> None:
    projected(lake)
    counted = lake.rows("SELECT version, split, count(*) AS n FROM v GROUP BY 1, 2 ORDER BY 1, 2")
    assert counted[1:] == [
        ["1", "test", "1"], ["1", "train", "3"], ["2", "test", "1"], ["2", "train", "5"]
    ]  # fmt: skip
    everything = lake.ended["Statistics"]["DataScannedInBytes"]
    assert lake.rows("SELECT count(*) FROM v WHERE version = 2 AND split IN ('train')")[1:] == [["5"]]
    assert 0 < lake.ended["Statistics"]["DataScannedInBytes"] < everything / 3
    # A value compared in one place only must not keep the other place from its rows.
    both = (
        "SELECT a.n, b.n FROM (SELECT count(*) n FROM v WHERE split = 'test') a, (SELECT count(*) n FROM v) b"
    )
    assert lake.rows(both)[1:] == [["2", "10"]]
    assert lake.rows("SELECT count(*) FROM v WHERE split = 'train' OR version = 1")[1:] == [["9"]]
    assert lake.rows("SELECT DISTINCT target, later FROM v WHERE _row = 5 AND split = 'test'")[1:] == [
        ["b", None]
    ]


def test_joins_ctes_and_trinos_functions(lake: Lake) -> None:
    projected(lake)
    joined = lake.rows(
        f"WITH t AS (SELECT * FROM v WHERE version = 2) SELECT t.split, count(*) FROM t JOIN {lake.database}.v o "
        "ON t._row = o._row AND o.version = 1 GROUP BY t.split ORDER BY 1"
    )
    assert joined == [["split", "_col1"], ["train", "4"]]
    values = (
        "7 / 2, 1e10, 0.5e0, CAST(NULL AS varchar), true, timestamp '2022-03-22 10:00:00', date '2022-03-22', "
        "approx_distinct(_row), date_format(date_parse('22-03-2022', '%d-%m-%Y'), '%Y/%m'), "
        "json_extract_scalar('{\"a\": [1]}', '$.a[0]'), cardinality(split('a,b', ',')), regexp_like('abc', 'b'), "
        "array[1, 2], element_at(array['x', 'y'], 2), count_if(_row > 1), try_cast('x' AS integer), "
        "date_diff('day', date '2022-01-01', date '2022-03-01'), to_iso8601(date '2022-01-01')"
    )
    row = lake.rows(f"SELECT {values} FROM v WHERE version = 1")[1]
    assert row == ["3", "1.0E10", "0.5", None, "true", "2022-03-22 10:00:00.000", "2022-03-22", "4", "2022/03",
                   "1", "2", "true", "[1, 2]", "y", "2", None, "59", "2022-01-01"]  # fmt: skip


def test_the_catalog_is_there_as_tables(lake: Lake) -> None:
    projected(lake)
    described = lake.rows(
        "SELECT column_name, data_type, extra_info FROM information_schema.columns "
        f"WHERE table_schema = '{lake.database}' ORDER BY ordinal_position"
    )
    assert described[1:] == [
        ["_row", "bigint", None],
        ["target", "varchar", None],
        ["later", "double", None],
        ["version", "integer", "partition key"],
        ["split", "varchar", "partition key"],
    ]
    listed = f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{lake.database}'"
    assert lake.rows(listed)[1:] == [["v"]]


def test_results_are_a_file_and_come_in_pages(lake: Lake) -> None:
    numbers = (
        "SELECT n, CASE WHEN n = 2 THEN NULL ELSE 'a \"q\", and\nmore' END AS t "
        "FROM UNNEST(sequence(1, 2500)) AS s(n)"
    )
    rows = lake.rows(numbers)
    assert len(rows) == 2501
    assert rows[:3] == [["n", "t"], ["1", 'a "q", and\nmore'], ["2", None]]
    assert rows[-1][0] == "2500"
    assert lake.ended["ResultConfiguration"]["OutputLocation"].endswith(
        f"/athena/{lake.ended['QueryExecutionId']}.csv"
    )
    key = f"athena/{lake.ended['QueryExecutionId']}.csv"
    content = lake.aws.client("s3").get_object(Bucket=lake.bucket, Key=key)["Body"].read().decode()
    assert content.startswith('"n","t"\n"1","a ""q"", and\nmore"\n"2",\n')
    first = lake.athena.get_query_results(QueryExecutionId=lake.ended["QueryExecutionId"], MaxResults=2)
    assert len(first["ResultSet"]["Rows"]) == 2
    kinds = [(c["Name"], c["Type"]) for c in first["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]]
    assert kinds == [("n", "bigint"), ("t", "varchar")]


SERDES = {
    "lazy": (
        "ROW FORMAT DELIMITED FIELDS TERMINATED BY ',' STORED AS TEXTFILE",
        b'x,1,2.5\n"y",bad,\\N\n',
        [["x", "1", "2.5"], ['"y"', None, None]],
    ),
    "json": (
        "ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'",
        b'{"A": "x", "n": 1, "d": 2.5}\n{"a": null, "n": 2}\n',
        [["x", "1", "2.5"], [None, "2", None]],
    ),
    "csv": (
        "ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'",
        gzip.compress(b'"x, y",1,2.5\n'),
        [["x, y", "1", "2.5"]],
    ),
}


@pytest.mark.parametrize("kind", sorted(SERDES))
def test_text_is_read_as_its_serde_reads_it(lake: Lake, kind: str) -> None:
    clause, content, expected = SERDES[kind]
    lake.put("t/_temporary/x.csv", b"hidden")
    lake.put("t/data.gz" if kind == "csv" else "t/data.txt", content)
    lake.rows(
        f"CREATE EXTERNAL TABLE t (a string, n int, d double) {clause} LOCATION 's3://{lake.bucket}/t/'"
    )
    assert lake.rows("SELECT * FROM t")[1:] == expected


def test_partitions_registered_found_and_dropped(lake: Lake) -> None:
    for day in ("2022-01-01", "2022-01-02"):
        lake.put(f"p/day={day}/a.parquet", parquet(n=[1, 2]))
    lake.rows(
        f"CREATE EXTERNAL TABLE p (n bigint) PARTITIONED BY (day date) STORED AS PARQUET LOCATION 's3://{lake.bucket}/p/'"
    )
    assert lake.rows("SELECT count(*) FROM p")[1:] == [["0"]]
    repaired = [row[0] for row in lake.rows("MSCK REPAIR TABLE p")]
    assert "Repair: Added partition to metastore p:day=2022-01-02" in repaired
    assert lake.rows("SHOW PARTITIONS p") == [["day=2022-01-01"], ["day=2022-01-02"]]
    assert lake.rows("SELECT sum(n) FROM p WHERE day = date '2022-01-01'")[1:] == [["3"]]
    lake.rows("ALTER TABLE p DROP PARTITION (day='2022-01-01')")
    lake.rows(
        f"ALTER TABLE p ADD PARTITION (day='2023-01-01') LOCATION 's3://{lake.bucket}/p/day=2022-01-01/'"
    )
    assert lake.rows("SELECT DISTINCT day FROM p ORDER BY 1")[1:] == [["2022-01-02"], ["2023-01-01"]]
    assert [row[0] and row[0].split() for row in lake.rows("DESCRIBE p")][:2] == [
        ["n", "bigint"],
        ["day", "date"],
    ]
    quoted = {"QueryExecutionContext": {"Database": f"`{lake.database}`"}}  # as awswrangler sends it
    assert lake.rows("SHOW TABLES", **quoted) == [["p"]]
    assert lake.rows("SHOW CREATE TABLE p")[0] == [f"CREATE EXTERNAL TABLE `{lake.database}.p`("]


def test_tables_made_from_queries(lake: Lake) -> None:
    lake.rows("CREATE TABLE made AS SELECT 1 AS a, 'x' AS b, 2.50 AS c")
    lake.rows("INSERT INTO made VALUES (2, 'y', 3)")
    assert lake.rows("SELECT * FROM made ORDER BY a")[1:] == [["1", "x", "2.50"], ["2", "y", "3.00"]]
    lake.rows(
        f"CREATE TABLE parts WITH (format = 'PARQUET', external_location = 's3://{lake.bucket}/parts/', "
        "partitioned_by = ARRAY['b']) AS SELECT a, b FROM made"
    )
    manifest = lake.ended["Statistics"]["DataManifestLocation"].removeprefix(f"s3://{lake.bucket}/")
    written = (
        lake.aws.client("s3").get_object(Bucket=lake.bucket, Key=manifest)["Body"].read().decode().split()
    )
    assert [uri.split("/")[4] for uri in written] == ["b=x", "b=y"]
    assert lake.rows("SELECT a FROM parts WHERE b = 'y'")[1:] == [["2"]]
    assert "HIVE_PATH_ALREADY_EXISTS" in lake.failure(
        f"CREATE TABLE again WITH (external_location = 's3://{lake.bucket}/parts/') AS SELECT 1 AS a"
    )
    lake.rows("DROP TABLE made")
    assert "is not empty" in lake.failure(f"DROP DATABASE {lake.database}")
    lake.rows(f"DROP DATABASE {lake.database} CASCADE")


FAILURES = [
    ("SELECT 1 FROM nosuch", "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.{db}.nosuch' does not exist"),
    ("SELECT 1 FROM nosuch.t", "SCHEMA_NOT_FOUND: line 1:15: Schema 'nosuch' does not exist"),
    ("SELECT count(*),\n  nosuch FROM v", "COLUMN_NOT_FOUND: line 2:3: Column 'nosuch' cannot be resolved"),
    ("SELECT foo(1)", "FUNCTION_NOT_FOUND: line 1:8: Function 'foo' not registered"),
    ("SELECT CAST('x' AS integer)", "INVALID_CAST_ARGUMENT: Cannot cast 'x' to INTEGER"),
    ("SELECT target, count(*) FROM v", "EXPRESSION_NOT_AGGREGATE: line 1:8: 'target' must be an aggregate"),
    ("SELECT * FROM read_csv('/etc/passwd')", "Cannot access file"),
    ("DESCRIBE nosuch", "FAILED: SemanticException [Error 10001]: Table not found {db}.nosuch"),
    ("DROP TABLE nosuch", "FAILED: SemanticException [Error 10001]: Table not found {db}.nosuch"),
    ("CREATE DATABASE {db}", "Database {db} already exists"),
]


def test_failures_are_in_athenas_words(lake: Lake) -> None:
    projected(lake)
    for sql, reason in FAILURES:
        assert reason.format(db=lake.database) in lake.failure(sql.format(db=lake.database)), sql
    failed = lake.ended["QueryExecutionId"]
    with pytest.raises(ClientError, match="Final query state: FAILED"):
        lake.athena.get_query_results(QueryExecutionId=failed)


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELEC 1", "line 1:1: mismatched input 'SELEC'. Expecting: 'ALTER'"),
        ("SELECT a b c FROM t", "line 1:12: mismatched input 'c'"),
        ("CREATE TABLE t (a int) LOCATION 's3://x/y/'", "External keyword required for table type HIVE"),
        ("SELECT 1; DROP TABLE t", "Only one sql statement is allowed"),
        ("SELECT ?", "Incorrect number of parameters: expected 1 but found 0"),
        ("", "mismatched input '<EOF>'"),
    ],
)
def test_what_is_no_statement_is_refused_at_once(lake: Lake, sql: str, said: str) -> None:
    with pytest.raises(ClientError) as refused:
        lake.begin(sql or " ")
    assert refused.value.response["Error"]["Code"] == "InvalidRequestException"
    assert said in refused.value.response["Error"]["Message"]


def test_parameters_take_the_place_of_marks(lake: Lake) -> None:
    assert lake.rows("SELECT ?, ? + 1", ExecutionParameters=["'it''s'", "41"])[1:] == [["it's", "42"]]


def test_a_type_that_the_file_does_not_have_is_bad_data(lake: Lake) -> None:
    """As on AWS: a number in the file does not become a text because the catalog says so."""
    lake.put("n/a.parquet", parquet(n=[1.5]))
    lake.rows(f"CREATE EXTERNAL TABLE n (n string) STORED AS PARQUET LOCATION 's3://{lake.bucket}/n'")
    assert "HIVE_BAD_DATA: Field n's type DOUBLE" in lake.failure("SELECT * FROM n")


def test_moments_with_a_zone_are_timestamps(lake: Lake) -> None:
    """As Spark writes them."""
    moment = datetime.datetime(2022, 3, 22, 10, tzinfo=datetime.UTC)
    lake.put("m/a.parquet", parquet(t=[moment]))
    lake.rows(f"CREATE EXTERNAL TABLE m (t timestamp) STORED AS PARQUET LOCATION 's3://{lake.bucket}/m/'")
    assert lake.rows("SELECT t FROM m")[1:] == [["2022-03-22 10:00:00.000"]]


def test_workgroups_place_results_limit_scans_and_can_be_off(lake: Lake) -> None:
    projected(lake)
    name = lake.bucket
    configuration = {
        "ResultConfiguration": {"OutputLocation": f"s3://{lake.bucket}/enforced/"},
        "EnforceWorkGroupConfiguration": True,
        "BytesScannedCutoffPerQuery": 10_000_000,
    }
    lake.athena.create_work_group(Name=name, Configuration=configuration)
    shown = lake.athena.get_work_group(WorkGroup=name)["WorkGroup"]["Configuration"]
    assert shown["EngineVersion"]["EffectiveEngineVersion"] == "Athena engine version 3"
    primary = lake.athena.get_work_group(WorkGroup="primary")["WorkGroup"]["Configuration"]
    assert primary["EnforceWorkGroupConfiguration"] is False
    lake.rows("SELECT 1", WorkGroup=name)
    assert "/enforced/" in lake.ended["ResultConfiguration"]["OutputLocation"]
    assert lake.ended["WorkGroup"] == name
    lake.put("big/a.parquet", parquet(n=[float(n) ** 0.5 for n in range(1_500_000)]))
    lake.rows(f"CREATE EXTERNAL TABLE big (n double) STORED AS PARQUET LOCATION 's3://{lake.bucket}/big/'")
    run = lake.begin("SELECT count(*) FROM big", WorkGroup=name)
    assert "Bytes scanned limit was exceeded" in lake.end(run)["Status"]["StateChangeReason"]
    lake.athena.update_work_group(WorkGroup=name, State="DISABLED")
    with pytest.raises(ClientError, match="is disabled"):
        lake.begin("SELECT 1", WorkGroup=name)
    with pytest.raises(ClientError, match="is not found"):
        lake.begin("SELECT 1", WorkGroup="nobody")


def test_a_query_that_is_stopped_ends(lake: Lake) -> None:
    """DuckDB is told; the state is CANCELLED and no result is left."""
    many = "UNNEST(sequence(1, 200000))"
    endless = f"SELECT count(*) FROM {many} AS a(x) JOIN {many} AS b(y) ON a.x <> b.y"
    run = lake.begin(endless)
    until(
        lambda: (
            lake.athena.get_query_execution(QueryExecutionId=run)["QueryExecution"]["Status"]["State"]
            != "QUEUED"
        )
    )
    lake.athena.stop_query_execution(QueryExecutionId=run)
    assert lake.end(run)["Status"]["State"] == "CANCELLED"
    with pytest.raises(ClientError, match="Final query state: CANCELLED"):
        lake.athena.get_query_results(QueryExecutionId=run)


def test_the_same_request_twice_is_one_query(lake: Lake) -> None:
    token = uuid.uuid4().hex
    first = lake.begin("SELECT 1", ClientRequestToken=token)
    assert lake.begin("SELECT 1", ClientRequestToken=token) == first
    with pytest.raises(ClientError, match="Idempotent parameters do not match"):
        lake.begin("SELECT 2", ClientRequestToken=token)
