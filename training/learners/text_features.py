"""What linear models of text read: TF-IDF of words, TF-IDF of character n-grams, and a column for each category.

One function, `TextFeatures.rows`, for training and for serving. Text columns are joined, in their order.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from learners.errors import BadData
from learners.problem import Problem, Table
from learners.schema import Feature
from learners.tfidf import Places, TfIdf, Weights, stacked

FEW_ROWS = 5  # of a category before it has a weight of its own
MOST_CATEGORIES = 1000  # of one column
Tables = Sequence[tuple[Table, int]]  # columns and how many rows they have


class TextFeatures:
    """A fitted vocabulary. Columns of the matrix: words, then character n-grams, then categories."""

    def __init__(self, features: Sequence[Feature], words: TfIdf, characters: TfIdf | None) -> None:
        self.features = list(features)
        self._words, self._characters = words, characters
        self._texts = [feature.name for feature in features if feature.role == "text"]
        self._codes: dict[str, dict[str, int]] = {}
        at = len(words.terms) + (len(characters.terms) if characters else 0)
        for feature in features:
            if feature.role == "category":
                self._codes[feature.name] = {name: at + k for k, name in enumerate(feature.categories)}
                at += len(feature.categories)
        self._width = at

    def __len__(self) -> int:
        return self._width

    @property
    def names(self) -> list[str]:
        """Return what each column of the matrix stands for; character n-grams are quoted."""
        quoted = [repr(term) for term in self._characters.terms] if self._characters else []
        categories = [f"{name}={value}" for name, codes in self._codes.items() for value in codes]
        return [*self._words.terms, *quoted, *categories]

    @classmethod
    def fit(
        cls,
        features: Sequence[Feature],
        tables: Tables,
        *,
        longest: int,
        characters: tuple[int, int],
        min_rows: int,
        most: tuple[int, int],
    ) -> "TextFeatures":
        """Learn the vocabulary. `characters` are the shortest and longest n-gram, (…, 0) for none; raise BadData."""
        names = [feature.name for feature in features if feature.role == "text"]
        texts = [text for table, rows in tables for text in joined(table, names, rows)]
        words = TfIdf.fit(texts, longest, min_rows, most[0])
        low, high = characters
        if high and high < low:
            raise BadData(
                f"char_max is {high} and char_min {low}: give a char_max of 0 or of at least {low}."
            )
        grams = TfIdf.fit(texts, high, min_rows, most[1], shortest=low) if high else None
        known = [
            replace(one, categories=_categories(one.name, tables)) if one.role == "category" else one
            for one in features
        ]
        return cls(known, words, grams)

    def rows(self, columns: Table, rows: int) -> Iterator[tuple[Places, Weights]]:
        """Yield each row's (columns, weights), columns ascending; empty when nothing in it is known."""
        codes = [(columns.get(name), places) for name, places in self._codes.items()]
        for row, text in enumerate(joined(columns, self._texts, rows)):
            parts = [self._words.weights(text)]
            if self._characters:
                places, weights = self._characters.weights(text)
                parts.append((places + len(self._words.terms), weights))
            found = [
                place
                for values, known in codes
                if values is not None and (place := _known(known, values[row])) is not None
            ]
            parts.append((np.array(found, np.int64), np.ones(len(found))))
            yield np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    def matrix(self, tables: Tables) -> Any:
        """Return the rows of the tables, one after the other, as a float32 scipy CSR matrix."""
        return stacked((row for table, rows in tables for row in self.rows(table, rows)), len(self))

    def document(self) -> dict[str, Any]:
        """Return the vocabulary as JSON."""
        parts = {"words": self._words, **({"characters": self._characters} if self._characters else {})}
        kept: dict[str, Any] = {
            name: {
                "longest": part.longest,
                "shortest": part.shortest,
                "terms": part.terms,
                "idf": part.idf.tolist(),
            }
            for name, part in parts.items()
        }
        return {"features": [feature.document() for feature in self.features], **kept}

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> "TextFeatures":
        """Return what `document` wrote."""

        def part(name: str) -> TfIdf | None:
            one = document.get(name)
            return one and TfIdf(one["terms"], np.array(one["idf"]), one["longest"], one["shortest"])

        words = part("words")
        if words is None:
            raise BadData("The model's vocabulary has no words: train it again.")
        return cls([Feature(**one) for one in document["features"]], words, part("characters"))


def joined(columns: Table, names: Sequence[str], rows: int) -> list[str]:
    """Return each row's texts in one; what is missing or no text is left out."""
    parts = [columns[name] if name in columns else [None] * rows for name in names]
    return [" ".join(value for value in row if isinstance(value, str)) for row in zip(*parts, strict=True)]


def features_of(
    problem: Problem, learner: str, say: Callable[[str], None], *, categories: bool = False
) -> list[Feature]:
    """Return the text columns (and `categories` if wanted) a learner reads; say what is left out; raise BadData."""
    columns = [column for column in problem.dataset.features if column.name in problem.train.columns]
    if problem.dataset.task != "classification":
        raise BadData(
            f"{learner} classifies: set task to classification, or learner.name to gradient_boosting."
        )
    if not any(column.role == "text" for column in columns):
        raise BadData(f"{learner} needs a text column: give one the role text in the project's columns.")
    roles = ("text", "category") if categories else ("text",)
    unused = [column.name for column in columns if column.role not in roles]
    if unused:
        kinds = "text and categories" if categories else "text"
        say(f"warning: {learner} reads {kinds} only; left out: {', '.join(unused)}")
    return [Feature(c.name, c.role, c.format, list(c.null_values)) for c in columns if c.role in roles]


def _categories(name: str, tables: Tables) -> list[str]:
    """Return the categories with enough rows, at most MOST_CATEGORIES of them, in the order of the alphabet."""
    counts = Counter(value for table, _ in tables for value in table.get(name, ()) if isinstance(value, str))
    kept = sorted((-count, value) for value, count in counts.items() if count >= FEW_ROWS)
    return sorted(value for _, value in kept[:MOST_CATEGORIES])


def _known(codes: Mapping[str, int], value: Any) -> int | None:
    return codes.get(value) if isinstance(value, str) else None
