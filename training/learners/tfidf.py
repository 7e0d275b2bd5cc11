"""Texts to TF-IDF weights of word or character n-grams: one function, `TfIdf.weights`, for training and for serving.

The formula is scikit-learn's (smooth idf, sublinear tf, rows of length 1; `char_wb` for characters) and a test compares
them; it is written out so that the fitted vocabulary is plain JSON and a request costs no scikit-learn vectoriser.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from learners.errors import BadData

Places = npt.NDArray[np.int64]
Weights = npt.NDArray[np.float64]
_WORD = re.compile(r"(?u)\b\w\w+\b")
_REMEMBERED = 50_000  # words whose character n-grams are kept at hand
_CHUNK = 2_000  # texts counted at a time: what bounds the memory of a fit


class TfIdf:
    """A vocabulary (in the order of the columns) and the idf weight of each of its terms.

    Terms are runs of 1 to `longest` words; with `shortest` above 0, of `shortest` to `longest` characters of one word,
    a space before and after it.
    """

    def __init__(
        self, terms: Sequence[str], idf: npt.NDArray[np.float64], longest: int, shortest: int = 0
    ) -> None:
        self.terms = list(terms)
        self.idf = idf
        self.longest = longest
        self.shortest = shortest
        self._find = _finder({term: place for place, term in enumerate(self.terms)}, longest, shortest)

    @classmethod
    def fit(
        cls, texts: Sequence[str], longest: int, min_rows: int, max_terms: int, shortest: int = 0
    ) -> "TfIdf":
        """Keep the `max_terms` most frequent terms of those in `min_rows` texts; raise BadData if there is none."""
        seen, total, rows = _counted(texts, longest, shortest)
        kept = [(-total[place], term, place) for term, place in seen.items() if rows[place] >= min_rows]
        if not kept:
            raise BadData(
                f"No word occurs in {min_rows} texts: upload more text or lower min_df."
                if any(text.strip() for text in texts)
                else "Every text is empty: check which column has the type text, and its null_values."
            )
        kept = sorted(sorted(kept)[:max_terms], key=lambda one: one[1])
        counts = rows[[place for _, _, place in kept]]
        idf = np.log((1 + len(texts)) / (1 + counts)) + 1
        return cls([term for _, term, _ in kept], idf, longest, shortest)

    def weights(self, text: str) -> tuple[Places, Weights]:
        """Return the text's (columns, weights), columns ascending; empty if it holds no known term."""
        places, counts = np.unique(np.asarray(self._find(text), np.int64), return_counts=True)
        raw = (1 + np.log(counts)) * self.idf[places]
        return places, raw / (np.sqrt(raw @ raw) or 1.0)

    def dense(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return the (texts, terms) matrix in full: for a few texts."""
        out = np.zeros((len(texts), len(self.terms)), dtype=np.float32)
        for row, text in enumerate(texts):
            places, weights = self.weights(text)
            out[row, places] = weights
        return out

    def sparse(self, texts: Iterable[str]) -> Any:
        """Return the same matrix as scipy CSR: for many texts."""
        return stacked((self.weights(text) for text in texts), len(self.terms))


def stacked(rows: Iterable[tuple[Places, Weights]], width: int) -> Any:
    """Return rows of (columns, weights) as a float32 scipy CSR matrix of `width` columns."""
    from scipy.sparse import csr_matrix  # noqa: PLC0415 - a request of few texts does without

    places, weights, ends = [np.empty(0, np.int32)], [np.empty(0, np.float32)], [0]
    for at, weight in rows:
        places.append(at.astype(np.int32))
        weights.append(weight.astype(np.float32))
        ends.append(ends[-1] + len(at))
    parts = np.concatenate(weights), np.concatenate(places), np.array(ends, np.int64)
    return csr_matrix(parts, shape=(len(ends) - 1, width))


def _counted(
    texts: Sequence[str], longest: int, shortest: int
) -> tuple[dict[str, int], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return every term with its number, and by number how often it occurs and in how many texts."""
    seen = _Numbers()
    find = _finder(seen, longest, shortest)
    total, rows = np.zeros(0, np.int64), np.zeros(0, np.int64)
    for start in range(0, len(texts), _CHUNK):
        found = [np.asarray(find(text), np.int64) for text in texts[start : start + _CHUNK]]
        once = [np.unique(places) for places in found]
        total = _added(total, np.concatenate(found), len(seen))
        rows = _added(rows, np.concatenate(once), len(seen))
    return seen, total, rows


def _added(counts: npt.NDArray[np.int64], places: Places, size: int) -> npt.NDArray[np.int64]:
    more = np.bincount(places, minlength=size)
    more[: len(counts)] += counts
    return more


class _Numbers(dict[str, int]):
    """Gives every term it is asked for a number of its own."""

    def __missing__(self, term: str) -> int:
        self[term] = number = len(self)
        return number

    def get(self, term: str, default: Any = None) -> int:  # noqa: ARG002 - none is ever unknown
        return self[term]


def _finder(
    numbers: Mapping[str, int], longest: int, shortest: int
) -> Callable[[str], Places | Sequence[int]]:
    """Return the function from a text to the numbers of the terms in it, one for every time a term occurs."""
    get = numbers.get

    def words(text: str) -> list[int]:
        return [place for term in _terms(text, longest) if (place := get(term)) is not None]

    remembered: dict[str, Places] = {}

    def characters(text: str) -> Places:
        found = []
        for word in text.lower().split():
            places = remembered.get(word)
            if places is None:
                known = [get(gram) for gram in _grams(word, shortest, longest)]
                places = np.array([place for place in known if place is not None], np.int64)
                if len(remembered) >= _REMEMBERED:
                    remembered.clear()
                remembered[word] = places
            found.append(places)
        return np.concatenate(found) if found else np.empty(0, np.int64)

    return characters if shortest else words


def _terms(text: str, longest: int) -> list[str]:
    words = _WORD.findall(text.lower())
    terms = list(words)
    for size in range(2, longest + 1):
        terms += [" ".join(words[at : at + size]) for at in range(len(words) - size + 1)]
    return terms


def _grams(word: str, shortest: int, longest: int) -> Iterator[str]:
    """Yield the character n-grams of one word with a space before and after; a short word is one n-gram, once."""
    padded = f" {word} "
    for size in range(shortest, longest + 1):
        yield padded[:size]
        if size >= len(padded):
            return
        for at in range(1, len(padded) - size + 1):
            yield padded[at : at + size]
