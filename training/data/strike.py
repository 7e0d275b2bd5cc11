"""Does what data/seek.py has found to do: writes objects anew without the rows, and deletes old versions for good.

Each step may be repeated: what was put in a version's place says so in its metadata, and what is gone is done.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from data import cut, rows, seek, sources, store, versions, wrapping
from data.errors import RefusedObject
from data.files import Source
from data.replayed import NUMBER
from data.seek import Found, Seeker
from data.versions import Version


@dataclass(frozen=True)
class Rewritten:
    """An upload that was written anew: its new version, and the one whose place it takes."""

    key: str
    was: str
    version_id: str
    etag: str
    size: int

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "key": self.key,
            "was": self.was,
            "version_id": self.version_id,
            "etag": self.etag,
            "size": self.size,
        }


class Striker:
    """Carries out one erasure."""

    def __init__(self, seeker: Seeker, erasure: str) -> None:
        self._seeker, self._s3, self._bucket = seeker, seeker.s3, seeker.bucket
        self._note = {versions.BY: erasure}

    def strike(self, found: Found) -> Rewritten | None:
        """Take what was found away; answers what was put in its place, if anything."""
        there = versions.of_key(self._s3, self._bucket, found.key)
        this = next((one for one in there if one.version_id == found.version_id), None)
        newer = there[: there.index(this)] if this else there
        made = self._made(found, newer)
        if made is None and this is not None and this.latest:
            made = None if found.how == seek.WHOLE else self._rewrite(found, this)
            if made is None:
                versions.hide(self._s3, self._bucket, found.key)
        if this is not None:
            if made is not None and newer and newer[-1].version_id != made.version_id:
                # Somebody put another object there while we wrote: theirs is the one that counts.
                versions.purge(self._s3, self._bucket, [(made.key, made.version_id)])
                made = None
            versions.purge(self._s3, self._bucket, [(this.key, this.version_id)])
        if made is None:
            return None
        return Rewritten(made.key, found.version_id, made.version_id, made.etag, made.size)

    def _made(self, found: Found, newer: Sequence[Version]) -> Version | None:
        """What an attempt that died has put in the version's place."""
        if found.how == seek.WHOLE:
            return None
        told = ((one, versions.metadata(self._s3, self._bucket, one)) for one in newer)
        return next((one for one, note in told if note.get(versions.WAS) == found.version_id), None)

    def _rewrite(self, found: Found, this: Version) -> Version | None:
        """Put the version there anew; None when nothing would be left of it."""
        out = f"{self._seeker.fetched(this)}"
        try:
            if found.how == seek.WORDS:
                if not self._redact(out):
                    return None
            elif found.key.endswith(".parquet") and not found.numbers:
                self._filter(out)
            elif not self._cut(found, this, out):
                return None
            return versions.replace(self._s3, self._bucket, this, out, self._note)
        finally:
            os.unlink(out)

    def _redact(self, path: str) -> bool:
        """Take a record's words and numbers out of a document; False when it would hold a record all the same."""
        traces = self._seeker.traces
        with open(path, encoding="utf-8-sig") as file:
            value = traces.redacted(json.load(file))
        with open(path, "w", encoding="utf-8") as file:
            json.dump(value, file, ensure_ascii=False, indent=1)
        return not traces.in_json(value)

    def _filter(self, path: str) -> None:
        cut.parquet(path, f"{path}-cut", self._seeker.goes)
        os.replace(f"{path}-cut", path)

    def _cut(self, found: Found, this: Version, out: str) -> bool:
        """Write the file at `out`, an object as it is, without the rows; False when none is left."""
        source = self._source(found, this)
        try:
            if source.format == "parquet":
                return self._cut_parquet(found, out)
            plain, short = f"{out}-plain", f"{out}-short"
            with open(out, "rb") as file:
                how = wrapping.unwrap(iter(lambda: file.read(store.CHUNK), b""), plain)
            count = cut.text(source, plain, short, found.numbers)
            if count < max(found.numbers):
                raise RuntimeError(
                    f"{found.key}: has {count} rows and not {max(found.numbers)}: it was left as it is"
                )
            wrapping.wrap(short, out, how)
            os.unlink(plain)
            os.unlink(short)
            return count > len(found.numbers)
        finally:
            if source.path and os.path.exists(source.path):
                os.unlink(source.path)

    def _source(self, found: Found, this: Version) -> Source:
        if found.how == seek.LINES:
            drop = store.Drop(0, self._bucket, this.key, this.version_id, this.etag, "0", this.size, True)
            return Source(drop, format="jsonl")
        source = self._seeker.source(this)
        if source.refusal:
            raise RefusedObject(f"{found.key}: {source.refusal}")
        return source

    def _cut_parquet(self, found: Found, out: str) -> bool:
        """Rows by their numbers: a dropped file has key columns of any type, compared as the text Prepare reads."""
        gone, at = frozenset(found.numbers), 0

        def goes(batch: Any) -> list[bool]:
            nonlocal at
            at += batch.num_rows
            return [number in gone for number in range(at - batch.num_rows + 1, at + 1)]

        count, went = cut.parquet(out, f"{out}-cut", goes)
        os.replace(f"{out}-cut", out)
        return count > went

    def follow(self, found: Found, made: Rewritten) -> None:
        """Corrections of an upload's rows name it by its etag and its rows by number: both are others now."""
        project, rest = found.key.removeprefix("drop/").split("/", 1)
        for there in versions.of_keys(self._s3, self._bucket, f"drop/{project}/replay/"):
            told = re.fullmatch(sources.REPLAYED, there[0].key.removeprefix(f"drop/{project}/"), re.DOTALL)
            if told and there[0].latest and (told["etag"], told["path"]) == (found.etag, rest):
                key = there[0].key.replace(f"/etag={found.etag}/", f"/etag={made.etag}/", 1)
                self._renumber(there[0], key, found.numbers)
                versions.hide(self._s3, self._bucket, there[0].key)

    def _renumber(self, old: Version, key: str, gone: Sequence[int]) -> None:
        """Put the corrections to a new key, as plain CSV, for the numbers the rows have now.

        A row that names no number corrects nothing and is left out; so is a whole file that cannot be read.
        """
        source = self._seeker.source(old)
        out = f"{source.path}-new"
        try:
            if source.refusal is None and NUMBER in source.header:
                with open(out, "w", encoding="utf-8", newline="") as file:
                    writer = csv.writer(file, lineterminator="\n")
                    writer.writerow(source.header)
                    writer.writerows(_renumbered(source, gone))
                store.upload(self._s3, out, f"s3://{self._bucket}/{key}")
        except RefusedObject:
            pass  # it stops being readable: Prepare would refuse all of it
        finally:
            for path in filter(os.path.exists, (source.path, out)):
                os.unlink(path)


def _renumbered(source: Source, gone: Sequence[int]) -> Iterator[list[str | None]]:
    """The rows of a file of corrections, for the rows that have not gone.

    Raises:
        RefusedObject: the file stops being readable.
    """
    place = source.header.index(NUMBER)
    for batch in rows.batches(source, source.path, source.header):
        if not batch.column("_number").to_numpy().all():
            raise RefusedObject("cannot be read to its end")
        for row in zip(*(batch.column(name).to_pylist() for name in source.header), strict=True):
            told = (row[place] or "").strip()
            if told.isdecimal() and int(told) not in gone:
                number = int(told) - sum(one < int(told) for one in gone)
                yield [*row[:place], str(number), *row[place + 1 :]]
