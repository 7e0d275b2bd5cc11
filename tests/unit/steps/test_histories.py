"""Whatever becomes of the events of a history (late, often, in any order, lost): the same verdicts in the end."""

from __future__ import annotations

from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chalicelib.domain.ledger import PREPARED
from tests.unit.steps.histories import WITH_REMOVALS, WITHOUT_REMOVALS, World

patient = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
History = list[tuple[str, int]]


def in_order_once(history: History) -> dict[str, str]:
    """The verdicts of a history whose events each come once and at once."""
    world = World.after(history)
    for event in world.events:
        world.deliver(event)
        world.runs()
    return world.verdicts()


def assert_settled(world: World) -> None:
    """Nothing waits, nobody holds the project, and the last dataset is of exactly what the bucket shows."""
    ledger = world.ports.ledger
    assert ledger.waiting("churn") == []
    assert ledger.lease("churn") is None
    shown = set(world.ports.documents.bucket.current().values())
    assert {version for version, verdict in world.verdicts().items() if verdict == PREPARED} == shown
    datasets = [text for uri, text in world.ports.documents.texts.items() if uri.endswith("objects.json")]
    if shown:
        newest = max(ledger.runs("churn"), key=lambda run: run.run.split("-")[1]).run
        written = world.ports.documents.read(f"s3://{world.ports.settings.bucket}/runs/{newest}/objects.json")
        assert written is not None
        assert {one["version_id"] for one in written["objects"]} == shown
    assert len(datasets) <= len(ledger.runs("churn"))


@patient
@given(WITHOUT_REMOVALS, st.randoms(use_true_random=False), st.lists(st.booleans(), max_size=40))
def test_any_order_repeats_and_delays_give_the_verdicts_of_the_ordered_once_history(
    history: History, random: Random, run_now: list[bool]
) -> None:
    world = World.after(history)
    late = [*world.events, *world.events[: random.randint(0, len(world.events))]]
    random.shuffle(late)
    for event, now in zip(late, [*run_now, *[False] * len(late)], strict=False):
        world.deliver(event)
        if now:
            world.runs()
    world.runs()
    assert world.verdicts() == in_order_once(history)
    assert_settled(world)


@patient
@given(WITHOUT_REMOVALS, st.randoms(use_true_random=False), st.lists(st.sampled_from("dlsr"), min_size=24))
def test_lost_and_late_events_are_made_good_by_the_sweep(
    history: History, random: Random, fates: list[str]
) -> None:
    """Each event is delivered, lost, or delivered after a sweep or a run."""
    world = World.after(history)
    events = list(world.events)
    random.shuffle(events)
    for event, fate in zip(events, fates, strict=False):
        if fate == "l":
            continue
        if fate == "s":
            world.sweep()
        if fate == "r":
            world.runs()
        world.deliver(event)
    world.sweep()
    world.runs()
    world.sweep()
    world.runs()
    assert world.verdicts() == in_order_once(history)
    assert_settled(world)


@patient
@given(WITH_REMOVALS, st.randoms(use_true_random=False), st.lists(st.sampled_from("dlsr"), min_size=28))
def test_removed_and_restored_versions_leave_what_the_bucket_shows(
    history: History, random: Random, fates: list[str]
) -> None:
    """Versions and markers removed for good beside the rest: what lives is what the bucket shows as current."""
    world = World.after(history)
    events = list(world.events)
    random.shuffle(events)
    for event, fate in zip(events, fates, strict=False):
        if fate == "s":
            world.sweep()
        if fate == "r":
            world.runs()
        if fate != "l":
            world.deliver(event)
    world.sweep()
    world.runs()
    world.sweep()
    world.runs()
    assert_settled(world)
    kept = {one.version_id for one in world.ports.documents.bucket.listing("drop/churn/") if not one.marker}
    assert kept <= set(world.verdicts())
