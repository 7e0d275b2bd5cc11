"""Compute the text learners' figures, each under the published protocol and under a leak-free one side by side.

    python bench/results_text.py            all figures
    python bench/results_text.py H2 H12     only these; the others stay as they were computed before

Reads ../shared/data, writes bench/results/learners_text.json: what was published, what we get, what is left of it when
rows that are near copies of one another are kept on one side, and the processor seconds a fit took. H3 needs PyTorch.
"""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
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
    """Fit as train.py does, a tenth of the known rows for validation, and judge on the test rows."""
    module, dataset = learners.get(learner), data.dataset
    validation = None
    if learner != "text_forest":  # a forest has nothing to stop
        known, validation = cut(known, 0.1, by, data.target)
    task = problem(dataset, table(known), None if validation is None else table(validation))
    began = time.process_time()
    model = module.fit(task, given, _quiet, THREADS)
    model = module.finish(model, task, given, _quiet, THREADS)
    seconds = time.process_time() - began
    held = rows_of(dataset, table(test), "test")
    found = metrics.classification(held.target, model.predict(held.columns, len(held)))
    return Scored(found["accuracy"], found["macro_f1"], len(held), seconds)


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
        "command": f"python bench/results_text.py {figure}",
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

TEXT = {"Text": "text", "Target": "label"}
WITH_ENTITY = {**TEXT, "Entity": "category"}
FOREST = {
    "min_samples_leaf": "1",
    "class_weight": "none",
    "ngram_max": "1",
    "min_df": "2",
    "n_estimators": "150",
}


def h2() -> list[dict[str, Any]]:
    """Random forest of the workshop, and the model that is better where it counts."""
    random, grouped = "5 % of 24,000 rows at random, seed 42", "5 % of all rows at random, seed 42"
    small = tweets(8000, TEXT)
    found = [
        entry(
            "H2",
            "text_forest, 8,000 tweets a class",
            random,
            0.8233,
            both(small, 0.05, "text_forest", FOREST),
        ),
        entry("H2", "text_linear, 8,000 tweets a class", random, 0.8233, both(small, 0.05, "text_linear")),
    ]
    whole = tweets(None, WITH_ENTITY)
    linear = both(whole, 0.05, "text_linear", {"c": "0.03"})
    return [*found, entry("H2", "text_linear with Entity, all tweets", grouped, 0.9041, linear)]


def h3() -> list[dict[str, Any]]:
    """The sequence model on the same rows."""
    data = tweets(8000, TEXT)
    found = both(data, 0.05, "text_sequence", {"refit": "false", "epochs": "6"})
    return [
        entry(
            "H3",
            "text_sequence, 8,000 tweets a class",
            "5 % of 24,000 rows at random, seed 42",
            0.7695,
            found,
        )
    ]


def h4() -> list[dict[str, Any]]:
    """The four-class retraining job: accuracy, in seconds."""
    protocol = "5 % of 8,000 rows at random, seed 42; 91 s"
    return [
        entry("H4", "text_linear, four classes", protocol, 0.5053, both(four_classes(), 0.05, "text_linear"))
    ]


def h12() -> list[dict[str, Any]]:
    """Headlines: the workshop's test rows, and the 40,000 by STORY."""
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
    known, test = pd.concat(parts[:2]), parts[2]
    fresh = test[~test["title"].map(_plain).isin(set(known["title"].map(_plain)))]
    first = score(data, known, test, "text_linear", {}, None)
    kept = score(data, known, fresh, "text_linear", {}, None)
    many = both(headlines(), 0.2, "text_linear", stratify=True)
    return [
        entry("H12", "text_linear, five publishers", "the 1,334 test rows", 0.918, (first, kept)),
        entry("H12", "text_linear, 40,000 headlines", "a fifth; leak-free: by STORY (0.8797)", 0.9216, many),
    ]


def files() -> list[dict[str, Any]]:
    """The other text files, against their README's baselines."""
    fifth = "a fifth in proportion, seed 42"
    return [
        entry(
            "files",
            "tweets_semeval_sentiment.csv, text_linear",
            fifth,
            0.6178,
            both(semeval(), 0.2, "text_linear", stratify=True),
        ),
        entry(
            "files",
            "news_uci_raw_5k.tsv, text_linear",
            fifth,
            0.839,
            both(raw_headlines(), 0.2, "text_linear", stratify=True),
        ),
    ]


FIGURES: dict[str, Callable[[], list[dict[str, Any]]]] = {
    "files": files,
    "H12": h12,
    "H4": h4,
    "H2": h2,
    "H3": h3,
}


def main(wanted: list[str]) -> None:
    """Compute the wanted figures and write them among those that are there."""
    unknown = sorted(set(wanted) - set(FIGURES))
    if unknown:
        raise SystemExit(f"There is no figure {', '.join(unknown)}: choose among {', '.join(FIGURES)}.")
    if not DATA.is_dir():
        raise SystemExit(
            f"The shared data is not here: {DATA}. The figures are of these files and no others."
        )
    before = json.loads(OUT.read_text()) if OUT.is_file() else []
    for figure in wanted or FIGURES:
        lines = FIGURES[figure]()
        before = [line for line in before if line["figure"] != figure] + lines
        OUT.write_text(json.dumps(before, indent=1) + "\n")


def _plain(title: str) -> str:
    return " ".join(title.lower().split())


def _quiet(line: str) -> None:
    """Say nothing."""


if __name__ == "__main__":
    main(sys.argv[1:])
