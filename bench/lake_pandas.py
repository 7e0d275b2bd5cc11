"""The steps of Prepare as one would write them in pandas, to measure against: whole frames, in memory.

    python bench/lake_pandas.py <rows.csv> <folder for Parquet> [numpy|pyarrow]

Reads the file, trims and types every cell and says of each bad one why, deals rows to train, validation and test by a
hash of their content, counts, looks for leaks as Prepare's guard does, writes the sides and the quarantine, describes
every column, cuts it into buckets by class, and correlates. The last argument is what pandas keeps text in.

Left out, to its advantage: S3 (it reads and writes the disk), the MD5 of the upload, the search for encoding, delimiter
and header, rows of a wrong width, the report's page. It is looser in what it takes for a number or a date, and hashes
by its own function rather than MD5. Of more than a million rows Prepare estimates distinct values and quantiles, as it
documents; pandas has no estimates.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

EMPTY = ["", "N/A", "n/a", "#N/A", "NaN", "nan", "-nan", "NULL", "null", "<NA>"]
NULLS = {"age": ["unknown"]}
NUMBERS, CATEGORIES, LABEL = ["amount", "balance", "age"], ["country", "channel", "note"], "verdict"
CLASSES = ["bad", "good"]
FEATURES = [*NUMBERS, "country", "channel", "opened", "note"]
SHARES = [0.05, 0.25, 0.5, 0.75, 0.95]
BUCKETS, SAMPLE = 24, 10_000
TIMES: dict[str, float] = {}


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Keep the seconds of a step."""
    started = time.monotonic()
    yield
    TIMES[name] = round(time.monotonic() - started, 2)


def prepare(path: Path, out: Path, backend: str) -> dict[str, Any]:
    """All of it; the profile."""
    with phase("read"):
        kind: Any = str if backend == "numpy" else "string[pyarrow]"
        raw = pd.read_csv(path, dtype=kind, keep_default_na=False)
    with phase("judge"):
        cells = trimmed(raw)
        frame, faults = judged(cells)
        frame["_side"] = dealt(cells, frame, faults)
        frame["_row"], frame["_source"] = np.arange(1, len(raw) + 1), f"drop/accounts/{path.name}"
        empty = {name: int((cells[name] == "").sum()) for name in cells}
    with phase("count"):
        counted = counts(frame, faults)
    with phase("quarantine"):
        quarantine(raw, faults, out)
    with phase("guard"):
        leaks = guard(raw, frame)
    with phase("write"):
        write(frame, out)
    with phase("profile"):
        kept = frame[frame["_side"] != "quarantined"]
        profile = {**counted, "leaks": leaks, "empty": empty, **described(kept), **looked(kept)}
        (out / "profile.json").write_text(json.dumps(profile, default=str))
    return profile


def trimmed(raw: pd.DataFrame) -> pd.DataFrame:
    """Every cell without white space around it."""
    return raw.apply(lambda column: column.str.strip())


