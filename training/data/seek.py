"""Looks for records in every kind of object a project has, and says what is to go. Changes nothing."""

from __future__ import annotations

import codecs
import itertools
import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data import cut, files, rows, store, versions, wrapping
from data.errors import RefusedObject
from data.files import Source
from data.spec import Spec
from data.traces import Traces
from data.versions import Version

ROWS, LINES, WORDS, WHOLE, UNSEARCHED = "rows", "lines", "words", "whole", "unsearched"
_WINDOW = 16 << 20  # bytes of a document looked at at once
_OVERLAP = 1 << 16  # of two windows
_LARGEST = 64 << 20  # bytes of a document that is taken for one JSON value
_LINES = (".jsonl", ".ndjson", ".manifest")
HOLD_NO_ROWS = re.compile(r"(^|/)(dataset|objects|project)\.json$")
"""Documents of names and counts only: a word in them is no record."""
_PICTURES = (".png", ".jpg", ".gif", ".metadata")


@dataclass(frozen=True)
class Found:
    """What of a version has to go.

    `how`: its ROWS of these `numbers`, LINES of these numbers, WORDS in a document, or the WHOLE of it; UNSEARCHED:
    nobody can say. `rows` is how many rows, lines or documents that is; `etag` is the version's.
    """

    key: str
    version_id: str
    how: str
    etag: str = ""
    numbers: tuple[int, ...] = ()
    rows: int = 1
    reason: str = ""
    latest: bool = True

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def of(cls, document: dict[str, Any]) -> Found:
        """From JSON."""
        return cls(**{**document, "numbers": tuple(document["numbers"])})


