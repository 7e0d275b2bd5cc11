"""Columns that give the answer away only within something: an index against the same day's base, and its siblings."""

import re

import numpy
import pandas

from penstock.infer.facts import Facts

EXACT = 0.9995  # share of the answer's variance within the groups that a line per group must explain
LEAST_PER_GROUP = 8  # on average: a line through two points explains anything
LEAST_WITHIN = 0.05  # of the answer's variance must be within the groups, or there is nothing to explain
_FEWEST = 30


def within_groups(others: dict[str, Facts], target: Facts) -> dict[str, str]:
    """Name → why, for number columns that are a straight line of `target` within each value of another column."""
    numbers = {
        name: facts.numbers for name, facts in others.items() if facts.is_number and not facts.odd_words
    }
    leaks: dict[str, str] = {}
    for name, facts in others.items():
        if not 2 <= facts.distinct * LEAST_PER_GROUP <= facts.present or (
            facts.is_number and not facts.is_whole
        ):
            continue
        for other, values in numbers.items():
            if other != name and other not in leaks and _lines(values, target.numbers, facts.texts):
                leaks[other] = f"within each {name} it is a straight line of {target.name}"
    return leaks | _siblings(others, leaks)


def _lines(values: pandas.Series, answer: pandas.Series, groups: pandas.Series) -> bool:
    frame = pandas.DataFrame({"x": values, "y": answer, "g": groups}).dropna()
    if len(frame) < _FEWEST or len(frame) < LEAST_PER_GROUP * frame["g"].nunique():
        return False
    total = float(((frame["y"] - frame["y"].mean()) ** 2).sum())
    centred = frame[["x", "y"]] - frame.groupby("g")[["x", "y"]].transform("mean")
    sums = pandas.DataFrame(
        {"xx": centred["x"] ** 2, "yy": centred["y"] ** 2, "xy": centred["x"] * centred["y"]}
    )
    by_group = sums.groupby(frame["g"]).sum()
    inside = float(by_group["yy"].sum())
    if inside <= LEAST_WITHIN * total:
        return False
    explained = (by_group["xy"] ** 2 / by_group["xx"].where(by_group["xx"] > 0)).fillna(0.0)
    return bool(numpy.isfinite(inside)) and inside - float(explained.sum()) <= (1 - EXACT) * inside


def _siblings(others: dict[str, Facts], leaks: dict[str, str]) -> dict[str, str]:
    """Columns called as a leak is, but for the last word: USD_adjusted beside USD_raw, made of the same answer."""
    first = {_family(name): name for name in leaks}
    named = {name: first.get(_family(name)) for name, facts in others.items() if facts.is_number}
    return {
        name: f"of the family of {sibling}, which gives the answer away"
        for name, sibling in named.items()
        if sibling and name not in leaks
    }


def _family(name: str) -> str:
    """The name without its last word, or the whole of it when it is one word."""
    return re.sub(r"[ _.-][^ _.-]+$", "", name)
