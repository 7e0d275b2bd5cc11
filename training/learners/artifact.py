"""The model directory: manifest.json, the request's schema, the learner's files and the code that serves them."""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import learners
from learners.errors import BadData
from learners.problem import EMBEDDINGS, Floats, Table
from learners.schema import Feature, Reader, json_schema

FORMAT = 1  # of the manifest; a reader refuses what is newer than itself
MANIFEST, REQUEST_SCHEMA = "manifest.json", "request.schema.json"


class Model(Protocol):
    """What every learner's fit and load return."""

    @property
    def features(self) -> list[Feature]:
        """What a request may hold."""

    @property
    def importance(self) -> list[tuple[str, float]]:
        """Share of each column, largest first."""

    def predict(self, columns: Table, rows: int) -> Floats:
        """Probabilities (rows, classes) or values (rows,)."""

    def save(self, directory: Path) -> list[str]:
        """Write the files and return their names."""


@dataclass(frozen=True)
class Artifact:
    """A loaded model with what its manifest says. `features` are in the order of a CSV without a header."""

    model: Model
    reader: Reader
    manifest: Mapping[str, Any]

    @property
    def classes(self) -> list[str] | None:
        """Return the classes in the order of the probabilities, None for regression."""
        classes: list[str] | None = self.manifest["classes"]
        return classes

    @property
    def features(self) -> list[Feature]:
        """Return what a request may hold."""
        return self.model.features


def write(directory: Path, model: Model, about: Mapping[str, Any], code: Path) -> None:
    """Write the model, its manifest and, under code/, what serves it. `code` is the directory of inference.py."""
    files = model.save(directory)
    title = f"Request to {about['project'] or about['learner']}"
    schema = json_schema(model.features, title, words=about["task"] == EMBEDDINGS)
    (directory / REQUEST_SCHEMA).write_text(
        json.dumps(schema, indent=1, ensure_ascii=False), encoding="utf-8"
    )
    manifest = {
        "format": FORMAT,
        **about,
        "schema": [feature.document() for feature in model.features],
        "importance": [{"column": name, "gain": round(gain, 6)} for name, gain in model.importance],
        "files": {name: _sha256(directory / name) for name in [*files, REQUEST_SCHEMA]},
    }
    (directory / MANIFEST).write_text(json.dumps(manifest, indent=1, ensure_ascii=False), encoding="utf-8")
    _pack_code(code, directory / "code")


def read(directory: Path) -> Artifact:
    """Return the model in `directory`; raise BadData if it is not whole, altered, or newer than this code."""
    path = directory / MANIFEST
    if not path.is_file():
        raise BadData(f"There is no {MANIFEST} in the model: it was not made by train.py.")
    manifest = json.loads(path.read_text(encoding="utf-8"))
    if manifest.get("format") != FORMAT:
        raise BadData(
            f"The model has format {manifest.get('format')} and this code reads {FORMAT}: train it again."
        )
    altered = [name for name, digest in manifest["files"].items() if _sha256(directory / name) != digest]
    if altered:
        raise BadData(
            f"Not as training left them: {', '.join(altered)}. Fetch the model again or train it again."
        )
    model = learners.get(manifest["learner"]).load(directory)
    return Artifact(model, Reader(model.features), manifest)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _pack_code(source: Path, target: Path) -> None:
    """Copy inference.py and the learners, which is all it imports."""
    shutil.copytree(
        source / "learners",
        target / "learners",
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    shutil.copy(source / "inference.py", target)
    own = target / "source/requirements.txt"  # of the learner script: what its images install when they serve
    asked = (
        "-r source/requirements.txt" if own.is_file() else "# Everything inference.py needs is in the image."
    )
    (target / "requirements.txt").write_text(f"{asked}\n", encoding="utf-8")
