"""Compute the text learners' figures, each under the published protocol and under a leak-free one side by side.

    python bench/results_text.py                 all figures
    python bench/results_text.py H12 H2/linear   only these; the others stay as they were computed before

Reads ../shared/data, writes bench/results/learners_text.json: what was published, what we get, what is left of it when
rows that are near copies of one another are kept on one side, and the processor seconds a fit took. text_sequence and
text_cnn need PyTorch. Progress goes to stderr.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.model_selection import GroupShuffleSplit, train_test_split

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared/data"
OUT = ROOT / "bench/results/learners_text.json"
THREADS = 2
sys.path.insert(0, str(ROOT / "training"))

import learners  # noqa: E402
from judge import metrics  # noqa: E402
from learners.problem import Dataset, problem, rows_of  # noqa: E402


@dataclass(frozen=True)
class Data:
    """Rows with what their columns are; `group` is the column whose rows are near copies of one another."""

    rows: pd.DataFrame
    roles: dict[str, str]
    target: str
    group: str | None = None

    @property
    def dataset(self) -> Dataset:
        """What a learner is told of it."""
        return Dataset.read(
            {
                "project": "figures",
                "version": 1,
                "task": "classification",
                "target": self.target,
                "classes": sorted(self.rows[self.target].unique()),
                "columns": [{"name": name, "role": role} for name, role in self.roles.items()],
            }
        )


@dataclass(frozen=True)
class Scored:
    """A learner's accuracy and macro F1 on the test rows, and the processor seconds its fit took."""

    accuracy: float
    macro_f1: float
    rows: int
    seconds: float

    @property
    def told(self) -> dict[str, float]:
        """As the results have it."""
        return {
            "accuracy": round(self.accuracy, 4),
            "macro_f1": round(self.macro_f1, 4),
            "test_rows": self.rows,
        }


def cut(rows: pd.DataFrame, share: float, by: str | None, classes: str | None) -> tuple[Any, Any]:
    """Known and held-out rows: in groups of `by` if given, else in proportion of `classes` if given. Seed 42."""
    if by is None:
        return train_test_split(
            rows, test_size=share, random_state=42, stratify=rows[classes] if classes else None
        )
    known, held = next(GroupShuffleSplit(1, test_size=share, random_state=42).split(rows, groups=rows[by]))
    return rows.iloc[known], rows.iloc[held]


def score(
    data: Data, known: pd.DataFrame, test: pd.DataFrame, learner: str, given: dict[str, str], by: str | None
) -> Scored:
    """Fit and judge on the test rows."""
    return scores(data, known, [test], learner, given, by)[0]


def scores(
    data: Data,
    known: pd.DataFrame,
    tests: list[pd.DataFrame],
    learner: str,
    given: dict[str, str],
    by: str | None,
) -> list[Scored]:
    """Fit once as train.py does, a tenth of the known rows for validation, and judge on each of the tests."""
    module, dataset = learners.get(learner), data.dataset
    validation = None
    if learner != "text_forest":  # a forest has nothing to stop
        known, validation = cut(known, 0.1, by, data.target)
    task = problem(dataset, table(known), None if validation is None else table(validation))
    began = time.process_time()
    model = module.fit(task, given, _say, THREADS)
    model = module.finish(model, task, given, _say, THREADS)
    seconds = time.process_time() - began
    parts = [rows_of(dataset, table(test), "test") for test in tests]
    found = [metrics.classification(part.target, model.predict(part.columns, len(part))) for part in parts]
    return [
        Scored(one["accuracy"], one["macro_f1"], len(part), seconds)
        for one, part in zip(found, parts, strict=True)
    ]


def table(rows: pd.DataFrame) -> dict[str, list[Any]]:
    """Rows as the jobs read them."""
    return {name: [None if pd.isna(value) else value for value in rows[name]] for name in rows}


def both(
    data: Data, share: float, learner: str, given: dict[str, str] | None = None, *, stratify: bool = False
) -> tuple[Scored, Scored | None]:
    """The score of a random split, and of one in groups if there is something to group by."""
    classes = data.target if stratify else None
    known, test = cut(data.rows, share, None, classes)
    random = score(data, known, test, learner, given or {}, None)
    if data.group is None:
        return random, None
    known, test = cut(data.rows, share, data.group, None)
    return random, score(data, known, test, learner, given or {}, data.group)


