"""A channel as the one file fastText reads; labelled lines from an augmented manifest too.

word vectors   one sentence a line, tokens separated by spaces
supervised     __label__<name> tokens …, or JSON lines {"source": text, "label": 4} or [{…}] with several labels
"""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from penstock.localaws.containers.blazingtext.failure import UserError

_LABEL = "__label__"
_BUFFER = 1 << 20


def files(directory: Path) -> list[Path]:
    """The channel's files by name; raises UserError when there are none."""
    found = sorted(
        path for path in directory.rglob("*") if path.is_file() and not path.name.startswith((".", "_"))
    )
    if not found:
        raise UserError(f"Channel {directory.name} has no file")
    return found


def plain(directory: Path, target: Path) -> Path:
    """All sentences of a channel in one file; the file itself when there is only one."""
    found = files(directory)
    if len(found) == 1:
        return found[0]
    with target.open("wb") as out:
        for path in found:
            with path.open("rb") as source:
                shutil.copyfileobj(source, out, _BUFFER)
            out.write(b"\n")
    return target


def labelled(directory: Path, target: Path) -> int:
    """All labelled lines of a channel into `target`; how many. Raises UserError for a line without a label."""
    count = 0
    with target.open("w", encoding="utf-8") as out:
        for path in files(directory):
            for number, line in enumerate(_lines(path), start=1):
                out.write(f"{_labelled(line, path.name, number)}\n")
                count += 1
    if not count:
        raise UserError(f"Channel {directory.name} has no line")
    return count


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8", errors="replace") as source:
        for line in source:
            if line.strip():
                yield line.strip()


def _labelled(line: str, name: str, number: int) -> str:
    if line.startswith("{"):
        line = _from_manifest(line, name, number)
    if not line.startswith(_LABEL):
        raise UserError(f"Line {number} of {name} does not begin with {_LABEL}: {line[:60]!r}")
    return line


def _from_manifest(line: str, name: str, number: int) -> str:
    try:
        record: dict[str, Any] = json.loads(line)
        labels, source = record["label"], " ".join(str(record["source"]).split())
    except (ValueError, KeyError) as error:
        raise UserError(
            f'Line {number} of {name} is not {{"source": text, "label": label}}: {error}'
        ) from error
    given = labels if isinstance(labels, list) else [labels]
    return " ".join([*(f"{_LABEL}{label}" for label in given), source])
