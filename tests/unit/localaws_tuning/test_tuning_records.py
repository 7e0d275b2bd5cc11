"""What is kept of a tuning is what it was; what a warm start may take from others."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker.store import Store
from penstock.localaws.sagemaker.tuning import core, records, requested, warm
from penstock.localaws.sagemaker.tuning.core import Ending, Finish
from penstock.localaws.sagemaker.tuning.records import Header
from penstock.localaws.sagemaker.tuning.state import Fate, Plan, Status, Trial, Tuning
from tests.unit.localaws_tuning.test_tuning_checks import continuous, integer, request

PLAN = Plan(maximize=False, most_jobs=3, most_parallel=2)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path / "store.sqlite")
    yield made
    made.close()


def keep(store: Store, name: str, asked: dict[str, Any], *values: float, over: bool = True) -> Tuning:
    """A tuning whose training jobs reported `values` at n = 1, 2, …"""
    header = Header(name, f"arn:{name}", asked, "1")
    before = core.create(1.0)
    store.create(records.KIND, records.key(name), records.document(header, before))
    after = before
    for number, value in enumerate(values, start=1):
        after = core.launched(
            after, Trial(number, number - 1, f"{name}-{number}", {"n": str(number / 10)}, 1.5)
        )
        records.write(store, header, before, after)
        before, after = after, core.ended(PLAN, after, number, Ending(2.0, Fate.COMPLETED, value, 1.6, 1.9))
        records.write(store, header, before, after)
        before = after
    if over:
        after = core.finished(after, Finish(Status.COMPLETED), 3.0)
        records.write(store, header, before, after)
    return after


def test_what_is_kept_is_what_was(store: Store) -> None:
    kept = keep(store, "Mine", request(), 0.5, 0.25)
    found = records.read(store, "mine")
    assert found is not None
    assert found == (Header("Mine", "arn:Mine", request(), "1"), kept)
    document = store.get(records.KIND, "mine")
    assert document is not None
    assert document["counters"]["TrainingJobStatusCounters"]["Completed"] == 2
    assert (document["name"], document["status"], document["ended"]) == ("Mine", "Completed", 3.0)


def test_deleting_leaves_nothing_and_touches_no_other(store: Store) -> None:
    keep(store, "mine", request(), 0.5)
    keep(store, "mine-too", request(), 0.5, 0.4)
    records.put_prior(store, "mine", {"tried": [], "best": None})
    records.delete(store, "MINE")
    assert records.read(store, "mine") is None
    assert records.prior(store, "mine") is None
    assert store.all("tuning-trial/mine") == []
    assert len(store.all("tuning-trial/mine-too")) == 2


def warmed(kind: str, *parents: str, **changes: Any) -> dict[str, Any]:
    named = [{"HyperParameterTuningJobName": name} for name in parents]
    start = {"WarmStartType": kind, "ParentHyperParameterTuningJobs": named}
    return {**request(**changes), "WarmStartConfig": start}


def refused(store: Store, asked: dict[str, Any]) -> str:
    with pytest.raises(ServiceError) as caught:
        warm.gather(store, asked)
    return f"{caught.value.code}: {caught.value.message}"


def test_a_warm_start_takes_what_fits_its_ranges_and_the_best_of_all(store: Store) -> None:
    keep(store, "one", request(), 0.5, 0.25)
    keep(store, "two", request(), 0.4, 0.3, 0.2)
    asked = warmed("IdenticalDataAndAlgorithm", "one", "two", ranges=continuous("0.15", "1"))
    prior = warm.gather(store, asked)
    assert prior is not None
    assert [(one.values, one.value) for one in warm.tried(prior)] == [
        ({"n": "0.2"}, 0.25),
        ({"n": "0.2"}, 0.3),
        ({"n": "0.3"}, 0.2),
    ]
    assert (prior["best"]["tuning"], prior["best"]["trial"]["value"]) == ("two", 0.2)
    transferred = warm.gather(store, warmed("TransferLearning", "one"))
    assert transferred is not None
    assert transferred["best"] is None
    assert warm.gather(store, request()) is None


def test_what_was_static_counts_as_tried_at_that_value(store: Store) -> None:
    asked = request(definition={"StaticHyperParameters": {"depth": "3"}})
    keep(store, "one", asked, 0.5)
    ranges = {**continuous(), **integer("1", "5", "depth")}
    prior = warm.gather(store, warmed("IdenticalDataAndAlgorithm", "one", ranges=ranges))
    assert [one.values for one in warm.tried(prior)] == [{"depth": "3", "n": "0.1"}]


def test_a_warm_start_is_refused_for_unfit_parents(store: Store) -> None:
    keep(store, "one", request(), 0.5)
    keep(store, "running", request(), 0.5, over=False)
    keep(store, "whole", request(integer()), 0.5)
    several = {
        **request(),
        "TrainingJobDefinitions": [{**request()["TrainingJobDefinition"], "DefinitionName": "a"}] * 2,
    }
    keep(store, "several", several)
    identical, transfer = "IdenticalDataAndAlgorithm", "TransferLearning"
    assert "ResourceNotFound: Amazon SageMaker can't find" in refused(store, warmed(transfer, "nobody"))
    assert "status InProgress" in refused(store, warmed(transfer, "running"))
    assert "different ones" in refused(store, warmed(transfer, "one", "ONE"))
    assert "another type" in refused(store, warmed(transfer, "whole"))
    assert "several training job definitions" in refused(store, warmed(transfer, "several"))
    assert "static plus tunable" in refused(
        store, warmed(transfer, "one", definition={"StaticHyperParameters": {"a": "1"}})
    )
    data = {"InputDataConfig": [{"ChannelName": "train"}]}
    assert "Use TransferLearning" in refused(store, warmed(identical, "one", definition=data))
    assert warm.gather(store, warmed(transfer, "one", definition=data)) is not None
    objective = {"Type": "Minimize", "MetricName": "other"}
    assert "objective metric must be the same" in refused(
        store, warmed(transfer, "one", HyperParameterTuningJobObjective=objective)
    )


def test_parents_have_launched_five_hundred_training_jobs_and_no_more(store: Store) -> None:
    def trials(count: int) -> tuple[Trial, ...]:
        return tuple(
            Trial(number, number - 1, f"j{number}", {"n": "0.1"}, 1.0) for number in range(1, count + 1)
        )

    done = core.finished(core.create(1.0), Finish(Status.STOPPED), 2.0)
    with store.transaction():
        for name, count in (("many", 499), ("one", 1), ("two", 2)):
            header = Header(name, name, request(), "1")
            records.write(store, header, done, dataclasses.replace(done, trials=trials(count)))
    assert warm.gather(store, warmed("TransferLearning", "many", "one")) is not None
    assert "more than 500" in refused(store, warmed("TransferLearning", "many", "two"))


def test_a_plan_survives_with_its_request(store: Store) -> None:
    """A restarted server makes the same plan of what it finds."""
    asked = request(TrainingJobEarlyStoppingType="Auto", limits={"MaxRuntimeInSeconds": 200})
    keep(store, "mine", asked, over=False)
    found = records.read(store, "mine")
    assert found is not None
    assert requested.plan(found[0].request, found[1].created) == requested.plan(asked, 1.0)
