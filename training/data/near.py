"""Texts that are almost the same on two sides of a split: MinHash over their words, in numpy, bounded.

A text is the set of its first 64 different words, lower case, of its first 600 characters. Two texts are near when
they share half of their words (Jaccard ≥ 0.5) and each has four at least: shorter ones are alike by chance. Pairs to
compare are those that agree on three minima of one of eight independent bands; a pair at 0.5 is among them with 66 %,
one at 0.7 with 97 %, one at 0.8 with more than 99 %. The words of at most `MOST` texts are kept: about 50 MB.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
MOST = 100_000
LONGEST = 600
NEAR = 0.5
FEWEST_WORDS = 4
_MOST_WORDS = 64
_BANDS, _EACH = 8, 3
_NEIGHBOURS = 6  # of a text in its bucket that are compared: boiler plate makes buckets of thousands
_BLOCK = 200_000  # pairs compared at once
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Pairs:
    """Row numbers of the texts given: `held` is near `known`, of which they share `alike` of the words."""

    held: Integers
    known: Integers
    alike: npt.NDArray[np.float64]


@dataclass(frozen=True)
class _Sets:
    words: Integers  # of all texts, one after another
    starts: Integers
    counts: Integers
    vocabulary: int


def find(texts: Iterable[str | None], held: npt.NDArray[np.bool_]) -> Pairs:
    """Pair each held-out text (`held` is true) that is near one to learn from with the nearest of those."""
    sets = _sets(texts)
    if not sets.vocabulary:
        nothing = np.array([], np.int64)
        return Pairs(nothing, nothing, np.array([], np.float64))
    one, other = _candidates(sets, held)
    alike = _alike(sets, one, other)
    near = alike >= NEAR
    return _nearest(one[near], other[near], alike[near])


def clusters(texts: Iterable[str | None]) -> Integers:
    """Number the texts so that those near one another, or joined by a chain of such, have the same number."""
    sets = _sets(texts)
    labels = np.arange(len(sets.counts))
    if not sets.vocabulary:
        return labels
    one, other = _candidates(sets, None)
    near = _alike(sets, one, other) >= NEAR
    one, other = one[near], other[near]
    while True:  # each text takes the smallest number among its neighbours, until none changes
        lowest = labels.copy()
        np.minimum.at(lowest, one, labels[other])
        np.minimum.at(lowest, other, labels[one])
        lowest = lowest[lowest]
        if np.array_equal(lowest, labels):
            return labels
        labels = lowest


def _sets(texts: Iterable[str | None]) -> _Sets:
    vocabulary: dict[str, int] = {}
    words, counts = array("q"), array("q")
    for text in texts:
        found = _WORD.findall((text or "")[:LONGEST].lower())
        own = list(dict.fromkeys(found))[:_MOST_WORDS]
        words.extend([vocabulary.setdefault(word, len(vocabulary)) for word in own])
        counts.append(len(own))
    sizes = np.array(counts, np.int64)
    return _Sets(np.array(words, np.int64), np.cumsum(sizes) - sizes, sizes, len(vocabulary))


def _candidates(sets: _Sets, held: npt.NDArray[np.bool_] | None) -> tuple[Integers, Integers]:
    """Pairs (held-out, known) that share a bucket, each once; without `held`, pairs of any two."""
    enough = np.flatnonzero(sets.counts >= FEWEST_WORDS)
    dice = np.random.default_rng(0)
    size, found = len(sets.counts), []
    for _ in range(_BANDS):
        key = np.zeros(len(enough), np.int64)
        for _ in range(_EACH):
            key = key * sets.vocabulary + _minima(sets, dice.permutation(sets.vocabulary))[enough]
        order = np.argsort(key, kind="stable")
        key, rows = key[order], enough[order]
        for step in range(1, _NEIGHBOURS + 1):
            left, right = rows[:-step], rows[step:]
            met = key[:-step] == key[step:]
            if held is not None:
                met &= held[left] != held[right]
            left, right = left[met], right[met]
            first = left < right if held is None else held[left]
            found.append(np.where(first, left, right) * size + np.where(first, right, left))
    pairs = np.unique(np.concatenate(found))
    return pairs // size, pairs % size


def _minima(sets: _Sets, ranks: Integers) -> Integers:
    # One more at the end, for a last text without words: reduceat takes no start beyond the data.
    ranked = np.append(ranks[sets.words], sets.vocabulary)
    minima: Integers = np.minimum.reduceat(ranked, sets.starts)
    return minima


def _alike(sets: _Sets, one: Integers, other: Integers) -> npt.NDArray[np.float64]:
    owners = np.repeat(np.arange(len(sets.counts)), sets.counts)
    have = np.sort(owners * sets.vocabulary + sets.words)
    result = np.zeros(len(one))
    for start in range(0, len(one), _BLOCK):
        some = slice(start, start + _BLOCK)
        shared = _shared(sets, have, one[some], other[some])
        result[some] = shared / (sets.counts[one[some]] + sets.counts[other[some]] - shared)
    return result


def _shared(sets: _Sets, have: Integers, one: Integers, other: Integers) -> Any:
    """How many words each pair shares."""
    sizes = sets.counts[one]
    pair = np.repeat(np.arange(len(one)), sizes)
    within = np.arange(len(pair)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    asked = other[pair] * sets.vocabulary + sets.words[np.repeat(sets.starts[one], sizes) + within]
    places = np.minimum(np.searchsorted(have, asked), len(have) - 1)
    return np.bincount(pair[have[places] == asked], minlength=len(one))


def _nearest(held: Integers, known: Integers, alike: npt.NDArray[np.float64]) -> Pairs:
    order = np.lexsort((known, -alike, held))
    held, known, alike = held[order], known[order], alike[order]
    first = np.append(True, held[1:] != held[:-1]) if len(held) else np.array([], bool)
    return Pairs(held[first], known[first], alike[first])
