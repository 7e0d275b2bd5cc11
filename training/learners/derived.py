"""Columns made of others by plus and minus: `gap = paid - due; error = after + amount - before`.

Trees cut one column at a time, so they cannot see that two differ; a sum they are given they can. What a formula says
is computed by the same function in training and in serving, of the row's own values and of nothing else.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from learners.errors import BadData

_FORMULA = re.compile(r"\s*(?P<name>[^=]+?)\s*=\s*(?P<sum>.+?)\s*", re.DOTALL)
_TERM = re.compile(r"\s*(?P<sign>[+-]?)\s*(?:`(?P<quoted>[^`]+)`|(?P<plain>[^\s`+-]+))\s*")
MOST = 100


@dataclass(frozen=True)
class Derived:
    """A column of the matrix that no request holds: the sum of (column, +1 or -1); missing where one of them is."""

    name: str
    terms: tuple[tuple[str, float], ...]


def read(text: str, numbers: Sequence[str], taken: Sequence[str]) -> list[Derived]:
    """Return the formulas in `text`, separated by `;`; raise BadData naming the one that cannot be.

    `numbers` are the columns of numbers, `taken` all columns. A name with a space, + or - goes in backquotes.
    """
    found: list[Derived] = []
    for formula in (part for part in text.split(";") if part.strip()):
        made = _formula(formula, numbers)
        if made.name in taken or made.name in [one.name for one in found]:
            raise BadData(
                f"Hyperparameters: derive makes {made.name!r}, which is a column already: rename it."
            )
        found.append(made)
    if len(found) > MOST:
        raise BadData(f"Hyperparameters: derive makes {len(found)} columns, and {MOST} are allowed.")
    return found


def _formula(text: str, numbers: Sequence[str]) -> Derived:
    whole = _FORMULA.fullmatch(text)
    if whole is None:
        raise BadData(f"Hyperparameters: derive has {text.strip()!r}, and must be like gap = paid - due.")
    terms: list[tuple[str, float]] = []
    rest = whole["sum"]
    while rest:
        term = _TERM.match(rest)
        if term is None or (terms and not term["sign"]):
            raise BadData(
                f"Hyperparameters: derive cannot be read at {rest[:40]!r}: write columns with + and -."
            )
        column = term["quoted"] or term["plain"]
        if column not in numbers:
            raise BadData(
                f"Hyperparameters: derive adds {column!r}, no number column of the project ({', '.join(numbers[:20])})."
            )
        terms.append((column, -1.0 if term["sign"] == "-" else 1.0))
        rest = rest[term.end() :]
    return Derived(whole["name"].strip("`"), tuple(terms))