def entry(
    figure: str, what: str, protocol: str, published: Any, found: tuple[Scored, Scored | None]
) -> dict[str, Any]:
    """One line of the results."""
    random, grouped = found
    line = {
        "figure": figure,
        "what": what,
        "protocol": protocol,
        "published": published,
        "ours": random.told,
        "leak_free": grouped.told if grouped else None,
        "seconds": round(random.seconds, 1),
    }
    print(json.dumps(line), flush=True)
    return line


# -- the data ---------------------------------------------------------------------------------------------------


def tweets(per_class: int | None, roles: dict[str, str]) -> Data:
    """The workshop's tweets in three classes: Irrelevant is Neutral, blank texts are out; copies share an Id."""
    rows = pd.read_csv(DATA / "seeds/000/enriched_data_74680.tsv", sep="\t")
    rows = rows[rows["Text"].fillna("").str.strip() != ""]
    rows["Target"] = rows["Target"].replace("Irrelevant", "Neutral")
    if per_class:
        parts = [part.sample(per_class, random_state=42) for _, part in rows.groupby("Target")]
        rows = pd.concat(parts).sample(frac=1, random_state=42)
    return Data(rows[[*roles, "Id"]].reset_index(drop=True), roles, "Target", "Id")


def four_classes() -> Data:
    """The retraining job's 8,000 tweets, 2,000 a class; tweet_id is the Id that copies share."""
    rows = pd.read_csv(DATA / "seeds/000/retrain/tweets_8000.csv")
    return Data(rows, {"tweet_text": "text", "sentiment": "label"}, "sentiment", "tweet_id")


def headlines() -> Data:
    """40,000 headlines; those of one STORY are near copies of one another."""
    rows = pd.read_csv(DATA / "news_headlines_uci_40k.csv")
    return Data(rows, {"TITLE": "text", "CATEGORY": "label"}, "CATEGORY", "STORY")


def five_publishers() -> tuple[Data, pd.DataFrame, pd.DataFrame]:
    """13,339 headlines of five publishers: all, those to learn from, and the workshop's 1,334 test rows."""
    parts = [
        pd.read_csv(
            DATA / f"seeds/001/news_5publishers/{name}.tsv",
            sep="\t",
            header=None,
            names=["kind", "title"],
            quoting=3,
        )
        for name in ("train", "valid", "test")
    ]
    data = Data(pd.concat(parts), {"title": "text", "kind": "label"}, "kind")
    return data, pd.concat(parts[:2]), parts[2]


def raw_headlines() -> Data:
    """5,000 headlines in the original form; column 5 is the story."""
    rows = pd.read_csv(DATA / "news_uci_raw_5k.tsv", sep="\t", header=None, quoting=3)
    rows.columns = pd.Index([f"c{number}" for number in range(len(rows.columns))])
    return Data(rows, {"c1": "text", "c4": "label"}, "c4", "c5")


def semeval() -> Data:
    """14,284 tweets, each its own."""
    rows = pd.read_csv(DATA / "tweets_semeval_sentiment.csv")
    return Data(rows, {"text": "text", "sentiment": "label"}, "sentiment")


# -- the figures ------------------------------------------------------------------------------------------------

TWENTIETH = "5 % of 24,000 rows at random, seed 42"
EIGHT_THOUSAND = "5 % of 8,000 rows at random, seed 42; 91 s"
FIFTH = "a fifth in proportion, seed 42"
TEXT = {"Text": "text", "Target": "label"}
WITH_ENTITY = {**TEXT, "Entity": "category"}
FOREST = {
    "min_samples_leaf": "1",
    "class_weight": "none",
    "ngram_max": "1",
    "min_df": "2",
    "n_estimators": "150",
}


def h2_forest() -> dict[str, Any]:
    """The workshop's random forest."""
    found = both(tweets(8000, TEXT), 0.05, "text_forest", FOREST)
    return entry("H2", "text_forest, 8,000 tweets a class", TWENTIETH, 0.8233, found)


def h2_linear() -> dict[str, Any]:
    """The strong baseline on the same rows."""
    found = both(tweets(8000, TEXT), 0.05, "text_linear")
    return entry("H2", "text_linear, 8,000 tweets a class", TWENTIETH, 0.8233, found)


