"""Old versions go when a run has made a new one, as the project's keep_versions says."""

from __future__ import annotations

from chalicelib.steps import ingest
from tests import builders
from tests.fakes import RELEASED, TROUBLE, FakePorts, Machine


def drop(ports: FakePorts, number: int) -> str:
    """Drop a file; answers the execution that takes it."""
    ingest.run(ingest.Ingest(builders.an_upload(key=f"drop/churn/{number}.csv")), ports)
    (name,) = ports.workflow.running()
    return name


def make(ports: FakePorts, machine: Machine, number: int, **parts: object) -> str:
    """One run from drop to report, and the version it leaves."""
    name = drop(ports, number)
    machine.claim(name)
    machine.prepare(name)
    for area, file in (
        ("prepared", "dataset.json"),
        ("prepared", "train/part-0.parquet"),
        ("quarantine", "part-0.parquet"),
    ):
        key = f"lake/churn/{area}/version={number:06d}/{file}"
        ports.documents.bucket.put(key)
    outcome: str = machine.report(name, **parts)["outcome"]
    return outcome


def versions(ports: FakePorts) -> set[int]:
    return {int(key.split("=")[1][:6]) for key in ports.documents.keys("lake/") if "=" in key}


def keep(ports: FakePorts, count: int | None) -> None:
    spec = {**builders.a_spec(), **({"keep_versions": count} if count else {})}
    ports.ledger.put_project(spec, builders.AT)


UNREGISTERED = {"gate": {"passed": False, "reason": "too low"}}


def test_without_a_policy_every_version_stays(ports: FakePorts, machine: Machine) -> None:
    for number in (1, 2, 3):
        make(ports, machine, number, **UNREGISTERED)
    assert versions(ports) == {1, 2, 3}


def test_what_the_policy_does_not_keep_goes_but_never_what_a_model_was_trained_with(
    ports: FakePorts, machine: Machine
) -> None:
    keep(ports, 1)
    make(ports, machine, 1, **RELEASED)
    for number in (2, 3):
        make(ports, machine, number, **UNREGISTERED)
    assert versions(ports) == {1, 3}


def test_a_run_does_not_fail_over_what_cannot_be_removed(ports: FakePorts, machine: Machine) -> None:
    make(ports, machine, 1, **UNREGISTERED)
    keep(ports, 1)
    ports.documents.trouble_removing = TROUBLE
    assert make(ports, machine, 2, **UNREGISTERED) == "refused"
    assert (versions(ports), ports.ledger.lease("churn")) == ({1, 2}, None)
    ports.documents.trouble_removing = None
    make(ports, machine, 3, **UNREGISTERED)
    assert versions(ports) == {3}
