"""`penstock compare`: two runs side by side."""

from collections.abc import Iterable
from typing import Any

import click
from rich.table import Table

from penstock.cli.session import Session, everywhere, pass_session
from penstock.client.comparison import comparison
from penstock.client.runs import Runs


@click.command()
@click.argument("first")
@click.argument("second")
@everywhere
@pass_session
def compare(session: Session, first: str, second: str) -> None:
    """Show what differs between the runs FIRST and SECOND: parameters, data, metrics, class by class."""
    runs = session.runs()
    records = tuple(_record(runs, name) for name in (first, second))
    cards = tuple(runs.scorecard(name) or {} for name in (first, second))
    found = comparison(records, cards)
    for table in tables(found):
        session.console.print(table)
    if not found["parameters"]:
        session.say("Both were given the same hyperparameters.")
    if not found["same_rows"]:
        session.say("Their datasets differ, so the test figures are of different rows.")
    session.answer(found)


def _record(runs: Runs, name: str) -> dict[str, Any]:
    return dict(runs.look(name).record)


def tables(found: dict[str, Any]) -> Iterable[Table]:
    """What there is to show: facts, parameters that differ, metrics with their difference, and classes."""
    names = found["runs"]
    yield _table("", names, ((name, *pair) for name, pair in found["facts"].items()))
    if found["parameters"]:
        yield _table("parameter", names, ((name, *pair) for name, pair in found["parameters"].items()))
    for title, key in (("on validation rows", "validation"), ("on test rows", "test")):
        if found[key]:
            rows = ((name, *three) for name, three in found[key].items())
            yield _table(title, [*names, "difference"], rows)
    if found["classes"]:
        yield _table("class", [*names, "difference"], _of_classes(found["classes"]))


def _of_classes(classes: dict[str, Any]) -> Iterable[tuple[Any, ...]]:
    for name, measures in classes.items():
        for measure, three in measures.items():
            yield (f"{name}: {measure}", *three)


def _table(title: str, columns: list[str], rows: Iterable[tuple[Any, ...]]) -> Table:
    table = Table()
    table.add_column(title)
    for name in columns:
        table.add_column(name, justify="right", overflow="fold")
    for first, *values in rows:
        marks = ["" if name != "difference" else "+" for name in columns]
        table.add_row(first, *(_figure(value, mark) for value, mark in zip(values, marks, strict=True)))
    return table


def _figure(value: Any, sign: str) -> str:
    if isinstance(value, float):
        return f"{value:{sign}.4f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:{sign}d}"
    return "-" if value is None else str(value)
