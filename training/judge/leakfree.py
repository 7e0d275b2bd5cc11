"""The score on rows whose kin the model has not learned from, beside the one that a random split shows.

docs/decisions/0016-leak-free-score.md says why it is done so.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from judge import figures
from judge.figures import Sample
from judge.kin import Kin
from judge.refit import Judged
from judge.rules import Rules

Array = npt.NDArray[Any]
LITTLE = 0.01  # share of the test rows with kin among those learned from, below which nothing is made of it
FEWEST_ROWS, FEWEST_SHARE, MOST = (
    100,
    0.2,
    0.5,
)  # of rows without kin to judge by them: so many and this share, or most
GROUPED_SPLIT, UNSEEN_ROWS, GROUPED_REFIT = "grouped_split", "unseen_rows", "grouped_refit"
Refit = Callable[
    [str], tuple[Judged | None, str]
]  # "random" or "grouped" → what it gives, or why it gives nothing


@dataclass(frozen=True)
class Outcome:
    """Which rows are judged by (None: there are none), what a random split showed, and how that came about."""

    protocol: str
    kin: Kin
    sample: Sample | None
    random: Sample | None
    note: str


def outcome(kin: Kin | None, sample: Sample, grouped: bool, refit: Refit) -> Outcome | None:
    """Return the leak-free judgement, None if nothing belongs together. `grouped`: the split keeps kin together."""
    if kin is None or (kin.share < LITTLE and not grouped):
        return None
    if kin.share < LITTLE:
        found, why = refit("random")
        told = (
            why
            or "the learner was fitted anew on a random split of the same rows, to show what that would claim"
        )
        note = f"The split keeps the rows of a {kin.by} together. {_sentence(told)}"
        return Outcome(GROUPED_SPLIT, kin, sample, None if found is None else _sample(found), note)
    seen = f"{kin.share:.1%} of the test rows have kin (by {kin.by}) among the rows learned from."
    if _enough(kin.unseen, sample.answers):
        note = f"{seen} The others judge this model."
        return Outcome(UNSEEN_ROWS, kin, sample.only(np.flatnonzero(kin.unseen)), sample, note)
    found, why = refit("grouped")
    if found is None:
        return Outcome(GROUPED_REFIT, kin, None, sample, f"{seen} The others are too few, and {why}.")
    note = (
        f"{seen} The others are too few to judge by, so the learner was fitted anew on a split by {kin.by}."
    )
    return Outcome(GROUPED_REFIT, kin, _sample(found), sample, note)


def document(found: Outcome | None, rules: Rules) -> dict[str, Any] | None:
    """Return the outcome as the scorecard has it."""
    if found is None:
        return None
    told: dict[str, Any] = {
        "metrics": None,
        "baseline": None,
        "champion": None,
        "intervals": {},
        "comparisons": [],
    }
    if found.sample is not None:
        told = figures.document(found.sample, rules)
    random = found.random
    return {
        "protocol": found.protocol,
        "by": found.kin.by,
        "rows": 0 if found.sample is None else len(found.sample.answers),
        "seen_share": round(found.kin.share, figures.DIGITS),
        **told,
        "random": None
        if random is None
        else figures.rounded(figures.measure(random.answers, random.scores, rules)),
        "note": found.note,
    }


def _enough(unseen: Array, answers: Array) -> bool:
    rows = int(unseen.sum())
    varied = len(np.unique(answers[unseen])) >= min(2, len(np.unique(answers)))
    return varied and (
        rows >= MOST * len(unseen) or (rows >= FEWEST_ROWS and rows >= FEWEST_SHARE * len(unseen))
    )


def _sample(found: Judged) -> Sample:
    return Sample(found.answers, found.scores, found.learned)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."
