"""Has the model learned from rows that belong together with test rows? Such test rows measure memory, not knowledge.

Rows belong together that share the value of the group the spec names (`leaks.group`, `split.group`) or, without one,
whose texts are nearly the same (data/near.py). docs/decisions/0016-leak-free-score.md says what is made of it.
"""

from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from data import near

Array = npt.NDArray[Any]
MOST_TEST, MOST_LEARNED = near.MOST // 2, near.MOST // 2  # texts compared


@dataclass(frozen=True)
class Kin:
    """By what rows belong together, and of each test row whether one of its kin was learned from.

    `looked` is false of the test rows too many to compare.
    """

    by: str
    seen: Array
    looked: Array

    @property
    def unseen(self) -> Array:
        """Return which test rows are known to have no kin among the rows learned from."""
        return self.looked & ~self.seen

    @property
    def share(self) -> float:
        """Return the share of the rows compared that have kin among those learned from."""
        return float(self.seen.sum() / max(self.looked.sum(), 1))


def find(
    group: str | None, texts: Sequence[str], learned: Sequence[Mapping[str, Any]], test: Mapping[str, Any]
) -> Kin | None:
    """Return the kin of the test rows in what was learned from; None if nothing says what belongs together."""
    if group is not None and group in test:
        known = {value for part in learned for value in part[group] if value is not None}
        seen = np.array([value in known for value in test[group]], bool)
        return Kin(group, seen, np.ones(len(seen), bool))
    if not texts or texts[0] not in test:
        return None
    return _by_text(texts[0], [part[texts[0]] for part in learned], test[texts[0]])


def clusters(group: str | None, texts: Sequence[str], pool: Mapping[str, Any]) -> Array:
    """Number rows so that those that belong together have the same number; a row without a group is alone."""
    if group is None or group not in pool:
        return near.clusters(pool[texts[0]])
    numbers: dict[Any, int] = {}
    return np.array(
        [
            -1 - row if value is None else numbers.setdefault(value, len(numbers))
            for row, value in enumerate(pool[group])
        ]
    )


def too_many(group: str | None, rows: Sized, most: int = near.MOST) -> str | None:
    """Why `clusters` is not to be asked: without a group it compares texts, for which data/near.py has a bound."""
    if group is not None or len(rows) <= most:
        return None
    return f"there are too many texts to group ({len(rows):,})"


def _by_text(name: str, learned: Sequence[Sequence[str | None]], test: Sequence[str | None]) -> Kin:
    every = [text for part in learned for text in part]
    dice = np.random.default_rng(0)
    mine, theirs = (
        np.sort(dice.permutation(len(part))[:most])
        for part, most in ((test, MOST_TEST), (every, MOST_LEARNED))
    )
    texts = [*(test[row] for row in mine), *(every[row] for row in theirs)]
    pairs = near.find(texts, np.arange(len(texts)) < len(mine))
    seen, looked = np.zeros(len(test), bool), np.zeros(len(test), bool)
    looked[mine] = True
    seen[mine[pairs.held]] = True
    return Kin(f"nearly equal {name}", seen, looked)