def judged(cells: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Typed columns, and row, column, value and reason of each bad cell."""
    typed, faults = {}, []
    for name in cells:
        text = cells[name]
        present = text.where(~text.isin([*EMPTY, *NULLS.get(name, ())]))
        value, reason = parsed(name, present)
        typed[name] = value
        bad = value.isna() & present.notna()
        if reason and bad.any():
            faults.append(pd.DataFrame({"column": name, "value": text[bad], "reason": reason}))
    none = pd.DataFrame({"column": [], "value": [], "reason": []})
    return pd.DataFrame(typed), pd.concat(faults) if faults else none


def parsed(name: str, present: Any) -> tuple[Any, str]:
    """A column's values, null where a cell is none, and what to say of one that is none."""
    if name in NUMBERS:
        number = pd.to_numeric(present, errors="coerce").astype("float64")
        return number.where(np.isfinite(number)), "is not a number"
    if name == "opened":
        return pd.to_datetime(present, format="%Y-%m-%d", errors="coerce"), "is not a date"
    if name == LABEL:
        return present.where(present.isin(CLASSES)), "is not one of the labels"
    return present, ""


def dealt(cells: pd.DataFrame, typed: pd.DataFrame, faults: pd.DataFrame) -> pd.Series[str]:
    """The side of each row, by a hash of its content."""
    names = [name for name in cells if name != LABEL]
    unit = pd.util.hash_pandas_object(cells[names], index=False).to_numpy() / 2**64
    side = np.select([unit < 0.2, unit < 0.3], ["test", "validation"], "train").astype(object)
    side[typed[LABEL].isna()] = "unlabelled"
    found = pd.Series(side, index=cells.index)
    found[faults.index.unique()] = "quarantined"
    return found


def counts(frame: pd.DataFrame, faults: pd.DataFrame) -> dict[str, Any]:
    """Rows of each file by side, of each class by side, and how often each fault was found."""
    return {
        "sides": frame.groupby(["_source", "_side"]).size().unstack(0).to_dict(),
        "classes": frame[frame["_side"] != "quarantined"]
        .groupby([LABEL, "_side"])
        .size()
        .unstack()
        .to_dict(),
        "faults": faults.groupby(["reason", "column"]).size().unstack().to_dict(),
    }


def quarantine(raw: pd.DataFrame, faults: pd.DataFrame, out: Path) -> None:
    """Each refused row as it was dropped, with its first fault and all of them."""
    rows = faults.index.unique()
    first = faults[~faults.index.duplicated()]
    records = raw.loc[rows].to_dict("records")
    every = faults.groupby(level=0).apply(lambda found: found.to_dict("records"), include_groups=False)
    refused = first.assign(number=first.index + 1, faults=every, record=pd.Series(records, rows))
    refused.sort_index().to_parquet(out / "quarantine.parquet", compression="zstd")


def guard(raw: pd.DataFrame, frame: pd.DataFrame) -> dict[str, Any]:
    """Rows that repeat the header, equal rows on two sides, columns that tell the label, ids."""
    headers = (raw.iloc[:, :3] == list(raw.columns[:3])).all(axis=1)
    rows = frame[frame["_side"].isin(["train", "validation", "test"])]
    keyed = rows[FEATURES].assign(_held=rows["_side"] != "train")
    once = keyed.drop_duplicates()
    crossed = once[once.duplicated(FEATURES)]
    some = rows.sample(min(len(rows), SAMPLE), random_state=0)
    answers = some[LABEL] == CLASSES[-1]
    return {
        "headers": int(headers.sum()),
        "on_two_sides": len(crossed),
        "examples": crossed.head(5).index.tolist(),
        "alone": {name: told(some[name], answers) for name in FEATURES},
        "ids": [name for name in CATEGORIES if some[name].nunique() >= 0.98 * some[name].count()],
    }


def told(column: pd.Series[Any], answers: pd.Series[bool]) -> float:
    """AUC of one column alone: bins or values answer with their mean, taught on one half and asked on the other."""
    if pd.api.types.is_numeric_dtype(column) or column.dtype.kind == "M":
        column = pd.qcut(column, 64, labels=False, duplicates="drop").fillna(-1)
    half, found = len(column) // 2, []
    for fit, held in ((slice(0, half), slice(half, None)), (slice(half, None), slice(0, half))):
        means = answers[fit].groupby(column[fit]).mean()
        score, truth = column[held].map(means).astype("float64").fillna(answers[fit].mean()), answers[held]
        ranks, good = score.rank()[truth].sum(), int(truth.sum())
        found.append((ranks - good * (good + 1) / 2) / max(1, good * (len(truth) - good)))
    return float(np.mean(found))


def write(frame: pd.DataFrame, out: Path) -> None:
    """Each side as Parquet."""
    columns = ["_row", "_source", *(name for name in frame if not name.startswith("_"))]
    for name in ("train", "validation", "test", "unlabelled"):
        chosen = frame.loc[frame["_side"] == name, columns]
        chosen.to_parquet(out / f"{name}.parquet", compression="zstd", index=False)


def described(kept: pd.DataFrame) -> dict[str, Any]:
    """What profile.json says of every column."""
    columns = []
    for name in (name for name in kept if not name.startswith("_")):
        column = kept[name]
        said: dict[str, Any] = {"name": name, "nulls": int(column.isna().sum()), "distinct": column.nunique()}
        if name in NUMBERS:
            said |= {"mean": float(column.mean()), "deviation": float(column.std())}
        if name in NUMBERS or name == "opened":
            ends = [column.min(), column.max()]
            said["min"], said["max"] = (
                [end.isoformat() for end in ends] if name == "opened" else map(float, ends)
            )
            said["quantiles"] = column.quantile(SHARES).tolist()
        else:
            said["longest"] = int(column.str.len().max())
            if said["distinct"] < len(column):
                top = column.value_counts().head(10)
                said["top"] = [{"value": value, "rows": rows} for value, rows in top.to_dict().items()]
        columns.append(said)
    return {"rows": len(kept), "columns": columns}


def looked(kept: pd.DataFrame) -> dict[str, Any]:
    """What eda.json says: every column but the id cut into buckets and counted by class, and correlations."""
    label, buckets = kept[LABEL], {}
    for name in (*NUMBERS, "opened"):
        column = kept[name] if name in NUMBERS else (kept[name] - kept[name].min()) / pd.Timedelta("1D")
        low, high = column.quantile([0.0, 1.0])
        place = ((column - low) / ((high - low) / BUCKETS)).clip(0, BUCKETS - 1) // 1
        buckets[name] = pd.crosstab(place, label).to_dict()
    for name in (*CATEGORIES, LABEL):
        top = kept[name].value_counts().head(10).index
        buckets[name] = pd.crosstab(kept[name].where(kept[name].isin(top), "(another)"), label).to_dict()
    numbers = kept[NUMBERS].assign(target=(label == CLASSES[-1]).astype("float64"))
    return {
        "buckets": buckets,
        "correlations": numbers.corr().to_dict(),
        "read": label.value_counts().to_dict(),
    }


if __name__ == "__main__":
    target = Path(sys.argv[2])
    target.mkdir(parents=True, exist_ok=True)
    found = prepare(Path(sys.argv[1]), target, sys.argv[3] if len(sys.argv) > 3 else "numpy")
    print(json.dumps({"rows": next(iter(found["sides"].values())), "phases": TIMES}))
