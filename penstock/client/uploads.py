"""Drop a file: its project's spec first, then the file itself, below drop/<project>/."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import yaml

from penstock.client.api import Api, of
from penstock.errors import PenstockError
from penstock.infer import sample


@dataclass(frozen=True)
class Dropped:
    """Where a file went. `known`: uploads of the same key there were before this one."""

    project: str
    uri: str
    key: str
    known: int


def find_spec(file: Path, given: Path | None) -> Path | None:
    """The spec to use: as given, else a project.yaml beside the file or in the working folder."""
    if given is not None:
        return given
    places = [file.parent / "project.yaml", Path("project.yaml")]
    return next((place for place in places if place.is_file()), None)


def check_fits(spec: dict[str, Any], file: Path) -> None:
    """A spec that merely lies in the working folder may be another file's: refuse if FILE lacks its label column."""
    label = next((name for name, column in spec.get("columns", {}).items() if _type(column) == "label"), None)
    try:
        names = sample.column_names(file)
    except PenstockError:
        return  # no table: the stage says why, with a verdict that stays
    if label is not None and label not in names:
        raise PenstockError(
            str(file),
            f"it has no column {label!r}, the label of project {spec['project']} in the project.yaml here",
            f"Make a spec of its own with `penstock init`, or insist with --project {spec['project']}.",
        )


def _type(column: Any) -> Any:
    return column.get("type") if isinstance(column, dict) else column


def read_spec(path: Path) -> dict[str, Any]:
    """A project spec from YAML or JSON."""
    try:
        spec = yaml.safe_load(path.read_text(encoding="utf-8"))
        json.dumps(spec)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError) as error:
        raise PenstockError(
            str(path), f"it cannot be read as YAML or JSON: {error}", "Correct it."
        ) from error
    if not isinstance(spec, dict) or "project" not in spec:
        raise PenstockError(
            str(path), "it is no project spec: it names no project", "Make one with `penstock init FILE`."
        )
    return spec


def define(api: Api, spec: dict[str, Any]) -> dict[str, Any]:
    """Store a project's spec; the API lists every fault of it at once."""
    return api.put(of(str(spec["project"])), spec)


def project_of(spec: dict[str, Any] | None, asked: str | None, file: Path) -> str:
    """The project a file is dropped for; raises PenstockError when nothing names one."""
    if asked:
        return asked
    if spec is None:
        raise PenstockError(
            str(file),
            "nothing says which project it belongs to",
            f"Make a spec with `penstock init {file}`, or name a project with --project.",
        )
    return str(spec["project"])


def send(
    bucket: str,
    project: str,
    file: Path,
    api: Api,
    moved: Callable[[int], None] = lambda _: None,
    folder: str = "",
) -> Dropped:
    """Upload `file` to drop/<project>/<folder>/<its name>; `moved` is told of bytes as they go."""
    if not file.is_file():
        raise PenstockError(str(file), "there is no such file", "Give the path of a file.")
    key = "/".join(part for part in ("drop", project, folder.strip("/"), file.name) if part)
    known = len(api.objects(project, key))
    boto3.client("s3").upload_file(str(file), bucket, key, Callback=moved)
    return Dropped(project, f"s3://{bucket}/{key}", key, known)
