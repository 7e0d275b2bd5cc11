"""The steps of Prepare as one would write them in pandas, to measure against: whole frames, in memory.

    python bench/lake_pandas.py <rows.csv> <folder for Parquet>

Reads the file, types every cell and says of each bad one why, deals rows to train, validation and test by a hash of
their content, looks whether equal rows are on two sides, describes every column, counts histograms and crosstabs, and
writes the sides, the quarantine and the profile. It reads from and writes to the disk, where Prepare has S3 between.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

EMPTY = ["", "N/A", "n/a", "#N/A", "NaN", "nan", "-nan", "NULL", "null", "<NA>"]
NUMBERS, CATEGORIES = ["amount", "balance", "age"], ["country", "channel"]
LABELS = ["bad", "good"]
FEATURES = [*NUMBERS, *CATEGORIES, "opened", "note"]


def prepare(path: Path, out: Path) -> dict[str, Any]:
    """All of it; the profile."""
    raw = pd.read_csv(path, dtype=str, keep_default_na=False)
    typed, faults = judged(raw)
    side = dealt(raw, typed, faults)
    write(raw, typed, faults, side, out)
    profile = described(typed, raw, side)
    (out / "profile.json").write_text(json.dumps(profile, default=str))
    return profile


def judged(raw: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Typed columns, and row, column, value and reason of each bad cell."""
    typed, faults = pd.DataFrame(index=raw.index), []
    for name in raw.columns:
        text = raw[name].str.strip()
        missing = text.isin(EMPTY)
        if name in NUMBERS:
            value: Any = pd.to_numeric(text.mask(missing), errors="coerce")
            reason = "is not a number"
        elif name == "opened":
            value = pd.to_datetime(text.mask(missing), format="%Y-%m-%d", errors="coerce")
            reason = "is not a date"
        elif name == "verdict":
            value, reason = text.where(text.isin(LABELS)), "is not one of the labels"
        else:
            value, reason = text.mask(missing), ""
        typed[name] = value
        bad = value.isna() & ~missing
        if reason and bad.any():
            faults.append(pd.DataFrame({"column": name, "value": raw.loc[bad, name], "reason": reason}))
    return typed, pd.concat(faults) if faults else pd.DataFrame()


def dealt(raw: pd.DataFrame, typed: pd.DataFrame, faults: pd.DataFrame) -> pd.Series[str]:
    """The side of each row, by a hash of its content."""
    unit = pd.util.hash_pandas_object(raw[FEATURES], index=False).to_numpy() / 2**64
    side = np.select([unit < 0.2, unit < 0.3], ["test", "validation"], "train")
    side = np.where(typed["verdict"].isna(), "unlabelled", side)
    found = pd.Series(side, index=raw.index)
    found[faults.index.unique()] = "quarantined"
    return found


def write(
    raw: pd.DataFrame, typed: pd.DataFrame, faults: pd.DataFrame, side: pd.Series[str], out: Path
) -> None:
    """Each side as Parquet, and what was refused as it was dropped, with its faults."""
    for name in ("train", "validation", "test", "unlabelled"):
        typed[side == name].to_parquet(out / f"{name}.parquet", compression="zstd")
    bad = raw[side == "quarantined"]
    bad.join(faults, rsuffix="_fault").to_parquet(out / "quarantine.parquet", compression="zstd")


def described(typed: pd.DataFrame, raw: pd.DataFrame, side: pd.Series[str]) -> dict[str, Any]:
    """What Prepare's profile, its report and its guard count."""
    good = typed[side != "quarantined"]
    numbers = good[NUMBERS]
    profile = {
        "rows": len(good),
        "sides": side.value_counts().to_dict(),
        "nulls": good.isna().sum().to_dict(),
        "empty": {name: int((raw[name].str.strip() == "").sum()) for name in raw.columns},
        "distinct": good.nunique().to_dict(),
        "describe": good.describe(percentiles=[0.05, 0.25, 0.5, 0.75, 0.95]).to_dict(),
        "correlation": numbers.corr().to_dict(),
        "spearman": numbers.sample(min(len(numbers), 10_000), random_state=1).corr("spearman").to_dict(),
    }
    profile["histograms"] = {
        name: [part.tolist() for part in np.histogram(good[name].dropna(), 20)] for name in NUMBERS
    }
    profile["top"] = {name: good[name].value_counts().head(10).to_dict() for name in [*CATEGORIES, "note"]}
    profile["crosstabs"] = {name: pd.crosstab(good[name], good["verdict"]).to_dict() for name in CATEGORIES}
    profile["by_class"] = {name: good.groupby("verdict")[name].describe().to_dict() for name in NUMBERS}
    profile["lengths"] = good["note"].str.len().describe().to_dict()
    dealt_rows = good.assign(side=side[good.index]).drop_duplicates([*FEATURES, "side"])
    profile["on_two_sides"] = int(dealt_rows.duplicated(FEATURES).sum())
    return profile


if __name__ == "__main__":
    target = Path(sys.argv[2])
    target.mkdir(parents=True, exist_ok=True)
    print(json.dumps({"rows": prepare(Path(sys.argv[1]), target)["sides"]}))
