"""Athena runs queries as Athena does: Trino's SQL, Hive's DDL, partitions, workgroups, result files, its own errors.

Touches in `ministack.services.athena`: `_start_query_execution` (MiniStack hands Trino's SQL to DuckDB as it is, reads
every file below a table's location, ignores partition projection and registered partitions, and knows no SHOW,
DESCRIBE, MSCK or CREATE DATABASE), `_stop_query_execution` (the query runs on), `_restore_state` (a dead server's
queries stay RUNNING); reads `_parse_ddl`, `_run_ddl`, `_detect_statement_type`, `_executions` and `_workgroups`.
Checked on MiniStack 1.5.33.
"""

import contextvars
import dataclasses
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json, json_response, new_uuid
from ministack.services import athena

from penstock.localaws.athena import query, results, utility
from penstock.localaws.athena.engine import Answer, Column, Query
from penstock.localaws.athena.errors import Malformed, QueryFailed
from penstock.localaws.extension import pin
from penstock.localaws.extension.athena_workgroups import configuration
from penstock.localaws.extension.athena_world import MiniStackWorld

log = logging.getLogger("penstock.localaws")
Record = dict[str, Any]
Response = tuple[int, Record, bytes]
KEPT = 2_000
"""Executions kept; AWS forgets them after 45 days."""
_TEXT: Column = ("result", "string", 0, 0)
_RUNNING: dict[str, Query] = {}
_AT_ONCE = threading.BoundedSemaphore(2)  # each may take a gigabyte; the others wait as QUEUED
_WORLD = MiniStackWorld()


@dataclasses.dataclass(frozen=True)
class Statement:
    """What a statement is to do, and what its result file is called after the execution's id."""

    work: Callable[[Record], Answer]
    ending: str


def install() -> None:
    """Queries our way."""
    pin.require(__name__)
    athena._start_query_execution = _start
    athena._stop_query_execution = _stopping(athena._stop_query_execution)
    athena._restore_state = _failing_lost_queries(athena._restore_state)


def refused(message: str, malformed: bool = False) -> Response:
    """InvalidRequestException, as Athena says everything that cannot be begun."""
    extra = {"AthenaErrorCode": "MALFORMED_QUERY" if malformed else "INVALID_INPUT"}
    answer: Response = error_response_json("InvalidRequestException", message, 400, extra=extra)
    return answer


# ── Start ─────────────────────────────────────────────────────────────────────────────────────────────────────
def _start(data: Record) -> Response:
    """StartQueryExecution: refuse what Athena refuses at once, else run in a thread with the caller's context."""
    sql, token = str(data.get("QueryString") or ""), data.get("ClientRequestToken")
    known = token and next((one for one in athena._executions.values() if one.get("_token") == token), None)
    if known:
        if known["Query"] != sql:
            return refused("Idempotent parameters do not match")
        said: Response = json_response({"QueryExecutionId": known["QueryExecutionId"]})
        return said
    try:
        group = _workgroup(data)
        output = _output(group, data)
        statement = _statement(sql, data.get("ExecutionParameters") or [])
    except Malformed as error:
        return refused(str(error), malformed=True)
    except ValueError as error:
        return refused(str(error))
    return _begin(_execution(data, group, sql, output, statement.ending), statement)


def _workgroup(data: Record) -> Record:
    """The workgroup asked for; raises ValueError when it takes no queries."""
    name = data.get("WorkGroup") or "primary"
    group: Record | None = athena._workgroups.get(name)
    if group is None:
        raise ValueError(f"WorkGroup {name} is not found.")
    if group["State"] != "ENABLED":
        raise ValueError(f"WorkGroup {name} is disabled.")
    return group


def _output(group: Record, data: Record) -> str:
    """Where results go, ending in `/`: where the workgroup says if it insists, else where the caller does."""
    whole = configuration(group)
    own = (whole["ResultConfiguration"] or {}).get("OutputLocation") or ""
    asked = (data.get("ResultConfiguration") or {}).get("OutputLocation") or ""
    found = str(own if own and whole["EnforceWorkGroupConfiguration"] else asked or own)
    if not found:
        raise ValueError(
            "No output location provided. An output location is required either through the Workgroup result "
            "configuration setting or as an API input."
        )
    return found if found.endswith("/") else f"{found}/"


