"""Random histories of a bucket, and what a ledger makes of their events however they come."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from chalicelib.domain.upload import Upload
from chalicelib.steps import ingest, sweep
from tests import builders
from tests.fakes import RELEASED, FakePorts, Machine

KEYS = ("drop/churn/a.csv", "drop/churn/b b+%.csv", "drop/churn/" + "é" * 500)
WITHOUT_REMOVALS = st.lists(
    st.tuples(st.sampled_from(["put", "put", "delete"]), st.integers(0, 2)), min_size=1, max_size=12
)
WITH_REMOVALS = st.lists(
    st.tuples(st.sampled_from(["put", "put", "delete", "remove", "remove oldest"]), st.integers(0, 2)),
    min_size=1,
    max_size=14,
)


@dataclass
class World:
    """A stage whose bucket has lived through a history; its events are still to be delivered."""

    ports: FakePorts
    events: list[Upload]

    @classmethod
    def after(cls, history: list[tuple[str, int]], ports: FakePorts | None = None) -> World:
        """Let the history happen."""
        ports = ports or FakePorts()
        ports.ledger.put_project(builders.a_spec(), builders.AT)
        bucket = ports.documents.bucket
        events = []
        for what, key in history:
            if what == "put":
                events.append(bucket.put(KEYS[key]))
            elif (
                what == "delete" and KEYS[key] in bucket.current()
            ):  # S3 marks twice too, and nothing changes
                events.append(bucket.delete(KEYS[key]))
            elif what.startswith("remove") and bucket.keys.get(KEYS[key]):
                events.append(bucket.remove(KEYS[key], 0 if what == "remove oldest" else -1))
        return cls(ports, events)

    def deliver(self, event: Upload) -> None:
        """One event reaches Ingest."""
        ingest.run(ingest.Ingest(event), self.ports)

    def sweep(self) -> None:
        """The schedule sweeps."""
        self.ports.clock.advance(minutes=10)
        sweep.run(sweep.Sweep(), self.ports)

    def runs(self) -> None:
        """Whatever runs, and what that starts, comes to its end."""
        machine = Machine(self.ports)
        while self.ports.workflow.running():
            (name,) = self.ports.workflow.running()
            if "error" not in machine.claim(name):
                machine.prepare(name)
            machine.report(name, **RELEASED)

    def verdicts(self) -> dict[str, str]:
        """Verdict of every upload, by its version."""
        records = self.ports.ledger.objects("churn")
        assert len({record.version_id for record in records}) == len(records), "one upload, two verdicts"
        return {str(record.version_id): record.verdict for record in records}
