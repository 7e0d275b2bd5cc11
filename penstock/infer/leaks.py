"""Columns that give the answer away: copies of the target, parts of it, or codes that stand for it.

A model trained on them scores wonderfully and answers nothing, since they are not known before the answer is.
"""

import numpy
import pandas

from penstock.infer import relations
from penstock.infer.facts import Facts

EXACT = 0.9995  # share of the target's variance the columns must explain between them
MOST_PARTS = 6
_PURE = 0.999
_PER_VALUE = 10
_COEFFICIENT_SLACK = 0.05


def find(columns: dict[str, Facts], target: str, task: str) -> dict[str, str]:
    """Name → why, for each column that nearly equals `target`, adds or multiplies up to it, or stands for it."""
    others = {name: facts for name, facts in columns.items() if name != target and facts.distinct > 1}
    if columns[target].is_number and (task == "regression" or columns[target].distinct > 2):
        leaks = relations.within_groups(others, columns[target]) | _parts(others, columns[target])
    else:
        leaks = {}
    if task == "classification" and columns[target].distinct <= MOST_PARTS * 10:
        leaks |= _codes(others, columns[target])
    # A file in which everything "leaks" is a formula, perhaps an exercise: leave it to the person.
    return leaks if len(leaks) < len(others) else {}


def _codes(others: dict[str, Facts], target: Facts) -> dict[str, str]:
    """Columns of few values each of which belongs to one class only."""
    leaks = {}
    for name, facts in others.items():
        if facts.distinct * _PER_VALUE > facts.present or facts.missing_share > 0.2:
            continue
        pairs = pandas.DataFrame({"value": facts.texts, "answer": target.texts}).dropna()
        counts = pairs.value_counts(["value", "answer"])
        if not counts.empty and counts.groupby(level=0).max().sum() >= _PURE * len(pairs):
            leaks[name] = f"each of its {facts.distinct} values belongs to one class of {target.name}"
    return leaks


def _parts(others: dict[str, Facts], target: Facts) -> dict[str, str]:
    """Number columns that equal the target, add up to it, or multiply (divide) up to it."""
    numbers = {name: facts.numbers for name, facts in others.items() if facts.is_number}
    if not numbers:
        return {}
    frame = pandas.DataFrame(numbers).assign(**{"\0target": target.numbers}).dropna()
    if len(frame) < 30:
        # Too few complete rows: keep the columns that are nearly always there.
        full = [name for name in numbers if others[name].missing_share < 0.2]
        frame = pandas.DataFrame(numbers)[full].assign(**{"\0target": target.numbers}).dropna()
    if len(frame) < 30:
        return {}
    answer = frame.pop("\0target")
    if summed := _explain(frame, answer):
        return dict.fromkeys(summed, _said(summed, target.name, "add up to"))
    positive = frame.loc[:, (frame > 0).all()]
    if (answer > 0).all() and not positive.empty:
        multiplied = _explain(positive.apply(numpy.log), answer.apply(numpy.log))
        return dict.fromkeys(multiplied, _said(multiplied, target.name, "multiply (or divide) to"))
    return {}


def _said(names: list[str], target: str, verb: str) -> str:
    if len(names) == 1:
        return f"nearly equal to {target}"
    return f"{', '.join(names)} {verb} {target}"


def _explain(frame: pandas.DataFrame, answer: pandas.Series) -> list[str]:
    """The columns that, with weights of +1 or -1, give `answer`: one, a pair, or greedily up to MOST_PARTS."""
    values = frame.to_numpy(float) - frame.to_numpy(float).mean(axis=0)
    goal = answer.to_numpy(float) - float(answer.mean())
    allowed = (1 - EXACT) * float(goal @ goal)
    if not allowed or not values.shape[1]:
        return []
    found = _single_or_pair(values, goal, allowed) or _greedy(values, goal, allowed)
    return [str(frame.columns[index]) for index in found]


def _single_or_pair(values: numpy.ndarray, goal: numpy.ndarray, allowed: float) -> list[int]:
    """One column equal to the goal, or two whose sum or difference is; every pair is tried, from the Gram matrix."""
    gram, shared, whole = values.T @ values, values.T @ goal, float(goal @ goal)
    single = whole - 2 * shared + gram.diagonal()
    if float(single.min()) <= allowed:
        return [int(single.argmin())]
    for first, second in ((1, 1), (1, -1), (-1, -1)):
        left = first * -2 * shared + gram.diagonal()
        right = second * -2 * shared + gram.diagonal()
        error = whole + left[:, None] + right[None, :] + 2 * first * second * gram
        numpy.fill_diagonal(error, numpy.inf)
        if float(error.min()) <= allowed:
            row, column = numpy.unravel_index(int(error.argmin()), error.shape)
            return sorted((int(row), int(column)))
    return []


def _greedy(values: numpy.ndarray, goal: numpy.ndarray, allowed: float) -> list[int]:
    """Add the column nearest to what is left until nothing is; refuse weights that are not plain +1 or -1."""
    scale = numpy.linalg.norm(values, axis=0)
    chosen: list[int] = []
    residual = goal
    while len(chosen) < min(MOST_PARTS, values.shape[1]):
        strength = numpy.abs(residual @ values) / numpy.where(scale > 0, scale, numpy.inf)
        strength[chosen] = -1
        chosen.append(int(strength.argmax()))
        weights, *_ = numpy.linalg.lstsq(values[:, chosen], goal, rcond=None)
        residual = goal - values[:, chosen] @ weights
        if float(residual @ residual) <= allowed:
            plain = bool(numpy.all(numpy.abs(numpy.abs(weights) - 1) <= _COEFFICIENT_SLACK))
            return sorted(chosen) if plain else []
    return []
