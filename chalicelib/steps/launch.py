"""Launch: start a run of a project when uploads wait and nobody holds it. Used by Ingest, Report, Sweep and people.

No wake-up is lost: an upload is written *before* the lease is tried, and Report gives the lease back *before* it looks
for waiting uploads. No run is idle: with the lease in hand, and so with nobody else claiming, the waiting uploads
are looked at again before anything starts.
"""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.domain.ledger import Move
from chalicelib.domain.run import Lease
from chalicelib.errors import Conflict, NothingWaiting
from chalicelib.ports import Clock, Ledger, Workflow

_BY_HAND = "tried again by hand"


@dataclass(frozen=True, slots=True)
class Launch:
    """The launcher; see chalicelib.ports.Launcher."""

    ledger: Ledger
    workflow: Workflow
    clock: Clock

    def when_waiting(self, project: str, *, retries: bool = False) -> str | None:
        """Start a run if uploads wait and the lease is free; answers the run, or None."""
        # A lease that is held now was held after the upload was written: its holder looks again when it gives it
        # back. Looking at the lease first keeps each of ten thousand events from counting what waits.
        while self.ledger.lease(project) is None and self.ledger.any_waiting(project, retries=retries):
            lease = self.ledger.take_lease(project, self.clock.now())
            if lease is None:
                return None
            if self.ledger.any_waiting(project, retries=retries):
                return self._start(lease)
            self.ledger.give_back(lease)
        return None

    def now(self, project: str) -> str:
        """Start a run because a person asked: uploads that failed too often are tried again too."""
        if not self.ledger.some_objects(project, "", 1):
            where = f"project {project}"
            raise NothingWaiting(
                where, "nothing has been uploaded", f"Put a file below drop/{project}/ first."
            )
        lease = self.ledger.take_lease(project, self.clock.now())
        if lease is None:
            holder = self.ledger.lease(project)
            what = f"run {holder.run} is going" if holder else "another run has just ended"
            raise Conflict(
                f"project {project}", what, "Wait for its end: what waits then starts the next run."
            )
        self._unpark(project)
        return self._start(lease)

    def again(self, lease: Lease) -> str | None:
        """Start the next attempt of a run whose execution died."""
        taken = self.ledger.resume(lease, self.clock.now())
        if taken is None:
            return None
        self.workflow.start(
            taken.execution, taken.document()
        )  # should this fail, the sweep meets it as MISSING
        return taken.run

    def _start(self, lease: Lease) -> str:
        try:
            self.workflow.start(lease.execution, lease.document())
        except Exception:
            self.ledger.give_back(lease)
            raise
        return lease.run

    def _unpark(self, project: str) -> None:
        if not any(waiting.parked for waiting in self.ledger.waiting(project)):
            return
        at = self.clock.now().isoformat()
        records = self.ledger.parked(project)
        self.ledger.move([Move(r, r.becomes(r.verdict, at=at, reason=_BY_HAND, tries=0)) for r in records])
