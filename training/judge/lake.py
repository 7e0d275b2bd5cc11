"""The figures and predictions of a judgement as Parquet, for SQL: `<project>_scorecards` and `<project>_predictions`.

Their columns are those data/catalog.py tells the catalog; one file a run, below the dataset version's folder.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from judge.metrics import labels
from judge.rules import Rules

Array = npt.NDArray[Any]


def scorecards(path: Path, card: Mapping[str, Any]) -> None:
    """Write a line for every figure: whose it is, on which rows, its interval if there is one."""
    import pyarrow as pa  # noqa: PLC0415 - after ensure_requirements

    fields = [("run", pa.string()), ("learner", pa.string()), ("judged", pa.string()), ("basis", pa.string()),
              ("rows", pa.int64()), ("metric", pa.string()), ("value", pa.float64()), ("low", pa.float64()),
              ("high", pa.float64())]  # fmt: skip
    head = {"run": card["run"], "learner": card["learner"]}
    _write(path, [{**head, **line} for line in _lines(card)], pa.schema(fields))


def predictions(
    path: Path, run: str, rows: Any, answers: Array, scores: Array, classes: list[str] | None, rules: Rules
) -> None:
    """Write a line for every test row: its number in the lake, what it is, what the model said, and the score of that.

    `rows` are the row numbers, None if the data has none; `positive` is the positive class's score, of two classes.
    """
    import pyarrow as pa  # noqa: PLC0415

    count, kind = len(answers), pa.float64() if classes is None else pa.string()
    said = scores if classes is None else labels(scores, rules.rule)
    columns = {
        "run": pa.array([run] * count, pa.string()),
        "split": pa.array(["test"] * count, pa.string()),
        "row": pa.array([None] * count if rows is None else [int(row) for row in rows], pa.int64()),
        "truth": pa.array(_named(answers, classes), kind),
        "predicted": pa.array(_named(said, classes), kind),
        "score": pa.array(
            [None] * count if classes is None else scores[np.arange(count), said], pa.float64()
        ),
        "positive": pa.array(
            scores[:, rules.rule.positive] if classes is not None and len(classes) == 2 else [None] * count,
            pa.float64(),
        ),
    }
    _save(path, pa.table(columns))


def _lines(card: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    bases = {"all": card, **({"leak_free": card["leak_free"]} if card["leak_free"] else {})}
    for basis, part in bases.items():
        rows = card["rows"]["test"] if basis == "all" else part["rows"]
        whose = {"model": part["metrics"]}
        whose |= {who: part[who]["metrics"] for who in ("baseline", "champion") if part[who]}
        for who, figures in whose.items():
            for metric, value in (figures or {}).items():
                ends = part["intervals"].get(metric, {}) if who == "model" else {}
                yield {
                    "judged": who,
                    "basis": basis,
                    "rows": rows,
                    "metric": metric,
                    "value": float(value),
                    **ends,
                }
    for metric, value in ((card["leak_free"] or {}).get("random") or {}).items():
        yield {
            "judged": "model",
            "basis": "random",
            "rows": card["rows"]["test"],
            "metric": metric,
            "value": value,
        }


def _named(numbers: Array, classes: list[str] | None) -> list[Any]:
    return numbers.tolist() if classes is None else [classes[number] for number in numbers.tolist()]


def _write(path: Path, lines: list[dict[str, Any]], schema: Any) -> None:
    import pyarrow as pa  # noqa: PLC0415

    _save(path, pa.Table.from_pylist(lines, schema))


def _save(path: Path, table: Any) -> None:
    import pyarrow.parquet as pq  # noqa: PLC0415

    pq.write_table(table, path, compression="snappy")