def _statement(sql: str, parameters: list[str]) -> Statement:
    """Raises Malformed."""
    ddl = athena._parse_ddl(sql)
    if isinstance(ddl, athena._CreateTable) and not (ddl.external or ddl.iceberg):
        raise Malformed("External keyword required for table type HIVE")
    if ddl is not None:
        return Statement(lambda run: _table_ddl(ddl, run), ".txt")
    found = utility.find(sql)
    if found is not None:
        columns, work = found
        return Statement(lambda run: _utility(columns, work, run), ".txt")
    tree = query.parse(sql.strip().rstrip(";"), parameters)
    return Statement(lambda run: _query(tree, run), "" if query.writes(tree) else ".csv")


def _execution(data: Record, group: Record, sql: str, output: str, ending: str) -> Record:
    """The record GetQueryExecution shows; members with `_` are ours."""
    run = new_uuid()
    context = data.get("QueryExecutionContext") or {}
    return {
        "QueryExecutionId": run,
        "Query": sql,
        "StatementType": athena._detect_statement_type(sql),
        "ResultConfiguration": {"OutputLocation": f"{output}{run}{ending}"},
        "QueryExecutionContext": {
            "Database": str(context.get("Database") or "default").strip('`"').lower(),
            "Catalog": str(context.get("Catalog") or "awsdatacatalog").lower(),
        },
        "Status": {"State": "QUEUED", "SubmissionDateTime": time.time()},
        "Statistics": {"EngineExecutionTimeInMillis": 0, "DataScannedInBytes": 0},
        "WorkGroup": group["Name"],
        "EngineVersion": configuration(group)["EngineVersion"],
        "_columns": [],
        "_rows": None,
        "_output": output,
        "_limit": configuration(group).get("BytesScannedCutoffPerQuery"),
        "_token": data.get("ClientRequestToken"),
    }


def _begin(run: Record, statement: Statement) -> Response:
    athena._executions[run["QueryExecutionId"]] = run
    for old in list(athena._executions)[:-KEPT]:
        athena._executions.pop(old, None)
    work = contextvars.copy_context().run
    name = f"athena-{run['QueryExecutionId'][:8]}"
    threading.Thread(target=work, args=(_run, run, statement), name=name, daemon=True).start()
    answer: Response = json_response({"QueryExecutionId": run["QueryExecutionId"]})
    return answer


# ── Run ───────────────────────────────────────────────────────────────────────────────────────────────────────
def _run(run: Record, statement: Statement) -> None:
    """One execution from start to end; whatever happens, its record says so."""
    with _AT_ONCE:
        if run["Status"]["State"] == "QUEUED":
            run["Status"]["State"] = "RUNNING"
            _carry_out(run, statement)


def _carry_out(run: Record, statement: Statement) -> None:
    started = time.monotonic()
    try:
        answer = statement.work(run)
        run["_columns"] = [list(column) for column in answer.columns]
        _end(run, "SUCCEEDED", "", started)
    except QueryFailed as error:
        _end(run, "FAILED", str(error), started)
    except Exception as error:
        log.exception("query %s failed", run["QueryExecutionId"])
        _end(run, "FAILED", f"INTERNAL_ERROR_QUERY_ENGINE: {error}", started)


def _end(run: Record, state: str, reason: str, started: float) -> None:
    taken = max(1, round((time.monotonic() - started) * 1000))
    run["Statistics"].update(EngineExecutionTimeInMillis=taken, TotalExecutionTimeInMillis=taken)
    if run["Status"]["State"] == "CANCELLED":
        return
    status = {**run["Status"], "State": state, "CompletionDateTime": time.time()}
    if reason:
        status["StateChangeReason"] = reason[:2000]
        status["AthenaError"] = {"ErrorCategory": 2, "Retryable": False, "ErrorMessage": reason[:2000]}
    run["Status"] = status


