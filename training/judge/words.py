"""How good word vectors are, by texts they have not seen and by what people say of words.

- `neighbour_auc`: how often a word is nearer to one that stands near it in a test text than to any other word of the
  test texts, drawn as often as it occurs there (0.5: no better than chance). A word without a vector is near to none.
- `coverage`: the share of the words of the test texts that have a vector.
- `rho`: Spearman's rank correlation with people's scores of pairs (WordSim-353 and the like), of pairs both known.
- `analogies`: the share of a : b = c : d for which d is the word nearest to b - a + c; an unknown word is a miss.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from learners.text_words import split

from judge import resample

Array = npt.NDArray[Any]
SEED, REACH, MOST_PAIRS = 42, 5, 50_000
FEWEST_PAIRS = 3  # of people's pairs: of fewer there is no rank correlation


class Space(Protocol):
    """What is judged: words, the commonest first, with vectors of length 1 (or 0)."""

    @property
    def words(self) -> list[str]:
        """All of them."""

    @property
    def vectors(self) -> Array:
        """(words, dimensions)."""

    def place(self, word: str) -> int:
        """A word's place, -1 if it is not known."""

    def of(self, words: Sequence[str]) -> Array:
        """Their vectors, zeros for unknown ones."""


@dataclass(frozen=True)
class Questions:
    """What vectors are judged by: (word, near it, any other) with the test row each is of, the words, people's."""

    words: tuple[str, ...]  # every word of the test texts, as often as it is there
    near: tuple[tuple[str, str, str], ...]
    rows: Array
    texts: int
    pairs: tuple[tuple[str, str, float], ...] = ()
    analogies: tuple[tuple[str, str, str, str], ...] = ()


def questions(texts: Sequence[str], asked: Mapping[str, Any]) -> Questions:
    """Return the questions of the test texts, at most MOST_PAIRS, and those of the spec's `evaluate`. Seed fixed."""
    parts = [split(text) for text in texts]
    words = [word for part in parts for word in part]
    draw = np.random.default_rng(SEED)
    places = [(row, at) for row, part in enumerate(parts) for at in range(len(part) - 1)]
    if len(places) > MOST_PAIRS:
        places = [places[k] for k in np.sort(draw.choice(len(places), MOST_PAIRS, replace=False))]
    near, rows = [], []
    for row, at in places:
        part = parts[row]
        one, other = part[at], part[at + 1 + int(draw.integers(min(REACH, len(part) - at - 1)))]
        near.append((one, other, words[int(draw.integers(len(words)))]))
        rows.append(row)
    return Questions(
        tuple(words),
        tuple(near),
        np.array(rows, np.int64),
        len(parts),
        tuple((str(a), str(b), float(score)) for a, b, score in asked.get("pairs", ())),
        tuple((str(a), str(b), str(c), str(d)) for a, b, c, d in asked.get("analogies", ())),
    )


def measured(space: Space, asked: Questions) -> dict[str, float]:
    """Return the metrics there are; a metric without a question is left out."""
    found: dict[str, float] = {}
    if asked.near:
        found["neighbour_auc"] = float(np.mean(wins(space, asked)))
    if asked.words:
        found["coverage"] = float(np.mean([space.place(word) >= 0 for word in asked.words]))
    rho = _rho(space, asked)
    if rho is not None:
        found["rho"] = rho
    if asked.analogies:
        found["analogies"] = float(np.mean([row["right"] for row in analogies(space, asked)]))
    return found


def wins(space: Space, asked: Questions) -> Array:
    """Return for each question 1 if the word near it is the nearer one, 0 if the other is, a half if neither is."""
    one, near, other = (space.of(words) for words in zip(*asked.near, strict=True))
    ahead = np.einsum("ij,ij->i", one, near) - np.einsum("ij,ij->i", one, other)
    return np.where(ahead > 0, 1.0, np.where(ahead < 0, 0.0, 0.5))


def interval(space: Space, asked: Questions, times: int, confidence: float) -> dict[str, float] | None:
    """Return the interval of neighbour_auc over resampled test texts; None with fewer than two."""
    if asked.texts < 2 or not asked.near:
        return None
    won = np.bincount(asked.rows, wins(space, asked), asked.texts)
    there = np.bincount(asked.rows, minlength=asked.texts).astype(np.float64)

    def family(weights: Array) -> dict[str, Array]:
        count = weights @ there
        return {"auc": np.where(count > 0, weights @ won / np.maximum(count, 1), np.nan)}

    drawn = resample.replicates({"model": family}, asked.texts, resample.times(times, asked.texts))
    return resample.interval(drawn["model"]["auc"], confidence)


def known_pairs(space: Space, asked: Questions) -> list[tuple[str, str, float]]:
    """Return people's pairs whose words both have a vector."""
    return [one for one in asked.pairs if space.place(one[0]) >= 0 and space.place(one[1]) >= 0]


def analogies(space: Space, asked: Questions) -> list[dict[str, Any]]:
    """Return each analogy with the word found (None: a word of it is unknown) and whether it is the right one."""
    out = []
    for a, b, c, d in asked.analogies:
        first, second, third = space.of([a, b, c])
        unknown = any(space.place(word) < 0 for word in (a, b, c))
        found = None if unknown else nearest(space, second - first + third, (a, b, c), 1)[0]
        right = found is not None and found == d.lower()
        out.append({"given": [a, b, c], "wanted": d, "found": found, "right": right})
    return out


def nearest(space: Space, vector: Array, without: Sequence[str], count: int) -> list[str]:
    """Return the words whose vectors point most the same way."""
    barred = {space.place(word) for word in without}
    order = np.argsort(-(space.vectors @ vector), kind="stable")[: count + len(barred)]
    return [space.words[place] for place in order if place not in barred][:count]


def _rho(space: Space, asked: Questions) -> float | None:
    known = known_pairs(space, asked)
    if len(known) < FEWEST_PAIRS:
        return None
    from scipy.stats import spearmanr  # noqa: PLC0415 - slow to import

    one, other = space.of([a for a, _, _ in known]), space.of([b for _, b, _ in known])
    alike = np.einsum("ij,ij->i", one, other)
    rho = float(spearmanr(alike, [score for *_, score in known])[0])
    return rho if np.isfinite(rho) else None
