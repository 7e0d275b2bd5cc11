"""Which column is the answer, and what kind of question that makes: a class or a number."""

import re
from dataclasses import dataclass

from penstock.errors import PenstockError
from penstock.infer.facts import Facts

# Names that say "this is the answer", the surest first.
SURE = (
    "target",
    "label",
    "y",
    "class",
    "outcome",
    "sentiment",
    "churn",
    "churned",
    "fraud",
    "survived",
    "diagnosis",
)
SURE_WORDS = frozenset({"target", "label", "fraud", "churn", "outcome", "sentiment", "survived", "defaulted"})
LIKELY = ("species", "category", "price", "sales", "revenue", "response", "result")
NAMELESS = r"column_\d+"  # what columns are called in a file that does not name them
FEW_CLASSES = 12
MOST_CLASSES = 200
_ADDS_UP = 0.05
_ABOVE = re.compile(r"^(?P<column>.+?)\s*>\s*(?P<limit>[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)$")


@dataclass(frozen=True)
class Target:
    """The label column, the task it makes, and the reason for both. `above`: class "1" when the value is greater."""

    column: str
    task: str
    why: str
    above: float | None = None


def choose(columns: dict[str, Facts], asked: str | None = None) -> Target:
    """The target: as asked (`price`, or `price > 10` for a yes/no question), by its name, or the last column."""
    if asked:
        return _asked(columns, asked)
    name, why = _by_name(columns)
    return Target(name, task_of(columns[name]), why)


def task_of(facts: Facts) -> str:
    """Words or a few whole numbers are classes; many-valued numbers are a quantity."""
    if facts.is_number and not (facts.is_whole and facts.distinct <= FEW_CLASSES):
        return "regression"
    if facts.distinct > MOST_CLASSES:
        raise PenstockError(
            f"column {facts.name!r}",
            f"it cannot be the target: {facts.distinct:,} different texts are neither classes nor numbers",
            "Name another column with --target.",
        )
    if facts.distinct < 2:
        raise PenstockError(
            f"column {facts.name!r}",
            f"it cannot be the target: it holds {facts.distinct} value(s)",
            "Name another column with --target.",
        )
    return "classification"


def _asked(columns: dict[str, Facts], asked: str) -> Target:
    if asked in columns:
        return Target(asked, task_of(columns[asked]), "as asked by --target")
    found = _ABOVE.match(asked)
    column = found["column"] if found else asked
    if column not in columns:
        raise PenstockError(
            "--target", f"the file has no column {column!r}", f"It has: {', '.join(list(columns)[:30])}."
        )
    if not found or not columns[column].is_number:
        raise PenstockError(
            f"--target {asked!r}", f"{column!r} holds words, not numbers", "Name the column alone."
        )
    return Target(column, "classification", f"as asked by --target: is {asked}?", above=float(found["limit"]))


def _by_name(columns: dict[str, Facts]) -> tuple[str, str]:
    lower = {name.lower().replace(" ", "_"): name for name in columns}
    for word in SURE:
        if word in lower:
            return lower[word], "by its name"
    for name, facts in columns.items():
        if facts.tokens & SURE_WORDS:
            return name, "by its name"
    for word in LIKELY:
        if named := [name for name, facts in columns.items() if word in facts.tokens and usable(facts)]:
            return _total(columns, named, word)
    if all(re.fullmatch(NAMELESS, name) for name in columns):
        return _by_looks(columns)
    last = list(columns)[-1]
    return last, "it is the last column; name another with --target"


def _by_looks(columns: dict[str, Facts]) -> tuple[str, str]:
    """In a file without column names: the words there are fewest of, else the last number of few values."""
    classes = [facts for facts in columns.values() if 2 <= facts.distinct <= FEW_CLASSES and usable(facts)]
    words = [facts for facts in classes if not facts.is_number]
    if words:
        fewest = min(words, key=lambda facts: facts.distinct)
        return (
            fewest.name,
            f"the file has no names, and this has {fewest.distinct} words; name another with --target",
        )
    last = classes[-1] if classes else list(columns.values())[-1]
    return last.name, "the file has no names, and this looks most like an answer; name another with --target"


def usable(facts: Facts) -> bool:
    """Whether the column could be a target at all."""
    return facts.distinct >= 2 and (facts.is_number or facts.distinct <= MOST_CLASSES)


def _total(columns: dict[str, Facts], named: list[str], word: str) -> tuple[str, str]:
    """Of several such columns the one the others add up to; if they do not, the one its rows can be compared by."""
    numeric = [name for name in named if columns[name].is_number]
    if len(numeric) < 2:
        return named[-1], f"its name says {word}; name another with --target"
    means = {name: float(columns[name].numbers.mean()) for name in numeric}
    largest = max(numeric, key=means.__getitem__)
    rest = sum(abs(mean) for name, mean in means.items() if name != largest)
    if abs(means[largest] - rest) <= _ADDS_UP * abs(means[largest]):
        return largest, f"the largest of {len(numeric)} columns that say {word}; name another with --target"
    # Prices in many currencies spread over decades; in one currency, or per head, they do not.
    fullest = min(columns[name].missing_share for name in numeric)
    whole = [name for name in numeric if columns[name].missing_share <= fullest + _ADDS_UP]
    narrow = min(whole, key=lambda name: _spread(columns[name]))
    return (
        narrow,
        f"of {len(numeric)} columns that say {word} the one of least spread; name another with --target",
    )


def _spread(facts: Facts) -> float:
    """The interquartile range over the median: how far apart the values are, whatever their unit."""
    low, middle, high = (float(facts.numbers.quantile(share)) for share in (0.25, 0.5, 0.75))
    return (high - low) / abs(middle) if middle else float("inf")
