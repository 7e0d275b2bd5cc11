"""Fits the same learner anew on other rows, in a process of its own that can be ended when it takes too long.

Three questions need it: what a split that keeps kin together would have shown (`grouped`), what one that does not
would have (`random`), and the scores of the validation rows by a model that has not learned from them (`validation`).
`answer` asks; `python -m judge.refit` in the training directory, with the request on standard input, answers.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
SECONDS = 300
_ROOT = Path(__file__).resolve().parents[1]
_SEED = 42


@dataclass(frozen=True)
class Judged:
    """The answers and scores of the rows held out, and the answers of those learned from."""

    answers: Array
    scores: Array
    learned: Array


def answer(
    mode: str, places: Mapping[str, str | None], manifest: Mapping[str, Any], clusters: Array | None = None
) -> tuple[Judged | None, str]:
    """Return what the refit gives, or None and why there is nothing. `places`: train, validation, test, dataset."""
    if manifest["learner"] == "script":
        return (
            None,
            "a script is run once, by Train; a split by what belongs together (split.group) needs no second time",
        )
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "judged.npz"
        if clusters is not None:
            np.save(Path(scratch) / "clusters.npy", clusters)
        request = {
            "mode": mode, "places": dict(places), "learner": manifest["learner"], "out": str(out),
            "hyperparameters": manifest["hyperparameters"],
            "clusters": None if clusters is None else str(Path(scratch) / "clusters.npy"),
        }  # fmt: skip
        try:
            done = subprocess.run(
                [sys.executable, "-m", "judge.refit"], input=json.dumps(request), capture_output=True,
                text=True, timeout=SECONDS, cwd=_ROOT, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return None, f"the learner, fitted anew, was not done within {SECONDS} seconds"
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
            return None, f"the learner could not be fitted anew: {last[:300]}"
        with np.load(out, allow_pickle=False) as found:
            return Judged(found["answers"], found["scores"], found["learned"]), ""


def deal(sizes: Mapping[str, int], target: Array, clusters: Array | None, classes: bool) -> dict[str, Array]:
    """Return the row numbers of train, validation and test, of the sizes given: whole clusters, or single rows.

    Single rows of a classification keep the classes in proportion; clusters are dealt until a side is full.
    """
    dice, rows = np.random.default_rng(_SEED), len(target)
    if clusters is not None:
        _, own = np.unique(clusters, return_inverse=True)
        rank = dice.permutation(own.max() + 1)[own]
    elif classes:
        rank = _proportional(target, dice)
    else:
        rank = dice.permutation(rows)
    order = np.argsort(rank, kind="stable")
    sides = np.repeat(["test", "validation", "train"], [sizes["test"], sizes["validation"], rows])[:rows]
    if clusters is not None:  # a cluster goes where its first row went
        firsts = np.unique(rank[order], return_index=True)[1]
        sides = np.repeat(sides[firsts], np.diff(np.r_[firsts, rows]))
    return {side: np.sort(order[sides == side]) for side in ("train", "validation", "test")}


def _proportional(target: Array, dice: np.random.Generator) -> Array:
    rank = np.empty(len(target))
    for value in np.unique(target):
        rows = np.flatnonzero(target == value)
        rank[rows] = (dice.permutation(len(rows)) + dice.random()) / len(rows)
    return rank


def main() -> None:
    """Answer one request."""
    request = json.loads(sys.stdin.read())
    from container import ensure_requirements  # noqa: PLC0415

    ensure_requirements(str(request["learner"]))
    judged = _fit(request)
    np.savez(request["out"], answers=judged.answers, scores=judged.scores, learned=judged.learned)


def _fit(request: Mapping[str, Any]) -> Judged:
    import learners  # noqa: PLC0415 - after ensure_requirements
    import tables  # noqa: PLC0415
    from learners.errors import BadData  # noqa: PLC0415
    from learners.problem import Problem, Rows, rows_of  # noqa: PLC0415

    places = request["places"]
    dataset = tables.read_dataset(Path(places["dataset"]))
    parts = {
        name: rows_of(dataset, tables.read(Path(places[name])), name)
        for name in ("train", "validation", "test")
        if places.get(name)
    }
    learner = learners.get(request["learner"])
    given = _given(request["hyperparameters"], learner)
    if request["mode"] == "validation":
        problem = Problem(dataset, parts["train"], parts["validation"])
        model, held = learner.fit(problem, given, _silent, _threads()), parts["validation"]
    else:
        sizes = {name: len(parts[name]) if name in parts else 0 for name in ("test", "validation")}
        pool = joined(list(parts.values()))
        clusters = None if request["clusters"] is None else np.load(request["clusters"], allow_pickle=False)
        dealt = deal(sizes, pool.target, clusters, dataset.task == "classification")
        train, validation, held = (
            Rows(*taken(pool, dealt[name])) for name in ("train", "validation", "test")
        )
        if not len(train) or not len(held):
            raise BadData("so many rows belong together that no split parts them")
        problem = Problem(dataset, train, validation if len(validation) else None)
        model = learner.fit(problem, given, _silent, _threads())
        model = learner.finish(model, problem, given, _silent, _threads())
    return Judged(held.target, model.predict(held.columns, len(held)), problem.train.target)


def joined(parts: list[Any]) -> Any:
    """Return the rows of several splits as one."""
    from learners.problem import Rows  # noqa: PLC0415

    names = [name for name in parts[0].columns if all(name in part.columns for part in parts)]
    columns = {name: _together([part.columns[name] for part in parts]) for name in names}
    return Rows(columns, np.concatenate([part.target for part in parts]))


def taken(rows: Any, chosen: Array) -> tuple[dict[str, Any], Array]:
    """Return the columns and answers of some rows."""
    columns = {
        name: values[chosen] if isinstance(values, np.ndarray) else [values[row] for row in chosen]
        for name, values in rows.columns.items()
    }
    return columns, rows.target[chosen]


def _together(parts: list[Any]) -> Any:
    if all(isinstance(part, np.ndarray) for part in parts):
        return np.concatenate(parts)
    return [value for part in parts for value in part]


def _given(values: Mapping[str, Any], learner: Any) -> dict[str, str]:
    """Return the hyperparameters that are not the learner's defaults, as text: a default may depend on the rows."""
    known = learner.HYPERPARAMETERS
    changed = {
        name: value for name, value in values.items() if name not in known or value != known[name].default
    }
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in changed.items()}


def _threads() -> int:
    from container import Container  # noqa: PLC0415

    return Container().cores


def _silent(_: str) -> None:
    """What a learner says of its progress is of no use here."""


if __name__ == "__main__":
    main()
