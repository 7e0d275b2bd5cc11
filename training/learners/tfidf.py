"""Texts to TF-IDF weights of word 1-2-grams: one function, `TfIdf.weights`, for training and for serving.

The formula is scikit-learn's (smooth idf, sublinear tf, rows of length 1) and a test compares the two; it is written
out so that the fitted vocabulary is plain JSON and a request costs no scikit-learn vectoriser.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from learners.errors import BadData

_WORD = re.compile(r"(?u)\b\w\w+\b")


class TfIdf:
    """A vocabulary (in the order of the columns) and the idf weight of each of its terms."""

    def __init__(self, terms: Sequence[str], idf: npt.NDArray[np.float64], longest: int) -> None:
        self.terms = list(terms)
        self.idf = idf
        self.longest = longest  # words in the longest term
        self._weight = {term: (place, float(idf[place])) for place, term in enumerate(self.terms)}

    @classmethod
    def fit(cls, texts: Sequence[str], longest: int, min_rows: int, max_terms: int) -> "TfIdf":
        """Keep the `max_terms` most frequent terms of those in `min_rows` texts; raise BadData if there is none."""
        total: Counter[str] = Counter()
        rows: Counter[str] = Counter()
        for text in texts:
            counts = Counter(_terms(text, longest))
            total.update(counts)
            rows.update(counts.keys())
        kept = [term for term, count in rows.items() if count >= min_rows]
        if not kept:
            raise BadData(f"No word occurs in {min_rows} texts: upload more text or lower min_df.")
        kept.sort(key=lambda term: (-total[term], term))
        terms = sorted(kept[:max_terms])
        idf = np.array([math.log((1 + len(texts)) / (1 + rows[term])) + 1 for term in terms])
        return cls(terms, idf, longest)

    def weights(self, text: str) -> tuple[list[int], list[float]]:
        """Return the text's (columns, weights), columns ascending; empty if it holds no known term."""
        found = sorted(
            (*self._weight[term], count)
            for term, count in Counter(_terms(text, self.longest)).items()
            if term in self._weight
        )
        raw = [(1 + math.log(count)) * idf for _, idf, count in found]
        length = math.sqrt(sum(weight * weight for weight in raw)) or 1.0
        return [place for place, _, _ in found], [weight / length for weight in raw]

    def dense(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return the (texts, terms) matrix in full: for a few texts."""
        out = np.zeros((len(texts), len(self.terms)), dtype=np.float32)
        for row, text in enumerate(texts):
            places, weights = self.weights(text)
            out[row, places] = weights
        return out

    def sparse(self, texts: Iterable[str]) -> Any:
        """Return the same matrix as scipy CSR: for many texts."""
        from scipy.sparse import csr_matrix  # noqa: PLC0415 - a request of few texts does without

        places: list[int] = []
        weights: list[float] = []
        ends = [0]
        for text in texts:
            at, weight = self.weights(text)
            places += at
            weights += weight
            ends.append(len(places))
        parts = np.array(weights, np.float32), np.array(places, np.int32), np.array(ends, np.int32)
        return csr_matrix(parts, shape=(len(ends) - 1, len(self.terms)))


def _terms(text: str, longest: int) -> list[str]:
    words = _WORD.findall(text.lower())
    terms = list(words)
    for size in range(2, longest + 1):
        terms += [" ".join(words[at : at + size]) for at in range(len(words) - size + 1)]
    return terms
