"""Erase: take every row of some keys out of everything a project keeps in its bucket, for good, and say so.

First it looks everywhere and writes down what it finds (plan.json), then it does what is written there, then it looks
again at what is new. So it may be killed anywhere and started again. What it reads and writes: docs/steps/erase.md.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from data import erasure, seek, spec, store, versions
from data.erasure import Plan, Zone
from data.seek import Found, Seeker
from data.strike import Rewritten, Striker
from data.traces import Traces
from data.versions import Version

THREADS = 4  # objects looked at at once: a parser each
_AT_ONCE = 256  # keys listed ahead
_ROUNDS = 5  # of looking again at what came meanwhile
_SKEW = timedelta(minutes=5)  # between our clock and the bucket's
Look = Callable[[Version], Found | None]


class Erase:
    """One erasure: its arguments, the keys, and the plan."""

    def __init__(self, args: argparse.Namespace, folder: str) -> None:
        self.args = args
        self.s3 = store.client(2 * THREADS)
        self.own = f"s3://{args.bucket}/{args.work_prefix}"
        self._folder = folder
        self._rewritten: dict[str, Rewritten] = {}
        self._removed: set[str] = set()

    def run(self) -> None:
        """Do all of it, or what is left of it."""
        done = store.find_json(self.s3, f"{self.own}result.json")
        if done is None:
            done = self._erase()
            store.write_json(self.s3, f"{self.own}result.json", done)
        if not done["complete"]:
            # What we worked with holds the keys: it goes too, and only then is it done.
            versions.purge_below(self.s3, self.args.bucket, f"{self.args.work_prefix}keys.json")
            versions.purge_below(self.s3, self.args.bucket, f"{self.args.work_prefix}plan.json")
            store.write_json(self.s3, f"{self.own}result.json", {**done, "complete": True})
        log(phase="result", zones=done["zones"], unsearched=done["unsearched_count"])

    def _erase(self) -> dict[str, Any]:
        asked = store.read_json(self.s3, f"{self.own}keys.json")
        told = spec.parse(store.read_json(self.s3, self.args.spec_uri))
        kept = store.find_json(self.s3, f"{self.own}plan.json")
        plan = Plan.of(kept) if kept else Plan(_now())
        self.traces = Traces(told, asked["keys"], plan.texts)
        self.seeker = Seeker(self.s3, self.args.bucket, told, self.traces, self._folder)
        self.striker = Striker(self.seeker, self.args.erasure)
        if kept is None:
            self._look(plan)
            self._keep(plan)
        if not asked["dry_run"]:
            self._strike_until_clean(plan)
        datasets = list(self._datasets(plan, write=not asked["dry_run"]))
        head = {"project": self.args.project, "erasure": self.args.erasure, "dry_run": asked["dry_run"]}
        times = {"started_at": plan.started_at, "ended_at": _now(), "complete": False}
        rewritten = [one.document() for one in self._rewritten.values()]
        return erasure.receipt(
            {**head, **times}, plan, datasets, rewritten=rewritten, removed=sorted(self._removed)
        )

    # ── Look ──────────────────────────────────────────────────────────────────────────────────────────────────
    def _zones(self) -> dict[str, tuple[str, Look]]:
        project, look = self.args.project, self.seeker
        return {
            "drops": (f"drop/{project}/", look.drop),
            "lake": (f"lake/{project}/", self._tabular),
            "labels": (f"labels/{project}/", self._other),
            "capture": (self.args.capture_prefix, self._other),
            "runs": (f"runs/{project}-", self._other),
            "scores": (f"scores/{project}/", self._other),
            "queries": ("athena/", self._other),
            "documents": (f"lake/{project}/", self._document_of_lake),
        }

    def _tabular(self, version: Version) -> Found | None:
        return self.seeker.table(version) if version.key.endswith(".parquet") else None

    def _document_of_lake(self, version: Version) -> Found | None:
        return None if version.key.endswith(".parquet") else self.seeker.document(version)

    def _other(self, version: Version) -> Found | None:
        if version.key.endswith(".parquet"):
            return self.seeker.table(version)
        return self.seeker.document(version)

    def _look(self, plan: Plan, since: datetime | None = None) -> None:
        """Search every version of every object; `since`: only those put after it."""
        for name, (prefix, look) in self._zones().items():
            if name == erasure.FIRST_OF_PAGES:
                self._derived(plan)
            zone = plan.zones.setdefault(name, Zone())
            for found in self._in_zone(prefix, look, zone, since):
                plan.add(name, found)
            if since is None:
                log(phase="look", zone=name, versions=zone.versions, found=len(plan.found.get(name, ())))
        plan.texts = sorted(self.traces.texts)

    def _in_zone(self, prefix: str, look: Look, zone: Zone, since: datetime | None) -> Iterator[Found]:
        own = re.compile(rf"runs/{re.escape(self.args.project)}-\d{{4,}}-[0-9a-z]+/")
        every = (
            version
            for chain in versions.of_keys(self.s3, self.args.bucket, prefix)
            for version in chain
            if (since is None or version.modified >= since)
            and (not prefix.startswith("runs/") or own.match(version.key))
        )
        with ThreadPoolExecutor(THREADS) as pool:
            while some := list(islice(every, _AT_ONCE)):
                if since is None:
                    zone.versions += len(some)
                    zone.bytes += sum(version.size for version in some)
                yield from filter(None, pool.map(look, some))

    def _derived(self, plan: Plan) -> None:
        """Pages made of all rows of a version that held a record go whole, and so do pages that show its test rows."""
        touched = plan.datasets()
        folders = [f"lake/{self.args.project}/prepared/version={number:06d}/" for number in touched]
        runs = [run for number in touched if (run := (self._dataset(number) or {}).get("run"))]
        places = [("documents", folder, erasure.DERIVED) for folder in folders]
        places += [("runs", f"runs/{run}/", erasure.JUDGED) for run in runs]
        for zone, prefix, names in places:
            for chain in versions.of_keys(self.s3, self.args.bucket, prefix):
                for one in chain if names.search(chain[0].key) else ():
                    plan.add(zone, Found(one.key, one.version_id, seek.WHOLE, one.etag, latest=one.latest))

    # ── Strike ────────────────────────────────────────────────────────────────────────────────────────────────
    def _strike_until_clean(self, plan: Plan) -> None:
        """Do what is planned, then look at what was put meanwhile, our own objects among it."""
        since = datetime.fromisoformat(plan.started_at) - _SKEW
        done: set[tuple[str, str]] = set()
        for _ in range(_ROUNDS):
            fresh = [
                (zone, one)
                for zone, found in plan.found.items()
                for one in found
                if (one.key, one.version_id) not in done and one.how != seek.UNSEARCHED
            ]
            if not fresh and done:
                break
            self._strike(fresh)
            done |= {(one.key, one.version_id) for _, one in fresh}
            self._look(plan, since)
            self._keep(plan)
            if not plan.known - done:
                break

    def _strike(self, some: Iterable[tuple[str, Found]]) -> None:
        uploads: list[tuple[Found, Rewritten]] = []
        for zone, one in some:
            made = self.striker.strike(one)
            log(phase="strike", zone=zone, key=one.key, version=one.version_id, how=one.how, rows=one.rows)
            if made is not None and zone == "drops":
                uploads.append((one, made))
            elif zone == "drops" and one.latest:
                self._removed.add(one.key)
        for one, made in uploads:
            self.striker.follow(one, made)
            self._rewritten[one.key] = made

    def _datasets(self, plan: Plan, *, write: bool) -> Iterator[dict[str, Any]]:
        """The dataset versions that held a record; their dataset.json says so from now on."""
        for number, rows in sorted(plan.datasets().items()):
            document = self._dataset(number)
            known = (document or {}).get("erased", [])
            if document and write and all(one["erasure"] != self.args.erasure for one in known):
                counts = document["rows"]
                document["rows"] = {side: max(0, n - rows.get(side, 0)) for side, n in counts.items()}
                said = {"erasure": self.args.erasure, "at": plan.started_at, "rows": rows}
                document["erased"] = [*known, said]
                store.write_json(self.s3, self._dataset_uri(number), document)
            yield {"version": number, "run": (document or {}).get("run"), "rows": rows}

    def _dataset_uri(self, number: int) -> str:
        return f"s3://{self.args.bucket}/lake/{self.args.project}/prepared/version={number:06d}/dataset.json"

    def _dataset(self, number: int) -> Any | None:
        return store.find_json(self.s3, self._dataset_uri(number))

    def _keep(self, plan: Plan) -> None:
        store.write_json(self.s3, f"{self.own}plan.json", plan.document())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def log(**fields: Any) -> None:
    """One JSON line on standard output: a job's log. Never a key, nor a value."""
    print(json.dumps({"step": "erase", **fields}, ensure_ascii=False, default=str), flush=True)


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    """The job's arguments; Glue adds some of its own, which are passed over."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    for name in ("bucket", "project", "erasure", "work_prefix", "spec_uri", "capture_prefix"):
        parser.add_argument(f"--{name}", required=True)
    return parser.parse_known_args(argv)[0]


def main(argv: Sequence[str]) -> int:
    """Run the job; the exit status."""
    args = arguments(argv)
    started = time.monotonic()
    folder = tempfile.mkdtemp(prefix="penstock-erase-")
    try:
        Erase(args, folder).run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    log(phase="done", seconds=round(time.monotonic() - started, 3))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