def _query(tree: Any, run: Record) -> Answer:
    output, run_id = run["_output"], run["QueryExecutionId"]
    database = run["QueryExecutionContext"]["Database"]
    with Query(run["Query"], tree, _WORLD, database, f"{output}tables/{run_id}/") as going:
        _RUNNING[run_id] = going
        try:
            answer = going.run()
            _within_limit(run, answer.scanned)
            if query.writes(tree):
                manifest = f"{output}{run_id}-manifest.csv"
                _WORLD.put(manifest, "".join(f"{uri}\n" for uri in answer.files).encode())
                run["Statistics"]["DataManifestLocation"] = manifest
                run["_rows"] = list(answer.rows)
            else:
                header = [name for name, *_ in answer.columns]
                content = results.line(header) + results.document(answer.rows)
                _WORLD.put(run["ResultConfiguration"]["OutputLocation"], content)
            return answer
        finally:
            _RUNNING.pop(run_id, None)


def _within_limit(run: Record, scanned: int) -> None:
    run["Statistics"]["DataScannedInBytes"] = scanned
    if run["_limit"] and scanned > int(run["_limit"]):
        raise QueryFailed("Query exhausted resources: Bytes scanned limit was exceeded")


def _utility(columns: str, work: Callable[[MiniStackWorld, str], list[str]], run: Record) -> Answer:
    lines = work(_WORLD, run["QueryExecutionContext"]["Database"])
    return _listed(run, [(column, "string", 0, 0) for column in columns.split()], lines)


def _listed(run: Record, columns: list[Column], lines: list[str]) -> Answer:
    """A small result: kept with the execution, and written as the text file Athena writes."""
    run["_rows"] = [[line] for line in lines]
    _WORLD.put(run["ResultConfiguration"]["OutputLocation"], "".join(f"{line}\n" for line in lines).encode())
    return Answer(columns, iter([]))


def _table_ddl(ddl: Any, run: Record) -> Answer:
    """CREATE EXTERNAL TABLE and DROP TABLE, with names in lower case as Glue keeps them."""
    database = str(ddl.database or run["QueryExecutionContext"]["Database"]).lower()
    changed: Record = {"database": database, "table": ddl.table.lower()}
    if isinstance(ddl, athena._CreateTable):
        for part in ("columns", "partition_keys"):
            changed[part] = [{**one, "Name": one["Name"].lower()} for one in getattr(ddl, part)]
    try:
        athena._run_ddl(dataclasses.replace(ddl, **changed), database)
    except ValueError as error:
        raise QueryFailed(_hive_words(str(error), database, changed["table"])) from error
    return _listed(run, [_TEXT], [])


def _hive_words(said: str, database: str, table: str) -> str:
    start = "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. "
    if said.startswith("Schema"):
        return f"FAILED: SemanticException [Error 10072]: Database does not exist: {database}"
    if "already exists" in said:
        return f"{start}AlreadyExistsException(message:Table {table} already exists)"
    if "does not exist" in said:
        return f"FAILED: SemanticException [Error 10001]: Table not found {database}.{table}"
    return f"{start}{said}"


# ── Stops and restarts ──────────────────────────────────────────────────────────────────────────────────
def _stopping(original: Callable[[Record], Response]) -> Callable[[Record], Response]:
    def stop(data: Record) -> Response:
        answer = original(data)
        going = _RUNNING.get(str(data.get("QueryExecutionId")))
        if going is not None and answer[0] < 300:
            going.cancel()
        return answer

    return stop


def _failing_lost_queries(original: Callable[[Record], None]) -> Callable[[Record], None]:
    def restore(data: Record) -> None:
        original(data)
        for run in athena._executions.all_values():
            if run["Status"]["State"] in ("QUEUED", "RUNNING"):
                run["Status"].update(
                    State="FAILED",
                    StateChangeReason="The embedded AWS stopped while this query was going on.",
                    CompletionDateTime=time.time(),
                )

    return restore
