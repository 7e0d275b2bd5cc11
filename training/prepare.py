"""Prepare: dropped files in, a new immutable dataset version out. Runs as a Glue job, or anywhere Python and S3 are.

Every object and every row ends in exactly one stated verdict. What it reads and writes: docs/steps/prepare.md.
Exit status 0, or 1 with `BadUpload: <reason>` as the last line of standard error when there is nothing usable.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from data import counts, drift, leaks, replayed, report, results, sources, spec, split, store, timesplit
from data.assemble import Assembly
from data.errors import BadUpload
from data.files import Source, same_spelling

if TYPE_CHECKING:
    import ibis.expr.types as ir
    from data.engine import Engine


class Prepare:
    """One run: its arguments, its spec, and what is known so far about its objects and rows."""

    def __init__(self, args: argparse.Namespace, engine: Engine) -> None:
        self.args = args
        self.engine = engine
        self.s3 = store.client()
        self.spec = spec.parse(store.read_json(self.s3, args.spec_uri))
        self.sources: list[Source] = []
        self.ignored: list[store.Drop] = []
        self.assembly: Assembly | None = None
        self.counted = results.Tally()
        self.quarantine_uri: str | None = None
        self.cuts: dict[str, str] = {}
        self.findings: tuple[leaks.Finding, ...] = ()
        lake, version = args.lake_uri.rstrip("/"), f"version={args.version:06d}/"
        self.dataset_uri = f"{lake}/prepared/{version}"
        self.refused_uri = f"{lake}/quarantine/{version}"

    def run(self) -> None:
        """Do all of it; prepare.json is written in either outcome.

        Raises:
            BadUpload: nothing usable.
        """
        try:
            self._make_room()
            self._look()
            rows, others = self._judge()
            self._count([rows, *others])
            self._quarantine([rows, *others])
            results.usable(self.sources)
            results.enough(self.spec, self.counted)
            self._guard(rows)
            self._write(rows)
        except BadUpload as refusal:
            self._report(" ".join(str(refusal).split()))
            raise
        self._report(None)

    def _make_room(self) -> None:
        """A version that is whole stays as it is; what a dead attempt of this run left goes."""
        whole = store.find_json(self.s3, f"{self.dataset_uri}dataset.json")
        if whole is not None and whole.get("run") != self.args.run:
            raise RuntimeError(
                f"{self.dataset_uri} was made by run {whole.get('run')}; a version is never changed: start a new run"
            )
        with phase("room") as said:
            # dataset.json first: without it, what is left is not taken for whole.
            stale = (f"{self.dataset_uri}dataset.json", self.dataset_uri, self.refused_uri)
            said["removed"] = sum(store.clear(self.s3, uri) for uri in stale)

    def _look(self) -> None:
        every = store.drops(store.read_json(self.s3, self.args.objects_uri))
        drops: list[store.Drop] = []
        for drop in every:
            (self.ignored if sources.of(self.spec, drop.key) is None else drops).append(drop)
        with phase("look", objects=len(drops), bytes=sum(drop.size for drop in drops)) as said:
            self.sources = replayed.outdated(same_spelling(self.engine.look(drops, self.spec)))
            said["refused"] = sum(source.refusal is not None for source in self.sources)
            said["ignored"] = len(self.ignored)
        self._compare()
        if self.ignored and not any(drop.claimed_now for drop in drops):
            raise BadUpload(
                f"{self.ignored[0].key}: {sources.nobody(self.spec)}; there is nothing new to prepare"
            )

    def _compare(self) -> None:
        """Tell what is news about the files' columns: the last version knows some of it."""
        last = store.newest_whole(self.s3, self.dataset_uri.rpartition("version=")[0], self.args.version)
        known = [column["name"] for column in (last or {}).get("columns", ())]
        kinds = {one.drop.key: sources.rule(self.spec, one.drop.key).kind for one in self.sources}
        brought = {name for one in self.sources if kinds[one.drop.key] == "reference" for name in one.header}
        before = [name for name in known if name not in brought]
        self.sources = [
            replace(one, drift=drift.news(one.drift, one.header, before, self.spec))
            if one.header and kinds[one.drop.key] == "upserts"
            else one
            for one in self.sources
        ]

    def _judge(self) -> tuple[ir.Table, list[ir.Table]]:
        """Every row of every usable object, typed, judged, merged and dealt to a side: the dataset's, and others."""
        good = results.usable(self.sources)
        self.assembly = Assembly(self.engine, self.spec, self.sources)
        with phase("judge", objects=len(good), columns=len(self.assembly.columns.every)):
            try:
                rows = self.assembly.rows()
            finally:
                self.sources = self.assembly.found
            if self.spec.split.method == "shuffled":
                rows = self._shuffle(rows)
            if self.spec.split.method == "time":
                rows = self._by_time(rows)
        return rows, self.assembly.others

    def _shuffle(self, rows: ir.Table) -> ir.Table:
        count = self.engine.rows(counts.waiting(rows))[0]["rows"]
        dealt = self.engine.small(split.shuffled(count, self.spec.split))
        return self.engine.keep(split.deal(rows, dealt), "dealt")

    def _by_time(self, rows: ir.Table) -> ir.Table:
        found = self.engine.rows(timesplit.moments(rows, self.spec.split))
        self.cuts = dict(self.spec.split.cuts) or timesplit.cuts(found)
        return self.engine.keep(timesplit.deal(rows, self.spec.split, self.cuts), "dealt")

    def _guard(self, rows: ir.Table) -> None:
        """Before anything is written: what the leak guard finds, and what the spec says to do about it."""
        columns = self.assembly.columns.every if self.assembly else ()
        with phase("guard") as said:
            self.findings = report.guard(self.engine, rows, self.spec, columns, self.counted)
            said["leaks"] = [finding.said for finding in self.findings if finding.verdict == "leak"]
        leaks.enforce(self.spec, self.findings)

    def _count(self, tables: Sequence[ir.Table]) -> None:
        with phase("count") as said:
            classes = counts.classes(tables[0], self.spec) if self.spec.classification else None
            self.counted = results.tally(
                (row for table in tables for row in self.engine.rows(counts.sides(table))),
                self.engine.rows(classes) if classes is not None else (),
                (row for table in tables for row in self.engine.rows(counts.faults(table))),
            )
            self.sources = results.judge(self.sources, self.counted)
            said.update(self.counted.rows)

    def _quarantine(self, tables: Sequence[ir.Table]) -> None:
        """Also when the run is refused: the rows that were not good enough are what the user must see then."""
        if not self.counted.rows["quarantined"]:
            return
        bad = [counts.refused(table) for table in tables]
        with phase("quarantine", rows=self.counted.rows["quarantined"]):
            self.engine.write(bad[0].union(*bad[1:]) if bad[1:] else bad[0], self.refused_uri)
        self.quarantine_uri = self.refused_uri
        if self.args.database:
            from data import catalog  # noqa: PLC0415  only when there is a catalog

            lake = self.refused_uri.rpartition("quarantine/")[0]
            catalog.quarantine(self.args.database, self.spec.project, self.args.version, lake)

    def _write(self, rows: ir.Table) -> None:
        """The splits, the profile, and last dataset.json: a version without it is not whole."""
        columns = self.assembly.columns.every if self.assembly else ()
        for side in results.WRITTEN:
            with phase("write", side=side, rows=self.counted.rows[side]):
                table = self._in_order(rows.filter(rows["_side"] == side))
                self.engine.write(table.select("_row", "_source", *columns), f"{self.dataset_uri}{side}/")
        with phase("profile"):
            told = self.spec, self.args.version, self.counted, self.findings
            report.leave(self.engine, self.s3, self.dataset_uri, (rows, columns), told)
        keys = [source.drop.key for source in self.sources if not source.refusal]
        document = results.dataset(self.spec, self.args.version, self.args.run, columns, self.counted, keys)
        if self.cuts:
            document["split"] |= {"by": self.spec.split.by, "cuts": self.cuts}
        store.write_json(self.s3, f"{self.dataset_uri}dataset.json", document)
        if self.args.database:
            from data import catalog  # noqa: PLC0415  # only when there is a catalog

            with phase("catalog", database=self.args.database) as said:
                said["table"] = catalog.point(self.args.database, document, self.dataset_uri)

    def _in_order(self, table: ir.Table) -> ir.Table:
        """By row, or as shuffled. Ten million rows take longer to sort than to write: not when they lie so already."""
        if "_position" in table.columns:
            return table.order_by("_position")
        lies_so = self.engine.keeps_order and self.assembly is not None and self.assembly.as_read
        return table if lies_so else table.order_by("_row")

    def _report(self, reason: str | None) -> None:
        document = results.result(
            {"project": self.spec.project, "run": self.args.run, "version": self.args.version},
            objects=results.verdicts(self.spec, self.sources, self.ignored, self.counted),
            unmatched=self.assembly.unmatched if self.assembly else (),
            counted=self.counted,
            reason=reason,
            dataset_uri=None if reason else self.dataset_uri,
            quarantine_uri=self.quarantine_uri,
        )
        document["leaks"] = [finding.document() for finding in self.findings if finding.verdict == "leak"]
        document["report_uri"] = None if reason else f"{self.dataset_uri}report.html"
        store.write_json(self.s3, self.args.result_uri, document)
        log(phase="result", outcome=document["outcome"], reason=reason, **document["rows"])


