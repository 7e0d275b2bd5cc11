"""Whether training may go on from an earlier model instead of starting anew: only where that is honest.

An earlier model has seen its own training rows. Under `split.method: hash` a row stays on its side when data is added,
so none of them is held out now; under the others it may be, and the score would be of rows the model knows. So it may
where rows have a key and are hashed with what else they say: corrected, a row is another one to the hash.
"""

import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from learners import artifact
from learners.errors import BadData
from learners.problem import Problem


def start(
    place: Path | None,
    learner: ModuleType,
    problem: Problem,
    hyperparameters: Mapping[str, str],
    scratch: Path,
    say: Callable[[str], None],
) -> tuple[Any, dict[str, Any] | None]:
    """Return (the model to go on from, where it comes from), or (None, None) having said why not.

    `place` is the channel `model`: model.tar.gz, or what is in it. `scratch` is a directory to unpack in.
    """
    if place is None:
        return None, None
    try:
        directory = _unpacked(place, scratch)
        manifest = artifact.read(directory).manifest
        reason = _reason(manifest, learner, problem)
        model = None if reason else learner.resume(directory)
        reason = reason or learner.changed(model, problem, hyperparameters)
    except BadData as error:
        reason = str(error)
    except (KeyError, OSError, TypeError, ValueError) as error:  # of JSON, of Arrow, or the engine's own
        reason = f"it cannot be read: {type(error).__name__}: {str(error)[:200]}"
    if reason:
        say(f"warning: not gone on from the earlier model, but trained anew: {reason}")
        return None, None
    origin = {"run": manifest["run"], "version": manifest["dataset"]["version"]}
    say(f"going on from the model of run {origin['run'] or 'unknown'}, dataset version {origin['version']}")
    return model, origin


def _reason(manifest: Mapping[str, Any], learner: ModuleType, problem: Problem) -> str | None:
    dataset = problem.dataset
    ours = learner.__name__.rpartition(".")[2]
    if manifest["learner"] != ours:
        return f"it is of {manifest['learner']}, and this is {ours}"
    if not hasattr(learner, "resume"):
        return f"{ours} cannot go on from a model"
    for name, now in (("task", dataset.task), ("target", dataset.target), ("classes", dataset.classes)):
        if manifest[name] != now:
            return f"its {name} is {manifest[name]}, and that of the data is {now}"
    if dataset.split.get("key"):
        key = ", ".join(dataset.split["key"])
        return f"a corrected row of the key {key} may have changed sides; with the key as split.group it keeps its own"
    before = manifest["dataset"].get("split") or {}
    if before.get("method") != "hash" or before != dataset.split:
        return (
            f"rows may have changed sides (split was {before or 'not told'}, is {dataset.split or 'not told'}); "
            "only an unchanged split.method hash keeps them"
        )
    return None


def _unpacked(place: Path, scratch: Path) -> Path:
    archive = place / "model.tar.gz"
    if not archive.is_file():
        return place
    try:
        with tarfile.open(archive) as packed:
            packed.extractall(scratch, filter="data")  # refuses paths outside
    except (tarfile.TarError, OSError, EOFError) as error:
        raise BadData(f"model.tar.gz cannot be unpacked: {error}") from error
    return scratch
