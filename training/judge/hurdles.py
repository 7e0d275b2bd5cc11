"""What the gate asks of a model and whether it is met, for the report: the same figures the gate decides by.

The decision itself is the gate's (chalicelib/domain/scorecard.py): it also knows whether a model is released. A test
holds the two against one another.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from judge.metrics import LOWER_IS_BETTER

Card = Mapping[str, Any]


@dataclass(frozen=True)
class Hurdle:
    """One thing asked: in words, the number to meet, and whether it is met."""

    asked: str
    limit: float
    met: bool


def judged_by(card: Card) -> Card:
    """Return the figures that count: on rows whose kin was not learned from, where they are told apart."""
    figures: Card = card["leak_free"] or card
    return figures


def value(card: Card) -> float | None:
    """Return the gate's metric, None if it is not to be had."""
    found: float | None = (judged_by(card)["metrics"] or {}).get(card["settings"]["metric"])
    return found


def hurdles(card: Card) -> list[Hurdle]:
    """Return what the gate asks, in its order; empty when there is no figure to hold against it."""
    own = value(card)
    return [] if own is None else list(_hurdles(card, own))


def passed(card: Card) -> bool:
    """Return whether all is met that is asked."""
    return value(card) is not None and all(hurdle.met for hurdle in hurdles(card))


def _hurdles(card: Card, own: float) -> Iterator[Hurdle]:
    gate, metric, figures = card["settings"]["gate"], card["settings"]["metric"], judged_by(card)
    if "at_least" in gate:
        yield Hurdle("at least", gate["at_least"], own >= gate["at_least"])
    elif "at_most" in gate:
        yield Hurdle("at most", gate["at_most"], own <= gate["at_most"])
    blind = figures["baseline"]["metrics"].get(metric)
    if gate.get("beat_baseline") and blind is not None:
        yield Hurdle(
            f"better than the baseline ({figures['baseline']['name']})", blind, better(metric, own, blind)
        )
    if gate.get("beat_champion"):
        yield from _champion(metric, figures if figures["champion"] else card)


def _champion(metric: str, figures: Card) -> Iterator[Hurdle]:
    theirs = ((figures["champion"] or {}).get("metrics") or {}).get(metric)
    own = figures["metrics"].get(metric)
    if theirs is not None and own is not None:
        yield Hurdle("better than the released model", theirs, better(metric, own, theirs))


def better(metric: str, own: float, other: float) -> bool:
    """Return whether the first value is strictly better."""
    return own < other if metric in LOWER_IS_BETTER else own > other
