"""The scorecard of word vectors, and the picture of it: a map of the words, nearest words, analogies."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from judge import paint, plots, resample, sections, words
from judge.figures import rounded
from judge.rules import Rules
from judge.words import Questions, Space

MAPPED, COMMONEST = 400, 100  # the commonest words say little of the texts: the map begins after them
SHOWN, NEIGHBOURS = 12, 6
_FEW = 1000  # questions below which figures are uncertain
_MAP_SIZE = 9.0


class Chance:
    """The baseline: the same words with vectors drawn at random."""

    def __init__(self, space: Space) -> None:
        drawn = np.random.default_rng(words.SEED).standard_normal(space.vectors.shape)
        self.words = space.words
        self.vectors = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
        self.place = space.place

    def of(self, asked: Sequence[str]) -> Any:
        """Return their vectors, zeros for unknown words."""
        places = np.array([self.place(word) for word in asked], np.int64)
        return np.where(places[:, None] >= 0, self.vectors[places], 0.0)


def scorecard(
    model: Any, champion: Space | None, asked: Questions, rules: Rules, counts: Mapping[str, int]
) -> dict[str, Any]:
    """Return the scorecard as JSON. `model` is an artifact.Artifact, `counts` the rows of train and test."""
    space, about = model.model, model.manifest
    own = words.measured(space, asked)
    ends = words.interval(space, asked, rules.bootstrap, rules.confidence)
    blind = {
        name: value for name, value in words.measured(Chance(space), asked).items() if name != "coverage"
    }
    return {
        "project": about["project"],
        "run": about["run"],
        "learner": about["learner"],
        "task": about["task"],
        "rows": dict(counts),
        "target": about["target"],
        "classes": None,
        "metrics": rounded(own),
        "baseline": {"name": "random vectors", "metrics": rounded(blind)},
        "champion": {"metrics": rounded(words.measured(champion, asked))} if champion else None,
        "intervals": {"neighbour_auc": rounded(ends)} if ends else {},
        "comparisons": [],
        "leak_free": None,
        "settings": _settings(rules, asked),
        **dict.fromkeys(_NOT_OF_WORDS),
        "slices": {"metric": rules.metric, "rows": []},
        "mistakes": [],
        "importance": [],
        "permutation": [],
        "leakage": [],
        "words": {
            "vocabulary": len(space.words),
            "dimensions": int(space.vectors.shape[1]),
            "neighbour_questions": len(asked.near),
            "pairs": len(asked.pairs),
            "pairs_known": len(words.known_pairs(space, asked)),
            "nearest": _nearest(space),
            "analogies": words.analogies(space, asked),
        },
        "warnings": _warnings(space, asked),
        "plots": [],
    }


_NOT_OF_WORDS = (
    "per_class",
    "confusion_matrix",
    "calibration",
    "histogram",
    "thresholds",
    "operating_points",
)


def _settings(rules: Rules, asked: Questions) -> dict[str, Any]:
    return {
        "metric": rules.metric,
        "gate": dict(rules.gate),
        "problem": dict(rules.problem),
        **dict.fromkeys(("positive", "cutoff", "chosen", "max_fpr", "costs")),
        "confidence": rules.confidence,
        "bootstrap": resample.times(rules.bootstrap, asked.texts),
    }


def _nearest(space: Space) -> list[dict[str, Any]]:
    start = min(COMMONEST, len(space.words) // 5)
    chosen = [word for word in space.words[start:] if len(word) > 3][:SHOWN]
    return [
        {"word": word, "nearest": words.nearest(space, space.of([word])[0], (word,), NEIGHBOURS)}
        for word in chosen
    ]


def _warnings(space: Space, asked: Questions) -> list[str]:
    found = []
    if len(asked.near) < _FEW:
        found.append(f"Only {len(asked.near)} pairs of neighbours in the test texts: drop more text.")
    if asked.pairs and len(words.known_pairs(space, asked)) < len(asked.pairs) / 2:
        found.append(
            f"Of {len(asked.pairs)} pairs in evaluate.pairs only {len(words.known_pairs(space, asked))} have both "
            "words in the vocabulary: rho is of these. Drop more text or lower min_count."
        )
    return found


def draw(space: Space) -> list[plots.Plot]:
    """Return the map: MAPPED words in two dimensions by t-SNE, seed fixed; none of fewer than ten words."""
    start = COMMONEST if len(space.words) >= COMMONEST + MAPPED else 0
    chosen = slice(start, start + MAPPED)
    names, vectors = space.words[chosen], space.vectors[chosen]
    if len(names) < 10:
        return []
    from sklearn.manifold import TSNE  # noqa: PLC0415 - seconds to import

    near = min(40.0, (len(names) - 1) / 3)
    flat = TSNE(perplexity=near, init="random", random_state=words.SEED).fit_transform(vectors)

    def map_of(axes: Any, theme: paint.Theme) -> None:
        axes.set_axis_off()
        axes.set(xlim=(flat[:, 0].min(), flat[:, 0].max()), ylim=(flat[:, 1].min(), flat[:, 1].max()))
        for (x, y), word in zip(flat, names, strict=True):
            axes.text(x, y, paint.short(word), fontsize=5, ha="center", color=theme.ink)

    caption = f"{len(names)} words in two dimensions (t-SNE): words that are used alike lie together."
    return [plots.figure("word_map", caption, _MAP_SIZE, map_of, width=_MAP_SIZE)]


def section(card: Mapping[str, Any]) -> str:
    """The report's tables of words; nothing in a scorecard of another task."""
    told = card.get("words")
    if told is None:
        return ""
    rows = ((row["word"], ", ".join(row["nearest"])) for row in told["nearest"])
    found = (
        f"<h2>Nearest words</h2><p class=note>{told['vocabulary']:,} words, {told['dimensions']} dimensions; judged by "
        f"{told['neighbour_questions']:,} pairs of neighbours in the test texts"
        + (
            f" and {told['pairs_known']} of {told['pairs']} pairs of words scored by people"
            if told["pairs"]
            else ""
        )
        + ".</p>"
        + sections.table(("Word", "Nearest, nearest first"), rows)
    )
    if not told["analogies"]:
        return found
    lines = (
        (
            f"{a} : {b} = {c} : ?",
            row["wanted"],
            row["found"] or "unknown word",
            "yes" if row["right"] else "no",
        )
        for row in told["analogies"]
        for a, b, c in [row["given"]]
    )
    return (
        found
        + f"<h2>{escape('Analogies')}</h2>"
        + sections.table(("Asked", "Wanted", "Found", "Right"), lines)
    )
