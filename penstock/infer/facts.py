"""What a column looks like, counted: the facts every guess about it is made from."""

import re
from dataclasses import dataclass, field
from datetime import datetime

import pandas

# Tokens people write for "not known". They count as missing when the rest of the column is numbers or dates.
NULL_TOKENS = frozenset(
    {"na", "n/a", "nan", "null", "none", "nil", "tbd", "tba", "?", "-", "--", "unknown", "missing", "#n/a"}
)
DATE_FORMATS = (
    "%Y-%m-%d",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%d %H:%M",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%d %b %Y",
    "%b %d, %Y",
)
_TRIED_DATES = 500
_MOSTLY = 0.98


@dataclass(frozen=True)
class Facts:
    """One column: counts over the sample's non-empty cells; shares are of those cells, 0 to 1."""

    name: str
    rows: int
    present: int
    distinct: int
    numbers: pandas.Series
    odd_words: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    words: float = 0.0
    top: tuple[str, ...] = ()
    texts: pandas.Series = field(default_factory=lambda: pandas.Series(dtype=object))

    @property
    def missing_share(self) -> float:
        """Empty cells, as a share of the sample's rows."""
        return 1 - self.present / self.rows if self.rows else 1.0

    @property
    def distinct_share(self) -> float:
        """Distinct values, as a share of the non-empty cells: 1 means every value is unique."""
        return self.distinct / self.present if self.present else 0.0

    @property
    def is_number(self) -> bool:
        """Numbers throughout, or numbers with a few words that plainly mean "not known"."""
        found = int(self.numbers.notna().sum())
        if not found:
            return False
        return found == self.present or (bool(self.odd_words) and found >= 0.3 * self.present)

    @property
    def is_whole(self) -> bool:
        """Whether every number is an integer."""
        values = self.numbers.dropna()
        return bool(len(values)) and bool((values == values.round()).all())

    @property
    def tokens(self) -> frozenset[str]:
        """The words of the column's name, lower case: `phone_number`, `nameOrig` and `Phone Number` alike."""
        spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", self.name)
        return frozenset(re.findall(r"[a-z]+|\d+", spaced.lower()))


def of(name: str, cells: pandas.Series) -> Facts:
    """Count one column of the sample."""
    present = cells.dropna().astype(str)
    numbers = pandas.to_numeric(present, errors="coerce").astype(float)
    numbers = numbers.where(numbers.abs() != float("inf"))
    counts = present.value_counts()
    words = float(present.head(5000).map(lambda cell: len(cell.split())).mean()) if len(present) else 0.0
    return Facts(
        name=name,
        rows=len(cells),
        present=len(present),
        distinct=len(counts),
        numbers=numbers,
        odd_words=_odd_words(present, numbers),
        formats=_formats(counts),
        words=words,
        top=tuple(str(value) for value in counts.index[:12]),
        texts=present,
    )


def _odd_words(present: pandas.Series, numbers: pandas.Series) -> tuple[str, ...]:
    """The few words among numbers that mean "not known", or nothing when any other word is there."""
    odd = present[numbers.isna()].unique()
    if 0 < len(odd) <= len(NULL_TOKENS) and all(word.lower() in NULL_TOKENS for word in odd):
        return tuple(sorted(odd))
    return ()


def _formats(counts: pandas.Series) -> tuple[str, ...]:
    """Every date format that reads practically all distinct values; several when day and month cannot be told apart."""
    values = [str(value) for value in counts.index[:_TRIED_DATES] if str(value).lower() not in NULL_TOKENS]
    if not values or not any(character.isdigit() for character in values[0]):
        return ()
    return tuple(
        pattern
        for pattern in DATE_FORMATS
        if _reads(pattern, values[0])
        and sum(_reads(pattern, value) for value in values) >= _MOSTLY * len(values)
    )


def _reads(pattern: str, value: str) -> bool:
    try:
        datetime.strptime(value, pattern)  # noqa: DTZ007 - only asks whether it parses
    except ValueError:
        return False
    return True
