"""Columns that give the answer away only within something: an index against the same day's base, and its siblings."""

import re

import numpy
import pandas

from penstock.infer.facts import Facts

EXACT = 0.9995  # share of the answer's variance within the groups that a line per group must explain
LEAST_PER_GROUP = 8  # on average: a line through two points explains anything
LEAST_WITHIN = 0.05  # of the answer's variance must be within the groups, or there is nothing to explain
_FEWEST = 30
_FIRST_ROWS = 2000  # that are looked at before all are
_NEARLY = 0.9  # of the variance among these: a line through all of them explains more, and chance much less


def within_groups(others: dict[str, Facts], target: Facts) -> dict[str, str]:
    """Name → why, for number columns that are a straight line of `target` within each value of another column."""
    numbers = {
        name: facts.numbers for name, facts in others.items() if facts.is_number and not facts.odd_words
    }
    leaks: dict[str, str] = {}
    table = pandas.DataFrame(numbers)
    for name, facts in others.items():
        if not 2 <= facts.distinct * LEAST_PER_GROUP <= facts.present or (
            facts.is_number and not facts.is_whole
        ):
            continue
        for other in _candidates(table, target.numbers, facts.texts):
            if other != name and other not in leaks and _lines(numbers[other], target.numbers, facts.texts):
                leaks[other] = f"within each {name} it is a straight line of {target.name}"
    return leaks | _siblings(others, leaks)


def _candidates(table: pandas.DataFrame, answer: pandas.Series, groups: pandas.Series) -> list[str]:
    """Columns that may be such lines, judged all at once by some rows: looking at every pair takes 50 ms each."""
    codes, _ = pandas.factorize(groups.reindex(table.index))
    rows = numpy.argsort(codes, kind="stable")
    rows = rows[codes[rows] >= 0][:_FIRST_ROWS]  # whole groups, but for the last
    if len(rows) < _FEWEST:
        return [str(name) for name in table.columns]
    x, y = table.iloc[rows].to_numpy(float), answer.reindex(table.index).to_numpy(float)[rows, None]
    known = ~(numpy.isnan(x) | numpy.isnan(y))
    starts = numpy.flatnonzero(numpy.diff(codes[rows], prepend=-1))
    x, y = _centred(x, known, starts), _centred(y, known, starts)
    xx, xy = numpy.add.reduceat(x * x, starts, axis=0), numpy.add.reduceat(x * y, starts, axis=0)
    explained = (xy**2 / numpy.where(xx > 0, xx, numpy.inf)).sum(axis=0)
    return [str(name) for name in table.columns[explained >= _NEARLY * (y * y).sum(axis=0)]]


def _centred(values: numpy.ndarray, known: numpy.ndarray, starts: numpy.ndarray) -> numpy.ndarray:
    """Each column less the mean of its group (they begin at `starts`); 0 where a value is not known."""
    shown = numpy.where(known, values, 0.0)
    count = numpy.maximum(numpy.add.reduceat(known.astype(float), starts, axis=0), 1.0)
    means = numpy.add.reduceat(shown, starts, axis=0) / count
    sizes = numpy.diff(numpy.append(starts, len(values)))
    centred: numpy.ndarray = numpy.where(known, shown - numpy.repeat(means, sizes, axis=0), 0.0)
    return centred


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
