"""A fitted TF-IDF or count vectoriser for one text at a time: same columns, same weights, to the last bit.

scikit-learn's own builds matrices and checks them; for one short text that takes most of the time. The order of
additions is its own (columns ascending), so the length of a row is rounded as there.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

Row = tuple[list[int], list[float]]  # columns ascending, weights
_NORMS: dict[str, Callable[[Sequence[float]], float]] = {
    "l2": lambda raw: math.sqrt(sum(one * one for one in raw)),
    "l1": lambda raw: sum(map(abs, raw)),
}


class Words:
    """Made of a fitted CountVectorizer or TfidfVectorizer; others raise TypeError."""

    def __init__(self, fitted: Any) -> None:
        from sklearn.feature_extraction import text  # noqa: PLC0415 - it is there: the model came from it

        if type(fitted) not in (text.CountVectorizer, text.TfidfVectorizer):
            raise TypeError(f"{type(fitted).__name__} has no quicker form")
        self._analyse = _analyser(fitted)
        self._binary = fitted.binary
        weighted = isinstance(fitted, text.TfidfVectorizer)
        self._sublinear = weighted and fitted.sublinear_tf
        self._norm = _NORMS[fitted.norm] if weighted and fitted.norm else None
        idf = fitted.idf_.tolist() if weighted and fitted.use_idf else [1.0] * len(fitted.vocabulary_)
        self.width = len(fitted.vocabulary_)
        self.terms = list(fitted.vocabulary_)
        self._known = {term: (int(place), idf[place]) for term, place in fitted.vocabulary_.items()}

    def row(self, text: str) -> Row:
        """Return the text's row of the matrix."""
        known = self._known
        counts = Counter([term for term in self._analyse(text) if term in known])
        found = sorted([(*known[term], count) for term, count in counts.items()])
        if self._binary:
            raw = [idf for _, idf, _ in found]
        elif self._sublinear:
            raw = [(math.log(count) + 1) * idf for _, idf, count in found]
        else:
            raw = [count * idf for _, idf, count in found]
        columns = [place for place, _, _ in found]
        if self._norm is not None:
            length = self._norm(raw)
            if length:
                raw = [weight / length for weight in raw]
        return columns, raw


def _analyser(fitted: Any) -> Callable[[str], list[str]]:
    """Text to terms. The common case by hand, any other by scikit-learn's own function."""
    whole: Callable[[str], list[str]] = fitted.build_analyzer()
    plain = (
        fitted.analyzer == "word"
        and fitted.preprocessor is None
        and fitted.strip_accents is None
        and tuple(fitted.ngram_range) in ((1, 1), (1, 2))
    )
    if not plain:
        return whole
    tokens = fitted.build_tokenizer()
    stops = fitted.get_stop_words() or frozenset()
    pairs, lower = tuple(fitted.ngram_range) == (1, 2), fitted.lowercase

    def analyse(text: str) -> list[str]:
        words: list[str] = tokens(text.lower() if lower else text)
        if stops:
            words = [word for word in words if word not in stops]
        return words + [f"{a} {b}" for a, b in pairwise(words)] if pairs else words

    return analyse
