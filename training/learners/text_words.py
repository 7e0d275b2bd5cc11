"""Texts to the word numbers a network reads: one function, `Words.numbers`, for training and for serving."""

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from learners.errors import BadData

Numbers = npt.NDArray[np.int64]
PADDING, UNKNOWN = 0, 1  # numbers no word has
_WORD = re.compile(r"\w+(?:['\u2019]\w+)?|[!?]")


class Words:
    """A vocabulary: word k of `words` has the number k + 2. Texts longer than `longest` words are cut there."""

    def __init__(self, words: Sequence[str], longest: int) -> None:
        self.words = list(words)
        self.longest = longest
        self._number = {word: number for number, word in enumerate(self.words, start=2)}

    def __len__(self) -> int:
        return len(self.words) + 2

    @classmethod
    def fit(cls, texts: Sequence[str], longest: int, min_count: int, most: int) -> "Words":
        """Keep the `most` commonest words of those that occur `min_count` times; raise BadData if there is none."""
        counts = Counter(word for text in texts for word in split(text))
        kept = sorted((-count, word) for word, count in counts.items() if count >= min_count)
        if not kept:
            raise BadData(
                f"No word occurs {min_count} times: upload more text or lower min_count."
                if counts
                else "Every text is empty: check which column has the type text, and its null_values."
            )
        return cls([word for _, word in kept[:most]], longest)

    def numbers(self, texts: Sequence[str]) -> list[Numbers]:
        """Return each text's word numbers; an empty text is one unknown word, so that there is something to read."""
        get = self._number.get
        found = [[get(word, UNKNOWN) for word in split(text)[: self.longest]] for text in texts]
        return [np.array(numbers or [UNKNOWN], np.int64) for numbers in found]


def split(text: str) -> list[str]:
    """Return the words of a text in small letters; an exclamation and a question mark are words."""
    return _WORD.findall(text.lower())


def padded(numbers: Sequence[Numbers], least: int = 1) -> tuple[Numbers, Numbers]:
    """Return a (texts, words) matrix, filled up with PADDING to `least` words or more, and each text's length."""
    lengths = np.array([len(one) for one in numbers], np.int64)
    out = np.full((len(numbers), max(least, int(lengths.max()))), PADDING, np.int64)
    for row, one in enumerate(numbers):
        out[row, : len(one)] = one
    return out, lengths