class Seeker:
    """Looks into versions of objects. May be used by several threads."""

    def __init__(self, s3: Any, bucket: str, spec: Spec, traces: Traces, folder: str) -> None:
        self.s3, self.bucket, self.spec, self.traces = s3, bucket, spec, traces
        self._folder = folder
        self._count = itertools.count()
        self._by_text: dict[tuple[str, str], tuple[Version, int]] = {}

    def unsure(self) -> list[Version]:
        """Versions that were searched for texts when fewer were known than are now."""
        known = len(self.traces.texts)
        return [version for version, then in self._by_text.values() if then < known]

    def _goes_by_text(self, version: Version, known: int) -> None:
        self._by_text[version.key, version.version_id] = (version, known)

    def drop(self, version: Version) -> Found | None:
        """An upload, read as Prepare reads it; what it cannot read is searched as bytes."""
        source = self.source(version)
        known = len(self.traces.texts)
        try:
            if source.refusal is None:
                numbers, by_text = self._numbers(source)
                if by_text:
                    self._goes_by_text(version, known)
                return _found(version, ROWS, numbers=numbers, rows=len(numbers)) if numbers else None
        except RefusedObject:
            pass  # it stops being readable somewhere
        finally:
            _remove(source.path)
        self._goes_by_text(version, known)
        return self._unread(version, source.refusal or "it cannot be read to its end")

    def _numbers(self, source: Source) -> tuple[tuple[int, ...], bool]:
        """Numbers of an upload's rows that have a key, and whether some had to be judged by their text.

        Raises:
            RefusedObject: the file stops being readable.
        """
        found: list[int] = []
        by_text = False
        if not source.header:
            return (), False
        for batch in rows.batches(source, source.path, source.header):
            number = batch.column("_number").to_numpy()
            if not number.all():
                raise RefusedObject("cannot be read to its end")
            columns = [batch.column(name) for name in source.header]
            mask = self.traces.in_columns(source.header, columns)
            gone = np.flatnonzero(mask) if mask is not None else np.zeros(0, int)
            if len(gone):
                self.traces.learn(source.header, columns, gone)
                found += number[gone].tolist()
            found += self._ragged(batch, number)
            by_text = by_text or batch.column("_text").null_count < len(batch)
        return tuple(found), by_text

    def _ragged(self, batch: pa.RecordBatch, number: Any) -> list[int]:
        """Rows that could not be told apart into cells, and hold a key all the same."""
        texts = batch.column("_text")
        if texts.null_count == len(texts):
            return []
        told = enumerate(texts.to_pylist())
        return [int(number[place]) for place, text in told if text and self.traces.in_page(text)]

    def _unread(self, version: Version, reason: str) -> Found | None:
        """An upload that is no table: whole, or not at all."""
        path = self._path()
        try:
            wrapping.unwrap(versions.read(self.s3, self.bucket, version), path)
            holds = any(self.traces.in_page(text) for text in _windows(path))
            return _found(version, WHOLE, reason=reason) if holds else None
        except RefusedObject as refusal:
            return self._opaque(version, str(refusal))
        finally:
            _remove(path)

    def _opaque(self, version: Version, reason: str) -> Found | None:
        """What is no text: its bytes may say a key even so; that they do not proves nothing."""
        path = self.fetched(version)
        try:
            if any(self.traces.in_page(text) for text in _windows(path)):
                return _found(version, WHOLE, reason=reason)
            return _found(version, UNSEARCHED, reason=reason, rows=0) if version.size else None
        finally:
            _remove(path)

    def table(self, version: Version) -> Found | None:
        """A Parquet file of the lake: prepared data, quarantine, or any other."""
        path = self.fetched(version)
        try:
            count, known = 0, len(self.traces.texts)
            with pq.ParquetFile(path) as file:
                names = {name.lower() for name in file.schema_arrow.names}
                if "record" in names or not names.issuperset(name.lower() for name in self.traces.columns):
                    self._goes_by_text(version, known)
                for batch in file.iter_batches(batch_size=1 << 16):
                    mask = self.goes(batch)
                    count += int(mask.sum())
                    if mask.any():
                        self._learn(batch, np.flatnonzero(mask))
            return _found(version, ROWS, rows=count) if count else None
        except (pa.ArrowException, OSError) as error:
            return _found(version, UNSEARCHED, reason=f"is damaged Parquet: {error}", rows=0)
        finally:
            _remove(path)

    def goes(self, batch: pa.RecordBatch) -> Any:
        """Which rows of a table of the lake go."""
        names, columns = batch.schema.names, batch.columns
        mask = self.traces.in_columns(names, columns)
        if "record" in names and pa.types.is_map(batch.schema.field("record").type):
            refused = self.traces.in_record(batch.column("record"))
            texts = batch.column("text").to_pylist() if "text" in names else []
            ragged = np.array([bool(text) and self.traces.in_page(text) for text in texts] or refused, bool)
            return refused | ragged
        return self._quoting(batch) if mask is None else mask

    def _quoting(self, batch: pa.RecordBatch) -> Any:
        """Of a table without the key: rows that quote a text of the record."""
        mask = np.zeros(batch.num_rows, bool)
        for column in batch.columns if self.traces.texts else ():
            if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
                mask |= np.array(
                    [bool(text) and self.traces.in_text(text) for text in column.to_pylist()], bool
                )
        return mask

    def _learn(self, batch: pa.RecordBatch, places: Any) -> None:
        self.traces.learn(batch.schema.names, batch.columns, places)
        if "record" in batch.schema.names:
            self.traces.learn_records(batch.column("record").take(pa.array(places)).to_pylist())

    def document(self, version: Version) -> Found | None:
        """A page, a JSON document, JSON lines, a query's result, whatever else."""
        name = version.key.lower()
        if HOLD_NO_ROWS.search(name) or name.endswith(_PICTURES):
            return None
        path = self.fetched(version)
        try:
            if not wrapping.loosen(path):
                return _found(version, UNSEARCHED, reason="is packed in a way that is not read", rows=0)
            return self.read_document(version, path, name)
        finally:
            _remove(path)

    def read_document(self, version: Version, path: str, name: str) -> Found | None:
        """A document that lies at `path`, unpacked; `name`: its key in lower case."""
        if name.endswith(_LINES) or "/capture/" in f"/{name}":
            return self._in_lines(version, path)
        if name.endswith(".json") and os.path.getsize(path) <= _LARGEST:
            value = _json(path)
            if value is not None:
                return _found(version, WORDS) if self.traces.in_json(value) else None
        return _found(version, WHOLE) if any(map(self.traces.in_page, _windows(path))) else None

    def _in_lines(self, version: Version, path: str) -> Found | None:
        try:
            numbers = tuple(number for number, line in _numbered(path) if self.in_line(line))
        except RefusedObject as refusal:  # nor could a line be taken out of it
            if any(map(self.traces.in_page, _windows(path))):
                return _found(version, WHOLE, reason=str(refusal))
            return _found(version, UNSEARCHED, reason=str(refusal), rows=0)
        return _found(version, LINES, numbers=numbers, rows=len(numbers)) if numbers else None

    def in_line(self, line: str) -> bool:
        """Whether a line of JSON lines holds a record."""
        try:
            return self.traces.in_json(json.loads(line))
        except (ValueError, RecursionError):
            return self.traces.in_page(line)

    def fetched(self, version: Version) -> str:
        """A version as a file, as it is."""
        path = self._path()
        with open(path, "wb") as file:
            for chunk in versions.read(self.s3, self.bucket, version):
                file.write(chunk)
        return path

    def source(self, version: Version) -> Source:
        """An upload as a file that can be read, unpacked and in UTF-8."""
        drop = store.Drop(
            next(self._count),
            self.bucket,
            version.key,
            version.version_id,
            version.etag,
            "0",
            version.size,
            True,
        )
        return files.check(self.s3, drop, self._folder, self.spec)

    def _path(self) -> str:
        return os.path.join(self._folder, f"seek-{next(self._count)}")


def _found(version: Version, how: str, **told: Any) -> Found:
    how = how if version.latest or how == UNSEARCHED else WHOLE
    return Found(version.key, version.version_id, how, version.etag, latest=version.latest, **told)


def _windows(path: str) -> Iterator[str]:
    """A file's text in pieces that overlap."""
    tail = b""
    with open(path, "rb") as file:
        while chunk := file.read(_WINDOW):
            yield (tail + chunk).decode(errors="replace")
            tail = chunk[-_OVERLAP:]


def _numbered(path: str) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, from 1, as data/cut.py counts them: it takes them out by number.

    Raises:
        RefusedObject: one is longer than a row may be.
    """
    with open(path, "rb") as file:
        told = (line for line in cut.lines(file) if not cut.blank(line, delimited=False))
        for number, line in enumerate(told, 1):
            yield number, line.removeprefix(codecs.BOM_UTF8).decode(errors="replace")


def _json(path: str) -> Any | None:
    try:
        with open(path, encoding="utf-8-sig") as file:
            return json.load(file)
    except (ValueError, RecursionError):
        return None


def _remove(path: str) -> None:
    if path and os.path.exists(path):
        os.unlink(path)
