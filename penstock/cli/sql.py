"""`penstock sql`: ask the stage's data in SQL, through Athena; without a query, what there is to ask."""

from pathlib import Path
from typing import Any

import click
from rich.table import Table as Shown
from rich.text import Text

from penstock.cli.session import Session, everywhere, pass_session
from penstock.client import lake
from penstock.client.lake import Answer, Lake, Table

_WIDE = 10_000  # off a terminal nothing is cut


@click.command()
@click.argument("query", required=False)
@click.option("--version", type=click.IntRange(1), help="Read prepared data as it was in this version.")
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), help="Save the whole result as CSV."
)
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="Rows to show.")
@everywhere
@pass_session
def sql(session: Session, query: str | None, version: int | None, output: Path | None, limit: int) -> None:
    """Ask the stage's data in SQL (Athena's: Trino). Without QUERY, list the tables and their columns."""
    stage = Lake(session.locate().stage)
    if query is None:
        _list(session, stage)
        return
    if version is not None:
        query = lake.at_version(query, version, stage.tables())
    answer = stage.ask(query, limit)
    _show(session, answer)
    if output is not None:
        lake.save(answer, output)
        session.say(f"Saved as {output}.")
    session.answer(_document(query, answer))


def _list(session: Session, stage: Lake) -> None:
    tables = stage.tables()
    for table in sorted(tables.values(), key=lambda table: table.name):
        session.say(f"{table.name}  {table.description}")
        session.say("  " + ", ".join(f"{name} {kind}" for name, kind in (*table.columns, *table.partitions)))
    if not any(table.partitions for table in tables.values()):
        session.say("No prepared data yet. Drop a file: penstock drop FILE --watch")
    session.answer({"database": stage.database, "tables": [_described(table) for table in tables.values()]})


def _described(table: Table) -> dict[str, Any]:
    def columns(some: Any) -> list[dict[str, str]]:
        return [{"name": name, "type": kind} for name, kind in some]

    return {
        "name": table.name,
        "description": table.description,
        "columns": columns(table.columns),
        "partitions": columns(table.partitions),
    }


def _show(session: Session, answer: Answer) -> None:
    console = session.console
    if not console.is_terminal:
        console.width = _WIDE
    if answer.columns:
        shown = Shown()
        for name, kind in answer.columns:
            shown.add_column(Text(f"{name}\n{kind}"), justify="left" if kind == "varchar" else "right")
        for row in answer.rows:
            shown.add_row(*(Text("NULL", style="dim") if cell is None else Text(str(cell)) for cell in row))
        console.print(shown)
    count = f"{len(answer.rows):,} row{'' if len(answer.rows) == 1 else 's'}"
    if answer.more:
        count = f"The first {count}; --limit shows more, --output saves all"
    session.say(f"{count}. {_size(answer.scanned_bytes)} scanned, {answer.seconds:.2f} s.")


def _size(count: int) -> str:
    size, units = float(count), ["bytes", "KB", "MB", "GB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{size:,.0f} bytes" if units[0] == "bytes" else f"{size:,.1f} {units[0]}"


def _document(query: str, answer: Answer) -> dict[str, Any]:
    return {
        "query": query,
        "query_id": answer.query_id,
        "columns": [{"name": name, "type": kind} for name, kind in answer.columns],
        "rows": answer.rows,
        "more": answer.more,
        "scanned_bytes": answer.scanned_bytes,
        "seconds": answer.seconds,
        "uri": answer.uri,
    }
