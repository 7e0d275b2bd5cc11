"""Whatever order events and states come in: no upload is lost, none is used twice, and the lease has one holder."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.domain.ledger import PENDING, PREPARED, SUPERSEDED, record_of
from chalicelib.domain.upload import Upload, order
from chalicelib.steps import ingest
from tests import builders
from tests.fakes import RELEASED, FakePorts, Machine

KEYS = ["drop/churn/a.csv", "drop/churn/b.csv", "drop/churn/c.csv"]


def new_ports() -> FakePorts:
    ports = FakePorts()
    ports.ledger.put_project(builders.a_spec(), builders.AT)
    return ports


def finish(machine: Machine) -> int:
    """Run whatever is running, and what that starts, to the end; answers how many executions there were."""
    ports = machine.ports
    while ports.workflow.running():
        (name,) = ports.workflow.running()
        step(machine, name, "claim", "prepare", "report")
    return len(ports.workflow.executions)


def step(machine: Machine, name: str, *verbs: str) -> None:
    for verb in verbs:
        if verb == "claim":
            machine.claim(name)
        elif verb == "prepare":
            machine.prepare(name)
        else:
            machine.report(name, **RELEASED)


def enter(ports: FakePorts, upload: Upload) -> None:
    ingest.run(ingest.Ingest(upload), ports)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(["event", "claim", "prepare", "report"]), min_size=1, max_size=50))
def test_one_event_delivered_fifty_times_starts_exactly_one_run(steps: list[str]) -> None:
    ports = new_ports()
    machine, upload = Machine(ports), builders.an_upload()
    enter(ports, upload)
    (name,) = ports.workflow.running()
    todo = iter(["claim", "prepare", "report"])
    for what in [*steps, *["event"] * 50]:
        verb = next(todo, None) if what != "event" else None
        step(machine, name, verb) if verb else enter(ports, upload)
    for verb in todo:
        step(machine, name, verb)
    enter(ports, upload)
    assert list(ports.workflow.executions.values()) == ["SUCCEEDED"]
    assert [record.verdict for record in ports.ledger.objects("churn")] == [PREPARED]


class _Interleaving:
    """Deliver uploads between the states of whatever runs; check after every step what must always hold."""

    def __init__(self, uploads: list[Upload]) -> None:
        self.ports = new_ports()
        self.machine = Machine(self.ports)
        self.left = list(uploads)
        self.stage: dict[str, int] = {}

    def deliver(self) -> None:
        enter(self.ports, self.left.pop(0))
        self.check()

    def advance(self) -> None:
        for name in self.ports.workflow.running():
            at = self.stage.get(name, 0)
            step(self.machine, name, ["claim", "prepare", "report"][at])
            self.stage[name] = at + 1
            self.check()

    def check(self) -> None:
        running = self.ports.workflow.running()
        lease = self.ports.ledger.lease("churn")
        assert len(running) <= 1
        assert [lease.execution] == running if lease else not running


uploads = st.lists(
    st.builds(
        lambda key, number: builders.an_upload(key=key, sequencer=f"{number:X}", etag=f"e{number}"),
        st.sampled_from(KEYS),
        st.integers(0, 2**40),
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(uploads, st.lists(st.booleans(), max_size=60))
def test_any_interleaving_uses_every_newest_upload_and_loses_none(
    given_uploads: list[Upload], advance: list[bool]
) -> None:
    walk = _Interleaving(given_uploads)
    for move_on in advance:
        if move_on or not walk.left:
            walk.advance()
        else:
            walk.deliver()
    while walk.left:
        walk.deliver()
    while walk.ports.workflow.running():
        walk.advance()
    records = walk.ports.ledger.objects("churn")
    assert {r.id for r in records} == {_identity(upload) for upload in given_uploads}  # one verdict an upload
    assert walk.ports.ledger.waiting("churn") == []
    newest = {
        key: max((order(u.sequencer) for u in given_uploads if u.key == key), default="") for key in KEYS
    }
    for record in records:
        assert record.verdict == (PREPARED if order(record.sequencer) == newest[record.key] else SUPERSEDED)


def _identity(upload: Upload) -> str:
    return record_of(upload, "churn", verdict=PENDING, reason=None).id


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(0, 40), st.permutations(range(40)))
def test_a_burst_during_the_first_run_costs_at_most_two_runs(
    count: int, before_claim: int, arrival: list[int]
) -> None:
    ports = new_ports()
    machine = Machine(ports)
    burst = [
        builders.an_upload(key=f"drop/churn/{i}.csv", sequencer=f"{i + 1:X}") for i in arrival if i < count
    ]
    early, late = burst[: max(1, before_claim)], burst[max(1, before_claim) :]
    for upload in early:
        enter(ports, upload)
    (first,) = ports.workflow.running()
    step(machine, first, "claim", "prepare")
    for upload in late:
        enter(ports, upload)
    step(machine, first, "report")
    assert finish(machine) == (2 if late else 1)
    assert {record.verdict for record in ports.ledger.objects("churn")} == {PREPARED}
