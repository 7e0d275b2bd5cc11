"""Results of queries are read from their file for every page, and not kept in memory.

Touches `ministack.services.athena._get_query_results`: MiniStack keeps every row of every result in memory and in its
state file. Checked on MiniStack 1.5.33. A small result that is no query's (SHOW, DESCRIBE) stays with its execution.
"""

from typing import Any

from ministack.core.responses import json_response
from ministack.services import athena

from penstock.localaws.athena import results
from penstock.localaws.extension import pin
from penstock.localaws.extension.athena_queries import refused
from penstock.localaws.extension.athena_world import MiniStackWorld

Record = dict[str, Any]
Response = tuple[int, Record, bytes]
_WORLD = MiniStackWorld()


def install() -> None:
    """Pages our way; with athena_queries, whose executions keep no rows."""
    pin.require(__name__)
    athena._get_query_results = _get_results


def _get_results(data: Record) -> Response:
    """GetQueryResults; a NextToken is a place in the file."""
    run = athena._executions.get(data.get("QueryExecutionId"))
    if run is None:
        return refused(f"QueryExecution {data.get('QueryExecutionId')} was not found")
    state, token = run["Status"]["State"], str(data.get("NextToken") or "0")
    if state in ("QUEUED", "RUNNING"):
        return refused(f"Query has not yet finished. Current state: {state}")
    if state != "SUCCEEDED":
        return refused(f"Query did not finish successfully. Final query state: {state}")
    found = _page(run, int(token), int(data.get("MaxResults") or 1000)) if token.isdigit() else None
    if found is None:
        return refused(f"Could not find results at {run['ResultConfiguration']['OutputLocation']} ({token})")
    rows, following = found
    shown = [{"Data": [{} if cell is None else {"VarCharValue": cell} for cell in row]} for row in rows]
    metadata = {"ColumnInfo": [_column_info(*column) for column in run["_columns"]]}
    answer: Record = {"UpdateCount": 0, "ResultSet": {"Rows": shown, "ResultSetMetadata": metadata}}
    if following is not None:
        answer["NextToken"] = str(following)
    said: Response = json_response(answer)
    return said


def _page(run: Record, start: int, limit: int) -> tuple[list[list[str | None]], int | None] | None:
    """Rows from a place on, and the next page's place; None when the file is gone."""
    if run["_rows"] is not None:
        end = start + limit
        return run["_rows"][start:end], end if end < len(run["_rows"]) else None
    content = _WORLD.read(run["ResultConfiguration"]["OutputLocation"])
    return None if content is None else results.page(content, start, limit)


def _column_info(name: str, kind: str, precision: int, scale: int) -> Record:
    return {
        "CatalogName": "hive", "SchemaName": "", "TableName": "", "Name": name, "Label": name, "Type": kind,
        "Precision": precision, "Scale": scale, "Nullable": "UNKNOWN", "CaseSensitive": kind == "varchar",
    }  # fmt: skip
