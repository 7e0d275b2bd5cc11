"""Word vectors by counting: positive pointwise mutual information of words and their neighbours, and its largest parts.

Levy and Goldberg 2014 show that word2vec's skip-gram factorises (nearly) this matrix; Levy, Goldberg and Dagan 2015 are
where the smoothed contexts and the square root of the singular values come from. It takes one pass, needs NumPy and
scipy only, and gives the same vectors every time.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
_SMOOTH = 0.75  # power on the contexts' counts: rare contexts are worth less than they seem
_ROUNDS = 4  # power iterations of the decomposition
_SPARE = 10  # dimensions it carries along for accuracy
_CHUNK = 1_000_000  # words counted at a time: bounds memory


@dataclass(frozen=True)
class Corpus:
    """Word numbers below `words`, one text after the other; -1 between texts and for words left out."""

    numbers: npt.NDArray[np.int64]
    words: int

    @classmethod
    def of(cls, texts: Sequence[npt.NDArray[Any]], words: int) -> "Corpus":
        """Return texts as one run of numbers."""
        parts: list[Any] = []
        for text in texts:
            parts += [text, [-1]]
        return cls(np.concatenate(parts).astype(np.int64) if parts else np.zeros(0, np.int64), words)


def embed(corpus: Corpus, size: int, *, window: int, seed: int) -> Vectors:
    """Return (words, size or as many as there can be) vectors of length 1; a word without neighbours has zeros."""
    matrix = information(neighbours(corpus, window))
    left, values = decomposed(matrix, min(size, max(1, corpus.words - 1)), seed)
    vectors = left * np.sqrt(values)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    known = (np.diff(matrix.indptr)[:, None] > 0) & (lengths > 0)  # the others hold rounding errors only
    return np.where(known, vectors / np.where(known, lengths, 1), 0).astype(np.float32)


def neighbours(corpus: Corpus, window: int) -> Any:
    """Return the sparse (words, words) counts of neighbours up to `window` apart: 1 beside, less with the distance."""
    from scipy.sparse import coo_matrix, csr_matrix  # noqa: PLC0415 - only to fit

    total = csr_matrix((corpus.words, corpus.words))
    for distance in range(1, window + 1):
        weight = (window - distance + 1) / window
        for left, right in _pairs(corpus.numbers, distance):
            ones = np.full(len(left), weight)
            found = coo_matrix((ones, (left, right)), shape=total.shape).tocsr()
            total = total + found + found.T
    return total


def information(counts: Any) -> Any:
    """Return the positive pointwise mutual information of words (rows) with contexts (columns), sparse."""
    from scipy.sparse import csr_matrix  # noqa: PLC0415

    found = counts.tocoo()
    rows = np.asarray(counts.sum(axis=1)).ravel()
    contexts = rows**_SMOOTH
    chance = rows[found.row] * (contexts / contexts.sum())[found.col]
    values = np.log(found.data / chance)
    positive = values > 0
    return csr_matrix((values[positive], (found.row[positive], found.col[positive])), shape=counts.shape)


def decomposed(matrix: Any, size: int, seed: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Return the `size` largest singular values and their left vectors, signs fixed (Halko, Martinsson, Tropp 2011)."""
    draw = np.random.default_rng(seed)
    width = min(size + _SPARE, matrix.shape[0])
    basis = np.linalg.qr(matrix @ draw.standard_normal((matrix.shape[1], width)))[0]
    for _ in range(_ROUNDS):
        basis = np.linalg.qr(matrix @ np.linalg.qr(matrix.T @ basis)[0])[0]
    small, values, _ = np.linalg.svd((matrix.T @ basis).T, full_matrices=False)
    left = (basis @ small)[:, :size]
    signs = np.sign(left[np.abs(left).argmax(axis=0), np.arange(left.shape[1])])
    return left * np.where(signs == 0, 1, signs), values[:size]


def _pairs(
    numbers: npt.NDArray[np.int64], distance: int
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Yield the words that stand `distance` apart with no gap between them, some at a time."""
    gaps = np.concatenate([[0], np.cumsum(numbers < 0)])
    for start in range(0, len(numbers) - distance, _CHUNK):
        stop = min(start + _CHUNK, len(numbers) - distance)
        left, right = numbers[start:stop], numbers[start + distance : stop + distance]
        whole = gaps[start + distance + 1 : stop + distance + 1] == gaps[start:stop]
        yield left[whole], right[whole]
