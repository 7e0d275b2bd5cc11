"""Filters select what JSONPath says, and say so when there is nothing to select."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.localaws.sagemaker.transform.jsonpath import Invalid, Missing, parse

PROPERTY = settings(deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow])

DOCUMENT = {
    "id": 7,
    "features": [1, 2, 3],
    "deep": {"a": {"x": 1}, "b": {"x": 2}},
    "rows": [{"x": 1}, {"x": 2}],
}
NAMES = st.text("abcdefgXYZ019", min_size=1, max_size=5)
ROWS = st.lists(st.integers(), max_size=8)
BOUNDS = st.none() | st.integers(-10, 10)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", DOCUMENT),
        ("", DOCUMENT),
        ("$.features", [1, 2, 3]),
        ("$['features']", [1, 2, 3]),
        ("$.features[-1]", 3),
        ("$.features[0,2]", [1, 3]),
        ("$.features[ 0 , 2 ]", [1, 3]),
        ("$.features[0,1:]", [1, 2, 3]),
        ("$.features[*]", [1, 2, 3]),
        ("$['id','features']", {"id": 7, "features": [1, 2, 3]}),
        ("$.deep.['a','b']", {"a": {"x": 1}, "b": {"x": 2}}),
        ("$.deep.*", [{"x": 1}, {"x": 2}]),
        ("$.deep.*.x", [1, 2]),
        ("$.rows[1:].x", [2]),
        ("$.deep.a.x", 1),
    ],
)
def test_a_path_selects(path: str, found: Any) -> None:
    assert parse(path).select(DOCUMENT) == found


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("$.nothing", "there is no 'nothing'"),
        ("$['id','nothing']", "there is no 'nothing'"),
        ("$.features.x", "there is no 'x'"),
        ("$.features[3]", "index 3 is not within its 3 elements"),
        ("$.features[0,-4]", "index -4 is not within its 3 elements"),
        ("$.id[0]", "it is not an array"),
        ("$.id.*", "it is not an array"),
    ],
)
def test_what_is_not_there_is_said(path: str, why: str) -> None:
    with pytest.raises(Missing, match=why):
        parse(path).select(DOCUMENT)


@pytest.mark.parametrize(
    "path", ["id", "$id", "$..id", "$.a[?(@.x)]", "$[", "$[]", "$[1:2:3]", "$['a'", "$.", "$[a]"]
)
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(Invalid, match=r"^Invalid JsonPath: "):
        parse(path)


def test_two_ranges_are_refused_in_awss_words() -> None:
    with pytest.raises(Invalid) as refused:
        parse("$[0:2,246:]")
    assert str(refused.value) == (
        "Invalid JsonPath: $[0:2,246:]: only single range filters of format (eg: [1:5]) are supported. "
        "Format [0:2,246:] is not supported"
    )


@PROPERTY
@given(ROWS, BOUNDS, BOUNDS)
def test_a_slice_is_pythons(row: list[int], start: int | None, end: int | None) -> None:
    text = f"$[{'' if start is None else start}:{'' if end is None else end}]"
    assert parse(text).select(row) == row[start:end]


@PROPERTY
@given(ROWS, st.lists(st.integers(-10, 9), min_size=1, max_size=4))
def test_indexes_select_each_or_fail(row: list[int], indexes: list[int]) -> None:
    path = parse(f"$[{','.join(map(str, indexes))}]")
    if any(not -len(row) <= index < len(row) for index in indexes):
        with pytest.raises(Missing):
            path.select(row)
        return
    expected = [row[index] for index in indexes]
    assert path.select(row) == (expected[0] if len(indexes) == 1 else expected)


@PROPERTY
@given(st.dictionaries(NAMES, st.integers(), min_size=1), st.data())
def test_names_select_each_whichever_way_they_are_written(
    members: dict[str, int], data: st.DataObject
) -> None:
    names = data.draw(st.lists(st.sampled_from(sorted(members)), min_size=1, max_size=3, unique=True))
    quoted = ",".join(f"'{name}'" for name in names)
    expected = {name: members[name] for name in names} if len(names) > 1 else members[names[0]]
    assert parse(f"$[{quoted}]").select(members) == expected
    assert parse(f"$.{names[0]}").select(members) == members[names[0]]
    assert parse("$.*").select(members) == list(members.values())
