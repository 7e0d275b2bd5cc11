"""`penstock cost`: what a judged model's mistakes would cost at every cutoff, from its scorecard's threshold table."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from penstock.cli.session import Session, everywhere, pass_session
from penstock.errors import PenstockError

_SHOWN = (0.5, 0.3)
_COUNTS = ("tp", "fp", "fn", "tn")


@click.command()
@click.argument("judged")
@click.option("--fp", type=float, required=True, help="What a false alarm costs.")
@click.option("--fn", type=float, required=True, help="What a missed one costs.")
@click.option("--tp", type=float, default=0.0, show_default=True, help="What one that was found costs.")
@click.option("--tn", type=float, default=0.0, show_default=True, help="What one rightly left alone costs.")
@click.option("--at", type=float, multiple=True, help="Cutoffs to show  [default: 0.5 and 0.3]")
@everywhere
@pass_session
def cost(
    session: Session, judged: str, fp: float, fn: float, tp: float, tn: float, at: tuple[float, ...]
) -> None:
    """Say from which score on it is cheapest to call a row positive. JUDGED is a run, or a scorecard.json.

    The counts are those of the test rows. A cutoff picked from them flatters: to use one, let the spec choose it on
    the validation rows (evaluate.costs, evaluate.cutoff: cheapest).
    """
    card = _card(session, judged)
    rows = card.get("thresholds")
    if not rows:
        raise PenstockError(judged, "it has no threshold table", "Only a model of two classes has cutoffs.")
    costs = {"fp": fp, "fn": fn, "tp": tp, "tn": tn}
    told = [{**row, "cost": _of(row, costs)} for row in rows]
    best = min(told, key=lambda row: (row["cost"], abs(row["cutoff"] - 0.5)))
    shown = [_nearest(told, cutoff) for cutoff in at or _SHOWN]
    _show(session, card, best, shown)
    session.answer({"costs": costs, "cheapest": best, "at": shown, "thresholds": told})


def _card(session: Session, judged: str) -> dict[str, Any]:
    path = Path(judged)
    if path.suffix == ".json":
        if not path.is_file():
            raise PenstockError(judged, "there is no such file", "Give a run's name, or its scorecard.json.")
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found
    card = session.runs().scorecard(judged)
    if card is None:
        raise PenstockError(judged, "there is no scorecard of that run", "`penstock runs` lists the runs.")
    return card


def _of(row: Mapping[str, float], costs: Mapping[str, float]) -> float:
    return sum(row[name] * costs[name] for name in _COUNTS)


def _nearest(rows: list[dict[str, Any]], cutoff: float) -> dict[str, Any]:
    return min(rows, key=lambda row: abs(row["cutoff"] - cutoff))


def _show(
    session: Session, card: Mapping[str, Any], best: dict[str, Any], shown: list[dict[str, Any]]
) -> None:
    positive = (card.get("settings") or {}).get("positive") or "positive"
    table = Table("Cutoff", "Found", "Missed", "False alarms", "Rightly left", "Cost")
    for row in [best, *shown]:
        name = f"{row['cutoff']:.2f}" + (" (cheapest)" if row is best else "")
        table.add_row(name, *(f"{row[count]:,}" for count in ("tp", "fn", "fp", "tn")), f"{row['cost']:,.0f}")
    session.console.print(table)
    session.say(
        f"Cheapest: call a row “{positive}” from a score of {best['cutoff']:.2f} on; {best['cost']:,.0f} in all."
    )
