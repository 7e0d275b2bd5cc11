"""Which format a file is in: its bytes decide. Its name, and what the spec says, are only compared with them."""

from __future__ import annotations

import json
import re
from typing import Literal

from data.errors import RefusedObject

Format = Literal["delimited", "jsonl", "parquet"]
WORDS: dict[Format, str] = {"delimited": "delimited text", "jsonl": "JSON lines", "parquet": "Parquet"}
DELIMITER_WORDS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}
PARQUET = b"PAR1"
_PACKED = {"gz": "gzip", "gzip": "gzip", "zst": "zstd", "zstd": "zstd"}
_NAMES: dict[str, Format] = {
    "csv": "delimited", "tsv": "delimited", "tab": "delimited", "psv": "delimited", "txt": "delimited",
    "json": "jsonl", "jsonl": "jsonl", "ndjson": "jsonl",
    "parquet": "parquet", "pq": "parquet", "parq": "parquet",
}  # fmt: skip
_DELIMITED_BY = {"tsv": "\t", "tab": "\t", "psv": "|"}
_ENOUGH = 10  # lines that are looked at
_OBJECT = re.compile(r'\{\s*("|\}|$)')


def of_text(sample: str) -> Format:
    """JSON lines when most of the first lines are objects, else delimited.

    Raises:
        RefusedObject: JSON, but not one object a line.
    """
    start = sample.lstrip()[:1]
    if start not in ("{", "["):
        return "delimited"
    lines = [line for line in re.split(r"[\r\n]+", sample[: 1 << 20], maxsplit=4 * _ENOUGH) if line.strip()]
    lines = lines[:_ENOUGH]
    objects = sum(_is_object(line) for line in lines)
    if 2 * objects >= len(lines) or (len(lines) == 1 and _OBJECT.match(lines[0].strip())):
        return "jsonl"
    if start == "[" and re.match(r"\[\s*[\[{]", sample.lstrip()):
        raise RefusedObject(
            "is a JSON array; write one object a line, without brackets and commas around them (JSON lines)"
        )
    if start == "{" and _OBJECT.match(lines[0].strip()):
        raise RefusedObject(
            "is JSON, but not one object a line; write each object on a line of its own (JSON lines)"
        )
    return "delimited"


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def notes(key: str, told: str, found: Format, delimiter: str, packing: str | None) -> list[str]:
    """Where the name of a file, or the spec, says something else than its bytes.

    Args:
        key: the object's
        told: the format its source has in the spec, or auto
        found: what it is
        delimiter: of delimited text
        packing: gzip, zstd or None
    """
    name, packed = _ending(key)
    is_now = WORDS[found] + (
        f" with {DELIMITER_WORDS.get(delimiter, repr(delimiter))}" if found == "delimited" else ""
    )
    said = []
    if packed and packed != packing:
        said.append(f"its name says {packed}, its bytes are {packing or 'not packed'}; it was read as such")
    elif packing and not packed:
        said.append(f"it is packed with {packing}, which its name does not say; it was unpacked")
    if _differs(name, found, delimiter):
        said.append(f"its name says .{name}, its bytes are {is_now}; it was read as that")
    if told != "auto" and _differs(told, found, delimiter):
        said.append(f"the project spec says {told}, its bytes are {is_now}; it was read as that")
    return said


def _ending(key: str) -> tuple[str, str | None]:
    """The ending of a name without that of its packing, and the packing it stands for."""
    parts = key.rsplit("/", 1)[-1].lower().split(".")
    packed = _PACKED.get(parts[-1]) if len(parts) > 1 else None
    if packed:
        parts.pop()
    return (parts[-1] if len(parts) > 1 else ""), packed


def _differs(name: str, found: Format, delimiter: str) -> bool:
    """Whether an ending says another format; .csv says no delimiter, because half of Europe means semicolons by it."""
    if name not in _NAMES:
        return False
    if _NAMES[name] != found:
        return True
    return found == "delimited" and _DELIMITED_BY.get(name, delimiter) != delimiter
