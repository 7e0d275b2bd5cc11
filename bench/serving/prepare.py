"""The three models of the comparison, with every held-back row and what the original answers to it.

Text: TF-IDF (words and pairs) and logistic regression; forest: 100 trees over TF-IDF; both on tweets of three
sentiments. XGBoost: 200 trees of depth 5 over 28 numbers. Without the tweets (--tweets CSV) texts are made up of words
with a class each, so that anybody can run it.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import xgboost
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

MODELS = ("text", "xgboost", "forest")
SEED = 42


def prepare(folder: Path, tweets: Path | None) -> None:
    """Fit the models and write one directory each: the model and held_back.jsonl, a request a line."""
    texts, labels = _tweets(tweets) if tweets else _made_up()
    parts = train_test_split(texts, labels, test_size=0.2, random_state=SEED, stratify=labels)
    linear = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
        LogisticRegression(C=4, max_iter=1000),
    )
    forest = make_pipeline(
        TfidfVectorizer(min_df=2, max_features=5000),
        RandomForestClassifier(100, random_state=SEED, n_jobs=2),
    )
    for name, model in (("text", linear), ("forest", forest)):
        model.fit(parts[0], parts[2])
        model.steps[-1][1].n_jobs = 1  # one row goes quicker without threads
        joblib.dump(model, _directory(folder, name) / "model.joblib")
        _write(folder / name, [{"text": text} for text in parts[1]], model.predict_proba(parts[1]))
    _numbers(folder)


def _numbers(folder: Path) -> None:
    random = np.random.default_rng(SEED)
    rows = random.normal(size=(5000, 28)).round(4)
    labels = (rows[:, 0] * rows[:, 1] + rows[:, 2] + random.normal(size=5000) > 0).astype(int)
    model = xgboost.XGBClassifier(n_estimators=200, max_depth=5, n_jobs=1, random_state=SEED)
    model.fit(rows[:4000], labels[:4000])
    model.save_model(_directory(folder, "xgboost") / "model.ubj")
    held = rows[4000:]
    _write(folder / "xgboost", [{"instances": [row]} for row in held.tolist()], model.predict_proba(held))


def _write(directory: Path, requests: list[Any], probabilities: Any) -> None:
    lines = [json.dumps(request) for request in requests]
    (directory / "held_back.jsonl").write_text("\n".join(lines), encoding="utf-8")
    np.save(directory / "expected.npy", probabilities, allow_pickle=False)


def _directory(folder: Path, name: str) -> Path:
    (folder / name).mkdir(parents=True, exist_ok=True)
    return folder / name


def _tweets(path: Path) -> tuple[list[str], list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["text"] for row in rows], [row["sentiment"] for row in rows]


def _made_up() -> tuple[list[str], list[str]]:
    """14,000 texts of 5 to 30 words, of 20,000 in Zipf's proportions; a third of a text's words belong to its class."""
    random = np.random.default_rng(SEED)
    shares = 1 / np.arange(1, 20_001)
    shares /= shares.sum()
    texts, labels = [], []
    for number in range(14_000):
        label = ("negative", "neutral", "positive")[number % 3]
        words = random.choice(20_000, int(random.integers(5, 31)), p=shares)
        texts.append(
            " ".join(
                f"w{word - word % 3 + number % 3 if at % 3 == 0 else word}" for at, word in enumerate(words)
            )
        )
        labels.append(label)
    return texts, labels
