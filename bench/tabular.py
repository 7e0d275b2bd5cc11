"""Data files as `penstock init` describes them, split as the baselines are: ours and a plain model on the same rows."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit, train_test_split

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
sys.path[:0] = [str(ROOT), str(ROOT / "training")]

import learners  # noqa: E402
from judge import metrics  # noqa: E402
from learners.problem import Dataset, problem, rows_of  # noqa: E402

from penstock.infer import sample, spec  # noqa: E402

THREADS = 1


@dataclass
class Table:
    """A file as its spec has it: `frame` typed by role, only rows with an answer."""

    name: str
    document: Mapping[str, Any]
    dataset: Dataset
    frame: pd.DataFrame


def table(file: Path, target: str | None = None) -> Table:
    """Return the file as `penstock init` describes it, with no hand edit."""
    return described(file.name, spec.infer(file, target=target).document, sample.read(file, 1_000_000).frame)


def described(name: str, document: Mapping[str, Any], cells: pd.DataFrame) -> Table:
    """Return cells of text typed as the document says."""
    frame, columns, target = pd.DataFrame(index=cells.index), [], ""
    for column, meaning in document["columns"].items():
        told = {"type": meaning} if isinstance(meaning, str) else meaning
        values = cells[column].where(~cells[column].isin(told.get("null_values", [])))
        target = column if told["type"] == "label" else target
        frame[column] = typed(values, told, document["task"])
        columns.append({"name": column, "role": told["type"], "format": told.get("format")})
    frame = frame[frame[target].notna()]
    classes = sorted(frame[target].unique()) if document["task"] == "classification" else None
    head = {"project": document["project"], "version": 1, "task": document["task"], "target": target}
    return Table(name, document, Dataset.read({**head, "classes": classes, "columns": columns}), frame)


def typed(values: pd.Series[Any], told: Mapping[str, Any], task: str) -> pd.Series[Any]:
    """Return one column as its role says."""
    if told["type"] == "number" or (told["type"] == "label" and task == "regression"):
        return pd.to_numeric(values, errors="coerce").astype(float)
    if "above" in told:
        numbers = pd.to_numeric(values, errors="coerce")
        return pd.Series(np.where(numbers > told["above"], "1", "0"), values.index).where(numbers.notna())
    if told["type"] == "date":
        return pd.to_datetime(values, format=told["format"], errors="coerce")
    return values


def halves(made: Table, seed: int = 42, *, grouped: bool = False) -> list[pd.DataFrame]:
    """Return train, validation and test: the README's 80/20 split, and an eighth of the 80 for validation."""
    frame, target = made.frame, made.dataset.target
    classes = made.dataset.classes is not None
    group = next((c.name for c in made.dataset.columns if c.role == "group"), None)
    if grouped and group:
        cut = GroupShuffleSplit(1, test_size=0.2, random_state=seed)
        known, test = (frame.iloc[part] for part in next(cut.split(frame, groups=frame[group])))
        inner = GroupShuffleSplit(1, test_size=0.125, random_state=7)
        train, validation = (known.iloc[part] for part in next(inner.split(known, groups=known[group])))
        return [train, validation, test]
    known, test = train_test_split(
        frame, test_size=0.2, random_state=seed, stratify=frame[target] if classes else None
    )
    train, validation = train_test_split(
        known, test_size=0.125, random_state=7, stratify=known[target] if classes else None
    )
    return [train, validation, test]


def columns_of(part: pd.DataFrame) -> dict[str, Any]:
    """Return a part as tables.read would."""
    return {
        str(name): column.to_numpy("datetime64[s]")
        if column.dtype.kind == "M"
        else column.to_numpy()
        if column.dtype.kind in "fi"
        else [None if pd.isna(value) else value for value in column]
        for name, column in part.items()
    }


def ours(made: Table, parts: Sequence[pd.DataFrame], **settings: str) -> tuple[Any, Any, float]:
    """Return (test answers, scores, seconds of fitting) of the spec's learner, fitted as train.py does."""
    learner = made.document["learner"]
    values = {name: str(value) for name, value in learner.get("hyperparameters", {}).items()} | settings
    module = learners.get(learner["name"])
    started = time.perf_counter()
    train, validation = columns_of(parts[0]), columns_of(parts[1]) if len(parts[1]) else None
    given = problem(made.dataset, train, validation)
    model = module.finish(module.fit(given, values, str, THREADS), given, values, str, THREADS)
    seconds = time.perf_counter() - started
    held = rows_of(made.dataset, columns_of(parts[2]), "test")
    return held.target, model.predict(held.columns, len(held)), seconds


def plain(made: Table, parts: Sequence[pd.DataFrame]) -> tuple[Any, Any]:
    """Return (test answers, scores) of the README's plain model on the same rows: it fits train and validation."""
    known, test, target = pd.concat(parts[:2]), parts[2], made.dataset.target
    texts = [c.name for c in made.dataset.features if c.role == "text"]
    if texts:
        return _words(made, known, test, texts)
    import xgboost  # noqa: PLC0415

    fit, held = (_codes(part, made) for part in (known, test))
    classes = made.dataset.classes
    settings: dict[str, Any] = {"n_estimators": 200, "max_depth": 5, "learning_rate": 0.1, "n_jobs": THREADS}
    if classes is None:
        log = made.document["learner"].get("hyperparameters", {}).get("target_transform") == "log1p"
        answers = np.log1p(known[target]) if log else known[target]
        values = xgboost.XGBRegressor(**settings).fit(fit, answers).predict(held).astype(float)
        return test[target].to_numpy(), np.expm1(values) if log else values
    model = xgboost.XGBClassifier(**settings).fit(fit, known[target].map(classes.index))
    return test[target].map(classes.index).to_numpy(), model.predict_proba(held)


def _codes(part: pd.DataFrame, made: Table) -> pd.DataFrame:
    out = {}
    for column in made.dataset.features:
        values = part[column.name]
        if column.role == "category":
            known = sorted(made.frame[column.name].dropna().unique())
            values = pd.Categorical(values, categories=known).codes
        elif column.role == "date":
            values = values.astype("int64") / 8.64e13
        out[column.name] = np.asarray(values, dtype=float)
    return pd.DataFrame(out)


def _words(made: Table, known: pd.DataFrame, test: pd.DataFrame, texts: Sequence[str]) -> tuple[Any, Any]:
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415

    model = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
        LogisticRegression(C=4, max_iter=1000),
    )
    joined = [part[list(texts)].fillna("").agg(" ".join, axis=1) for part in (known, test)]
    model.fit(joined[0], known[made.dataset.target])
    scores = model.predict_proba(joined[1])
    classes = made.dataset.classes or []
    order = [list(model.classes_).index(name) for name in classes]
    return test[made.dataset.target].map(classes.index).to_numpy(), scores[:, order]


def judged(answers: Any, scores: Any) -> dict[str, float]:
    """Return the metrics; a regression's also on the logarithm (`rmse_log1p`), a binary answer's `pr_auc`."""
    if scores.ndim == 1:
        found = metrics.regression(answers, scores)
        if answers.min() > -1:
            found["rmse_log1p"] = float(
                np.sqrt(np.mean((np.log1p(answers) - np.log1p(np.maximum(scores, 0))) ** 2))
            )
        return found
    found = metrics.classification(answers, scores)
    if scores.shape[1] == 2:
        from sklearn.metrics import average_precision_score  # noqa: PLC0415

        found["pr_auc"] = float(average_precision_score(answers == 1, scores[:, 1]))
    return found
