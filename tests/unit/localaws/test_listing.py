"""Filters, order and pages of lists."""

import re
from typing import Any

import botocore.loaders
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker import listing

RECORDS = [
    {
        "name": f"job-{n:02}",
        "created": 100.0 - n % 3,
        "modified": 100.0 + n,
        "status": ("Failed", "Completed")[n % 2],
    }
    for n in range(12)
]


def names(**params: Any) -> list[str]:
    page = listing.page(params, RECORDS, lambda record: record, "Found")
    return [record["name"] for record in page["Found"]]


def test_newest_first_unless_asked_otherwise() -> None:
    assert names()[0] == "job-09"
    assert names(SortOrder="Ascending", SortBy="Name", MaxResults=2) == ["job-00", "job-01"]


def test_filters_apply_before_paging() -> None:
    assert names(StatusEquals="Failed", SortBy="Name", MaxResults=2) == ["job-10", "job-08"]
    assert sorted(names(NameContains="B-1")) == ["job-10", "job-11"]
    assert len(names(LastModifiedTimeAfter=108.0)) == 3


def test_pages_are_complete_and_never_overlap() -> None:
    seen: list[str] = []
    token: dict[str, str] = {}
    while True:
        page = listing.page({"MaxResults": 5, **token}, RECORDS, lambda record: record, "Found")
        seen += [record["name"] for record in page["Found"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert sorted(seen) == [record["name"] for record in RECORDS]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abcdefgh")), unique_by=lambda pair: pair[1]),
    st.sampled_from(["Ascending", "Descending"]),
    st.integers(1, 4),
    st.integers(0, 7),
)
def test_what_comes_between_two_pages_repeats_nothing(
    made: list[tuple[int, str]], order: str, size: int, position: int
) -> None:
    records = [{"name": n, "created": float(at), "modified": 0.0, "status": "x"} for at, n in made]
    late = {"name": "late", "created": float(position % 4), "modified": 0.0, "status": "x"}
    seen: list[str] = []
    token: dict[str, str] = {}
    while True:
        params = {"MaxResults": size, "SortOrder": order, **token}
        page = listing.page(params, records, lambda record: record, "Found")
        seen += [record["name"] for record in page["Found"]]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
        if late not in records:
            records.append(late)
    assert len(set(seen)) == len(seen)
    assert set(seen) - {"late"} == {name for _, name in made}


def test_the_default_order_is_the_service_models() -> None:
    model = botocore.loaders.Loader().load_service_model("sagemaker", "service-2")
    operations, shapes = model["operations"], model["shapes"]
    for answer, (by, order) in listing.DEFAULTS.items():
        listing_it = next(
            one
            for name, one in operations.items()
            if name.startswith("List") and next(iter(shapes[one["output"]["shape"]]["members"])) == answer
        )
        said = {
            member: re.sub("<[^>]+>", "", shape["documentation"])
            for member, shape in shapes[listing_it["input"]["shape"]]["members"].items()
        }
        assert f"default is {by}" in said["SortBy"]
        assert f"default is {order}" in said["SortOrder"]


@pytest.mark.parametrize("token", ["x", "e30=", "bm8=", "W1tbW1tb" * 1000])
def test_a_token_that_is_none_is_refused(token: str) -> None:
    with pytest.raises(ServiceError, match="Invalid NextToken"):
        listing.page({"NextToken": token}, RECORDS, lambda record: record, "Found")
