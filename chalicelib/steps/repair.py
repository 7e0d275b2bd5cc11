"""Repair: make the ledger tell of a key what the bucket shows. For events that were lost, and for the removal of a
version, of which no event says what it has uncovered. Used by Ingest and Sweep.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile

from chalicelib.domain.bucket import Listed, record_of_version
from chalicelib.domain.ledger import PENDING, Head, ObjectRecord, record_of
from chalicelib.domain.upload import Upload, after, order
from chalicelib.ports import Clock, Documents, Ledger


@dataclass(frozen=True, slots=True)
class Repair:
    """The repairer; see chalicelib.ports.Repairer."""

    ledger: Ledger
    documents: Documents
    clock: Clock
    bucket: str

    def __call__(
        self, project: str, key: str, *, before: datetime, verdict: str = PENDING, reason: str | None = None
    ) -> int:
        """Enter what nobody told of, then let live what the bucket shows; answers how many verdicts changed."""
        newest = (self.ledger.head(project, key) or Head(key, "", "")).newest
        records = self.ledger.objects(project, key)
        listed = list(takewhile(lambda one: one.key == key, self.documents.listing(key)))
        entered, place = 0, ""
        for one in reversed([one for one in listed if not one.marker]):
            record = record_of_version(one, records)
            if record is not None:
                place = max(place, record.sequencer, key=order)
            elif one.modified <= before:
                place = after(max(newest, place, key=order) if one.latest else place)
                upload = self._upload(one, place)
                new = record_of(upload, project, verdict=verdict, reason=reason, source="sweep")
                entered += self.ledger.record(new) != "known"
        now = after(max(newest, place, key=order))
        latest = next((one for one in listed if one.latest and not one.marker), None)
        if latest is None:
            return entered + self._close(project, key, now)
        return entered + self._open(project, latest, record_of_version(latest, records), now, verdict)

    def enter(self, project: str, only: Listed, *, before: datetime) -> int:
        """Enter the one version of a key of which the ledger knew nothing a moment ago."""
        new = record_of(self._upload(only, after("")), project, verdict=PENDING, reason=None, source="sweep")
        outcome = self.ledger.record(new)
        if outcome == "older":  # there was news of the key all the same
            return 1 + self(project, only.key, before=before)
        return int(outcome != "known")

    def _close(self, project: str, key: str, now: str) -> int:
        """The bucket shows nothing: so it was as of the sequencer `now`."""
        head = self.ledger.head(project, key)
        if head is None or head.deleted:
            return 0
        at = self.clock.now().isoformat()
        gone = Upload("deleted", self.bucket, key, None, "", now, 0, at)
        return int(self.ledger.delete(gone, project) == "deleted")

    def _open(self, project: str, latest: Listed, record: ObjectRecord | None, now: str, verdict: str) -> int:
        """The bucket shows an upload that was known before, and may have been closed."""
        head = self.ledger.head(project, latest.key)
        if head is None or record is None or (head.object_id == record.id and not head.deleted):
            return 0
        return int(self.ledger.restore(self._upload(latest, now), project, verdict) == "restored")

    def _upload(self, one: Listed, sequencer: str) -> Upload:
        at = one.modified.isoformat()
        return Upload("created", self.bucket, one.key, one.version_id, one.etag, sequencer, one.size, at)
