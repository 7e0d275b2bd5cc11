"""Whatever becomes of uploads on their way (overwritten, deleted, told of twice, late, in another order or never, runs
that die before any of their writes): the same table in the end as of the history in order, once, without a crash.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chalicelib.domain.ledger import PREPARED, VERDICTS
from tests.training.lake import PROJECT, Axe, Lake

FILES = ("upserts/a.csv", "upserts/b b+%.csv", "deletes/gone.csv", "deletes/é.csv")
IDS = tuple("pqrstu")
_worlds = itertools.count(1)


@pytest.fixture(scope="module")
def axe(aws_environment: dict[str, str]) -> Iterator[Axe]:
    """This process speaks to the tests' S3, as a job's process does; as before afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in aws_environment.items():
            if name.startswith("AWS_"):
                patch.setenv(name, value)
        before = boto3.DEFAULT_SESSION
        boto3.setup_default_session()
        yield Axe()
        boto3.DEFAULT_SESSION = before


class Histories(RuleBasedStateMachine):
    """People drop and delete, AWS tells and runs; in the end the table is that of the history in order."""

    s3: Any
    axe: Axe

    @initialize()
    def start(self) -> None:
        bucket = f"penstock-histories-{next(_worlds)}"
        self.s3.create_bucket(Bucket=bucket)
        self.s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        self.lake = Lake(self.s3, bucket, self.axe)
        self.day = itertools.count(1)
        self.told = 0
        self.shown: set[str] = set()
        # Enough that every side has rows whatever becomes of the rest.
        base = [f"base-{n},2020-01-01,{n},{'left' if n % 2 else 'right'}" for n in range(60)]
        self._put("upserts/base.csv", base)

    def _put(self, name: str, lines: list[str]) -> None:
        self.lake.put(name, "\n".join(["id,seen,x,side", *lines, ""]))
        self.shown.add(name)

    def _date(self) -> str:
        number = next(self.day)
        return f"{2021 + number // 336:04d}-{number // 28 % 12 + 1:02d}-{number % 28 + 1:02d}"

    @rule(
        name=st.sampled_from(FILES),
        ids=st.lists(st.sampled_from(IDS), min_size=1, max_size=4),
        twice=st.booleans(),
    )
    def drop(self, name: str, ids: list[str], twice: bool) -> None:
        """A file of new rows, or of keys to forget up to today; `twice`: each row stands there twice."""
        date = self._date()
        lines = [
            f"{one},{date},{place},{'left' if place % 2 else 'right'}"
            for place, one in enumerate(sorted(set(ids)))
        ]
        self._put(name, lines * (1 + twice))

    @rule(name=st.sampled_from(FILES))
    def delete(self, name: str) -> None:
        if name in self.shown:
            self.lake.remove(name)
            self.shown.discard(name)

    @precondition(lambda self: self.told < len(self.lake.events))
    @rule(lost=st.sampled_from([False, False, False, True]), ahead=st.integers(0, 3))
    def tell(self, lost: bool, ahead: int) -> None:
        """The next event, or one further on before it, or it is lost."""
        place = min(self.told + ahead, len(self.lake.events) - 1)
        if not lost:
            self.lake.deliver(self.lake.events[place])
        self.told += ahead == 0 or lost

    @rule(place=st.integers(0, 30))
    def tell_again(self, place: int) -> None:
        self.lake.deliver(self.lake.events[place % len(self.lake.events)])

    @rule(writes=st.one_of(st.none(), st.integers(0, 14)), reported=st.booleans())
    def run(self, writes: int | None, reported: bool) -> None:
        """A run goes on; Prepare may be killed before any of its writes, the whole execution with it or not."""
        self.lake.step(writes=writes, reported=reported)

    @rule()
    def sweep(self) -> None:
        self.lake.sweep()

    def teardown(self) -> None:
        if not hasattr(self, "lake"):
            return
        self._settle()
        lake, once = self.lake, self.lake.fresh_ports()
        once.ledger.numbers[PROJECT] = 1000  # its versions are beside the others
        for event in lake.events:
            lake.deliver(event, once)
        lake.finish(once)
        assert lake.table() == lake.table(once)
        self._assert_ledger(len([event for event in lake.events if event.kind == "created"]))

    def _settle(self) -> None:
        """What was lost is found, what had failed is tried again, by a person in the end."""
        for _ in range(2):
            self.lake.sweep()
            self.lake.finish()
        ports = self.lake.ports
        while ports.ledger.waiting(PROJECT):
            ports.launcher.now(PROJECT)
            self.lake.finish()

    def _assert_ledger(self, uploads: int) -> None:
        """One verdict for each upload; prepared are those the bucket shows, and nobody holds the project."""
        ledger = self.lake.ports.ledger
        counts = ledger.counts(PROJECT).verdicts
        assert sum(counts.values()) == uploads
        assert set(counts) <= set(VERDICTS)
        prepared = {record.key for record in ledger.objects(PROJECT) if record.verdict == PREPARED}
        assert prepared == {f"drop/{PROJECT}/{name}" for name in self.shown}
        assert ledger.lease(PROJECT) is None


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore:fetch_arrow_table:DeprecationWarning"
)  # of Ibis, which DuckDB reminds of it
@pytest.mark.parametrize("examples", [1, pytest.param(40, marks=pytest.mark.slow)])
def test_any_history_gives_the_table_of_the_ordered_once_run(aws: Any, axe: Axe, examples: int) -> None:
    bound = type("Bound", (Histories,), {"s3": aws("s3"), "axe": axe})
    few = settings(
        max_examples=examples, stateful_step_count=16, deadline=None, suppress_health_check=list(HealthCheck)
    )
    run_state_machine_as_test(bound, settings=few)