def h2_entity() -> dict[str, Any]:
    """The model that is better where it counts: what a tweet is about joins in; c is chosen on validation rows.

    Of the by-Id split those are of other Ids than the rows learned from, so c comes out smaller than at random.
    """
    found = both(tweets(None, WITH_ENTITY), 0.05, "text_linear")
    return entry(
        "H2", "text_linear with Entity, all tweets", "5 % of all rows at random, seed 42", 0.9041, found
    )


def h3_sequence() -> dict[str, Any]:
    """The sequence model on the same rows."""
    found = both(tweets(8000, TEXT), 0.05, "text_sequence", {"refit": "false"})
    return entry("H3", "text_sequence, 8,000 tweets a class", TWENTIETH, 0.7695, found)


def h4_linear() -> dict[str, Any]:
    """The four-class retraining job: accuracy, in seconds."""
    found = both(four_classes(), 0.05, "text_linear")
    return entry("H4", "text_linear, four classes", EIGHT_THOUSAND, 0.5053, found)


def h4_sequence() -> dict[str, Any]:
    """The same with the kind of model the job had."""
    found = both(four_classes(), 0.05, "text_sequence", {"refit": "false"})
    return entry("H4", "text_sequence, four classes", EIGHT_THOUSAND, 0.5053, found)


def h12_five(learner: str) -> dict[str, Any]:
    """Headlines: the workshop's test rows, and those of them that were not learned from word for word."""
    data, known, test = five_publishers()
    fresh = test[~test["title"].map(_plain).isin(set(known["title"].map(_plain)))]
    first, kept = scores(data, known, [test, fresh], learner, {}, None)
    return entry("H12", f"{learner}, five publishers", "the 1,334 test rows", 0.918, (first, kept))


def h12_many(learner: str) -> dict[str, Any]:
    """Headlines: 40,000, at random and by STORY."""
    found = both(headlines(), 0.2, learner, stratify=True)
    protocol = "a fifth; leak-free: by STORY (0.8797)"
    return entry("H12", f"{learner}, 40,000 headlines", protocol, 0.9216, found)


def semeval_linear() -> dict[str, Any]:
    """A text file against its README's baseline."""
    found = both(semeval(), 0.2, "text_linear", stratify=True)
    return entry("files", "tweets_semeval_sentiment.csv, text_linear", FIFTH, 0.6178, found)


def raw_linear() -> dict[str, Any]:
    """The headlines in their original form against their README's baseline."""
    found = both(raw_headlines(), 0.2, "text_linear", stratify=True)
    return entry("files", "news_uci_raw_5k.tsv, text_linear", FIFTH, 0.839, found)


FIGURES: dict[str, Callable[[], dict[str, Any]]] = {
    "files/semeval": semeval_linear,
    "files/raw": raw_linear,
    "H12/linear": partial(h12_five, "text_linear"),
    "H12/cnn": partial(h12_five, "text_cnn"),
    "H12/linear-40k": partial(h12_many, "text_linear"),
    "H12/cnn-40k": partial(h12_many, "text_cnn"),
    "H4/linear": h4_linear,
    "H4/sequence": h4_sequence,
    "H2/forest": h2_forest,
    "H2/linear": h2_linear,
    "H2/entity": h2_entity,
    "H3/sequence": h3_sequence,
}


def main(wanted: list[str]) -> None:
    """Compute the wanted figures and write each among those that are there as soon as it is known."""
    chosen = [name for name in FIGURES if not wanted or {name, name.partition("/")[0]} & set(wanted)]
    unknown = [one for one in wanted if not any(one in (name, name.partition("/")[0]) for name in FIGURES)]
    if unknown:
        raise SystemExit(f"There is no figure {', '.join(unknown)}: choose among {', '.join(FIGURES)}.")
    if not DATA.is_dir():
        raise SystemExit(
            f"The shared data is not here: {DATA}. The figures are of these files and no others."
        )
    for name in chosen:
        line = {**FIGURES[name](), "command": f"python bench/results_text.py {name}"}
        before = json.loads(OUT.read_text()) if OUT.is_file() else []
        kept = [one for one in before if (one["figure"], one["what"]) != (line["figure"], line["what"])]
        OUT.write_text(json.dumps([*kept, line], indent=1) + "\n")


def _plain(title: str) -> str:
    return " ".join(title.lower().split())


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
