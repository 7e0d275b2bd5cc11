"""CPU seconds and peak memory of train.py against the same model in a plain script, interleaved; writes learners.json.

Processor time, not wall time, so that a busy machine changes little; ratios of medians. What is compared ends with the
same thing on disk: a fitted model, judged on its validation rows.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "bench" / "results" / "learners.json"
ROUNDS = 5
BOOSTING = """
import sys, numpy as np, pandas as pd, xgboost
from sklearn.metrics import accuracy_score, f1_score, log_loss, roc_auc_score
base = sys.argv[1]
parts = [pd.read_parquet(f"{base}/input/data/{name}") for name in ("train", "validation")]
made = [xgboost.DMatrix(part.drop(columns="answer"), (part["answer"] == "b").astype(int)) for part in parts]
model = xgboost.train({"objective": "binary:logistic", "eval_metric": "logloss", "eta": 0.05, "max_depth": 6,
    "colsample_bytree": 0.8, "nthread": 1, "seed": 42}, made[0], 150,
    evals=[(made[0], "train"), (made[1], "validation")], verbose_eval=1)
for part in made:
    scores, truth = model.predict(part), part.get_label()
    print(roc_auc_score(truth, scores), log_loss(truth, scores))
    print(f1_score(truth, scores > 0.5), accuracy_score(truth, scores > 0.5))
model.save_model(f"{base}/plain.ubj")
"""
FOREST = """
import sys, joblib, pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import accuracy_score, f1_score, log_loss, roc_auc_score
base = sys.argv[1]
parts = [pd.read_parquet(f"{base}/input/data/{name}") for name in ("train", "validation")]
words = TfidfVectorizer(ngram_range=(1, 2), min_df=3, max_features=50_000, sublinear_tf=True)
made = [words.fit_transform(parts[0]["line"]), words.transform(parts[1]["line"])]
model = RandomForestClassifier(30, min_samples_leaf=2, class_weight="balanced_subsample", random_state=42, n_jobs=1)
model.fit(made[0], parts[0]["answer"])
for part, rows in zip(made, parts):
    scores, truth = model.predict_proba(part)[:, 1], rows["answer"] == "b"
    print(roc_auc_score(truth, scores), log_loss(truth, scores))
    print(f1_score(truth, scores > 0.5), accuracy_score(truth, scores > 0.5))
joblib.dump((words, model), f"{base}/plain.joblib")
"""
CASES = {
    "gradient_boosting": (
        BOOSTING,
        ["--num_round", "150", "--early_stopping_rounds", "0", "--refit", "false"],
    ),
    "text_forest": (FOREST, ["--n_estimators", "30", "--refit", "false"]),
}


def data(learner: str) -> tuple[pd.DataFrame, str]:
    """Return rows to learn from, and the role of their columns."""
    source = np.random.default_rng(1)
    if learner == "gradient_boosting":
        made = pd.DataFrame(source.normal(size=(60_000, 20)), columns=[f"n{number}" for number in range(20)])
        made["answer"] = np.where(made["n0"] * made["n1"] + source.normal(size=len(made)) > 0, "a", "b")
        return made, "number"
    words = np.array([f"word{number}" for number in range(3000)])
    lines = [" ".join(words[(source.pareto(1.0, 15) * 20).astype(int) % 3000]) for _ in range(2500)]
    answers = np.where([("word7 " in line) ^ (source.random() < 0.1) for line in lines], "a", "b")
    return pd.DataFrame({"line": lines, "answer": answers}), "text"


def fill(base: Path, made: pd.DataFrame, role: str) -> None:
    """Write the channels."""
    cut = int(0.8 * len(made))
    for name, part in (("train", made[:cut]), ("validation", made[cut:])):
        place = base / "input/data" / name
        place.mkdir(parents=True)
        part.to_parquet(place / "part-0.parquet", index=False)
    columns = [{"name": name, "role": "label" if name == "answer" else role} for name in made.columns]
    document = {
        "project": "p",
        "version": 1,
        "task": "classification",
        "target": "answer",
        "classes": ["a", "b"],
    }
    (base / "input/data/dataset").mkdir()
    (base / "input/data/dataset/dataset.json").write_text(json.dumps({**document, "columns": columns}))


def measured(command: Sequence[str], base: Path) -> tuple[float, float]:
    """Return (processor seconds, peak MB) of a process; fails if it does."""
    environment = {**os.environ, "SAGEMAKER_BASE_DIR": str(base), "SM_NUM_CPUS": "1", "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command} ended with {process.returncode}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def main(rounds: int = ROUNDS) -> None:
    """Measure every case, ours and the plain script in turn; the first round warms the caches and does not count."""
    found = {}
    for learner, (script, arguments) in CASES.items():
        with tempfile.TemporaryDirectory() as scratch:
            base = Path(scratch)
            fill(base, *data(learner))
            ours = [sys.executable, str(ROOT / "training/train.py"), "--learner", learner, *arguments]
            turns = [
                (measured(ours, base), measured([sys.executable, "-c", script, scratch], base))
                for _ in range(rounds + 1)
            ][1:]
        mine, plain = (
            [statistics.median(turn[side][what] for turn in turns) for what in (0, 1)] for side in (0, 1)
        )
        found[learner] = {
            "ours": {"cpu_seconds": round(mine[0], 3), "peak_mb": round(mine[1], 1)},
            "plain": {"cpu_seconds": round(plain[0], 3), "peak_mb": round(plain[1], 1)},
            "ratio": {"cpu_seconds": round(mine[0] / plain[0], 3), "peak_mb": round(mine[1] / plain[1], 3)},
        }
        print(learner, found[learner], flush=True)
    RESULTS.write_text(
        json.dumps({"rounds": rounds, "threads": 1, "learners": found}, indent=1) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