def log(**fields: Any) -> None:
    """One JSON line on standard output: a job's log."""
    print(json.dumps({"step": "prepare", **fields}, ensure_ascii=False, default=str), flush=True)


@contextmanager
def phase(name: str, **fields: Any) -> Iterator[dict[str, Any]]:
    """Log one line when a phase ends well: its counts and its seconds."""
    started = time.monotonic()
    yield fields
    log(phase=name, **fields, seconds=round(time.monotonic() - started, 3))


def engine_named(name: str, memory: str) -> Engine:
    """The engine asked for; the other one is not even imported."""
    if name == "spark":
        from data.spark_engine import SparkEngine  # noqa: PLC0415

        return SparkEngine()
    from data.duckdb_engine import DuckDbEngine  # noqa: PLC0415

    return DuckDbEngine(memory)


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """The job's arguments; Glue adds some of its own (--JOB_NAME, --TempDir), which are passed over."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    for name in ("bucket", "project", "run", "objects_uri", "spec_uri", "result_uri", "lake_uri"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--version", type=int, required=True)
    parser.add_argument("--engine", choices=("duckdb", "spark"), default="duckdb")
    parser.add_argument(
        "--database", default=None, help="Glue database whose table is to show the new version"
    )
    parser.add_argument("--memory", default="1GB", help="DuckDB's limit; more is spilt to disk")
    return parser.parse_known_args(argv)[0]


def main(argv: Sequence[str]) -> int:
    """Run the job; the exit status."""
    args = arguments(argv)
    started = time.monotonic()
    engine = engine_named(args.engine, args.memory)
    try:
        Prepare(args, engine).run()
    except BadUpload as refusal:
        print(f"BadUpload: {' '.join(str(refusal).split())}", file=sys.stderr, flush=True)
        return 1
    finally:
        engine.close()
    log(phase="done", engine=args.engine, seconds=round(time.monotonic() - started, 3))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
