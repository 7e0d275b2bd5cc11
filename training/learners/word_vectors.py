"""Word vectors of the project's own texts, by counting (learners/cooccurrence.py): task embeddings.

Words are what text_words.split gives, in small letters. A question is one word; its answer is its vector, and zeros if
the texts did not hold it often enough, as SageMaker's BlazingText answers.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from learners.cooccurrence import Corpus, Vectors, embed
from learners.errors import BadData
from learners.hyperparameters import Known, Number, parse
from learners.problem import Floats, Problem, Rows, Table
from learners.schema import Feature
from learners.text_features import joined
from learners.text_words import split

VECTORS, WORDS, TEXT_FORM = "vectors.npy", "vocabulary.json", "vectors.txt"
HYPERPARAMETERS: Known = {
    "vector_dim": Number(100, 1, 1000, whole=True),
    "window_size": Number(8, 1, 100, whole=True),
    "min_count": Number(5, 1, 10_000, whole=True),
    "max_words": Number(100_000, 10, 1_000_000, whole=True),
    "seed": Number(42, 0, 2**31 - 1, whole=True),
}
ALIASES: dict[str, str] = {}


class Model:
    """Words, the commonest first, with vectors of length 1. `importance` is empty: there is one column."""

    def __init__(self, words: Sequence[str], vectors: Vectors, features: Sequence[Feature]) -> None:
        self.words = list(words)
        self.vectors = vectors
        self.features = list(features)
        self.importance: list[tuple[str, float]] = []
        self._place = {word: place for place, word in enumerate(self.words)}

    def place(self, word: str) -> int:
        """Return a word's place, as written or else in small letters; -1 for a word that is not known."""
        return self._place.get(word, self._place.get(word.lower(), -1))

    def of(self, words: Sequence[str]) -> Vectors:
        """Return (words, dimensions) vectors; zeros for a word that is not known."""
        places = np.array([self.place(word) for word in words], np.int64)
        found: Vectors = np.where(places[:, None] >= 0, self.vectors[places], np.float32(0))
        return found

    def predict(self, columns: Table, rows: int) -> Floats:
        """Return (rows, dimensions): the vector of each row's word."""
        words = joined(columns, [feature.name for feature in self.features], rows)
        return self.of([word.strip() for word in words]).astype(np.float64)

    def save(self, directory: Path) -> list[str]:
        """Write the vectors (npy), the words (JSON) and both in word2vec's text format; return the files' names."""
        with (directory / VECTORS).open("wb") as file:
            np.save(file, self.vectors, allow_pickle=False)
        document = {"words": self.words, "features": [feature.document() for feature in self.features]}
        (directory / WORDS).write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
        with (directory / TEXT_FORM).open("w", encoding="utf-8") as file:
            file.write(f"{len(self.words)} {self.vectors.shape[1]}\n")
            for word, vector in zip(self.words, self.vectors, strict=True):
                file.write(f"{word} {' '.join(f'{value:.6g}' for value in vector)}\n")
        return [VECTORS, WORDS, TEXT_FORM]


def load(directory: Path) -> Model:
    """Return the model `save` wrote; objects in the file are refused."""
    document = json.loads((directory / WORDS).read_text(encoding="utf-8"))
    vectors = np.load(directory / VECTORS, allow_pickle=False)
    return Model(document["words"], vectors, [Feature(**one) for one in document["features"]])


def fit(
    problem: Problem,
    hyperparameters: Mapping[str, str],
    say: Callable[[str], None],
    threads: int = 1,  # noqa: ARG001 - counting has one
) -> Model:
    """Return the vectors of the training texts' words; raise BadData if no word is frequent enough."""
    values = parse(hyperparameters, HYPERPARAMETERS)
    return _counted(problem, [problem.train], values, say)


def finish(
    model: Model,
    problem: Problem,
    hyperparameters: Mapping[str, str],
    say: Callable[[str], None],
    threads: int = 1,  # noqa: ARG001 - as above
) -> Model:
    """Return the model to ship: counted anew in train and validation together."""
    if problem.validation is None:
        return model
    say("counted again in train and validation together")
    values = parse(hyperparameters, HYPERPARAMETERS)
    return _counted(problem, [problem.train, problem.validation], values, say)


def _counted(
    problem: Problem, parts: Sequence[Rows], values: Mapping[str, Any], say: Callable[[str], None]
) -> Model:
    features = _features(problem)
    names = [feature.name for feature in features]
    texts = [split(text) for part in parts for text in joined(part.columns, names, len(part))]
    words = _vocabulary(texts, int(values["min_count"]), int(values["max_words"]))
    place = {word: number for number, word in enumerate(words)}
    numbers: list[npt.NDArray[np.int64]] = [
        np.array([place[word] for word in text if word in place], np.int64) for text in texts
    ]
    say(f"{sum(map(len, texts))} words in {len(texts)} texts, {len(words)} different ones that count")
    size, window, seed = (int(values[name]) for name in ("vector_dim", "window_size", "seed"))
    found = np.zeros((len(words), size), np.float32)  # few words span fewer dimensions: the others are 0
    vectors = embed(Corpus.of(numbers, len(words)), size, window=window, seed=seed)
    found[:, : vectors.shape[1]] = vectors
    return Model(words, found, features)


def _features(problem: Problem) -> list[Feature]:
    if problem.dataset.task != "embeddings":
        raise BadData("word_vectors learns embeddings: set task to embeddings, or name another learner.")
    texts = [column for column in problem.dataset.features if column.role == "text"]
    if not texts:
        raise BadData("word_vectors needs a text column: give one the role text in the project's columns.")
    return [Feature(one.name, one.role, one.format, list(one.null_values)) for one in texts]


def _vocabulary(texts: Sequence[Sequence[str]], least: int, most: int) -> list[str]:
    """Return the words that occur `least` times, the commonest first; raise BadData if two words do not."""
    counts = Counter(word for text in texts for word in text)
    kept = sorted((-count, word) for word, count in counts.items() if count >= least)
    if len(kept) < 2:
        raise BadData(
            f"Fewer than two words occur {least} times: upload more text or lower min_count."
            if counts
            else "Every text is empty: check which column has the type text, and its null_values."
        )
    return [word for _, word in kept[:most]]
