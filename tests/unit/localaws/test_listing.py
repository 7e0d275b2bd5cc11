"""Filters, order and pages of lists."""

from typing import Any

import pytest

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


@pytest.mark.parametrize("token", ["x", "e30=", "bm8="])
def test_a_token_that_is_none_is_refused(token: str) -> None:
    with pytest.raises(ServiceError, match="Invalid NextToken"):
        listing.page({"NextToken": token}, RECORDS, lambda record: record, "Found")
