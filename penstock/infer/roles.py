"""What a column is for: number, category, date, text, id, group or nothing; the first rule that fits decides."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from penstock.infer.facts import NULL_TOKENS, Facts

# Words in a name that say "this stands for a thing, it does not measure one".
ID_WORDS = frozenset(
    {"id", "ids", "uuid", "guid", "phone", "ssn", "email", "index", "rownum", "identifier", "ref"}
)
CODE_WORDS = frozenset(
    {
        "code",
        "state",
        "zip",
        "zipcode",
        "postcode",
        "region",
        "country",
        "type",
        "kind",
        "plan",
        "class",
        "area",
    }
)
# Rows that share one of these belong together: splitting them apart would let a model recognise instead of learn.
GROUP_WORDS = frozenset({"story", "session", "patient", "household", "subject", "group"})
# A key nobody reads: long, one word, with a digit or a capital inside.
OPAQUE = re.compile(r"(?=.*[0-9])(?=.*[A-Za-z])[A-Za-z0-9_-]{16,}")
# Trees split many codes better in their order than one against the rest: on the churn set 0.926 AUC against 0.920.
MOST_CODES = 20


@dataclass(frozen=True)
class Role:
    """A column's role, why, and how to read it."""

    type: str
    why: str
    format: str | None = None
    null_values: tuple[str, ...] = ()


def decide(facts: Facts) -> Role:
    """The role of one column that is not the label."""
    rules: tuple[Callable[[Facts], Role | None], ...] = (
        _nothing,
        _identity,
        _together,
        _number,
        _date,
        _words,
    )
    for rule in rules:
        if (role := rule(facts)) is not None:
            return role
    return Role("category", f"{facts.distinct:,} different values")


def _nothing(facts: Facts) -> Role | None:
    if facts.present == 0:
        return Role("ignore", "empty in every row")
    if facts.distinct == 1 and facts.missing_share == 0:
        return Role("ignore", f"the same value in every row ({facts.top[0][:40]})")
    return None


def _identity(facts: Facts) -> Role | None:
    """Unique or near-unique codes; also a plain 1, 2, 3 … in any order, whatever it is called."""
    named = bool(facts.tokens & ID_WORDS)
    if facts.is_number and not facts.odd_words:
        return _numbered(facts, named=named)
    if facts.formats or facts.words >= 4:
        return Role("id", "unique in every row, and named like an id") if named and _unique(facts) else None
    if facts.distinct_share >= 0.95 and facts.words < 2 and facts.present >= 20:
        return Role("id", f"a code, unique in {facts.distinct_share:.0%} of its rows")
    return None


def _numbered(facts: Facts, *, named: bool) -> Role | None:
    if not facts.is_whole:
        return None
    values = facts.numbers.dropna()
    span = float(values.max() - values.min()) + 1
    if _unique(facts) and facts.present >= 20 and span <= 1.01 * facts.present:
        return Role("id", "a running number, unique in every row")
    if named and facts.distinct_share >= 0.9:
        return Role("id", f"named like an id, and unique in {facts.distinct_share:.0%} of its rows")
    return None


def _unique(facts: Facts) -> bool:
    return facts.distinct == facts.present


def _together(facts: Facts) -> Role | None:
    """Something that happened several times over: a story, a session, a customer's id seen more than once."""
    repeated = facts.distinct >= 50 and facts.distinct_share < 0.67
    named = facts.tokens & (GROUP_WORDS | {"id", "uuid"}) or all(map(OPAQUE.fullmatch, facts.top))
    if repeated and named and not (facts.is_number and not facts.is_whole):
        return Role(
            "group",
            f"{facts.distinct:,} things seen several times; rows of one stay on one side of the split",
        )
    return None


def _number(facts: Facts) -> Role | None:
    if not facts.is_number:
        return None
    if facts.is_whole and facts.tokens & CODE_WORDS and 2 < facts.distinct <= MOST_CODES:
        return Role("category", f"{facts.distinct} codes: numbers that name, not measure")
    if facts.odd_words:
        tokens = ", ".join(facts.odd_words)
        return Role("number", f"a number; {tokens} means not known", null_values=facts.odd_words)
    return Role("number", _range(facts))


def _range(facts: Facts) -> str:
    values = facts.numbers.dropna()
    gaps = f", {facts.missing_share:.0%} missing" if facts.missing_share >= 0.005 else ""
    return f"{values.min():.6g} to {values.max():.6g}{gaps}"


def _date(facts: Facts) -> Role | None:
    if not facts.formats:
        return None
    known = tuple(sorted({word for word in facts.top if word.lower() in NULL_TOKENS}))
    if len(facts.formats) > 1:
        why = f"a date; {facts.formats[1]} would fit as well: check which is the day"
    else:
        why = "a date"
    return Role("date", why, format=facts.formats[0], null_values=known)


def _words(facts: Facts) -> Role | None:
    if facts.words >= 4 and facts.distinct_share >= 0.3:
        return Role("text", f"sentences, {facts.words:.0f} words on average")
    if facts.distinct_share >= 0.5 and facts.distinct >= 50:
        return Role(
            "id", f"a name, different in {facts.distinct_share:.0%} of its rows: nothing to learn from"
        )
    return None
