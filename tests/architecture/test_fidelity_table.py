"""docs/local-aws.md says of every SageMaker operation and limit what is here: the table is held to the code.

An operation we have is in a row of its own, real or partial, with a test that exists. Those we do not have are absent:
the patterns of the absent rows match every one of them and none that we have.
"""

from __future__ import annotations

import ast
import fnmatch
import functools
import re
from pathlib import Path
from typing import NamedTuple

import botocore.loaders
import pytest

from penstock.localaws.sagemaker import api

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "local-aws.md"
RUNTIME = {"InvokeEndpoint", "InvokeEndpointAsync", "InvokeEndpointWithResponseStream"}
STATES = ("real", "partial", "absent")


class Row(NamedTuple):
    """One line of a table."""

    names: list[str]
    state: str
    tests: list[str]
    line: str


def table(heading: str) -> list[Row]:
    """The rows of the table below a heading of the page."""
    text = PAGE.read_text(encoding="utf-8").partition(f"\n### {heading}\n")[2]
    assert text, f"docs/local-aws.md has no section {heading}"
    rows = []
    for line in text.partition("\n### ")[0].splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if line.startswith("|") and len(cells) >= 3 and cells[1] in STATES:
            tests = re.findall(r"`(tests/[^`]+)`", cells[2])
            rows.append(Row(re.findall(r"`([^`]+)`", cells[0]), cells[1], tests, line))
    assert rows, f"docs/local-aws.md has no table below {heading}"
    return rows


@functools.cache
def operations_of_aws() -> set[str]:
    loader = botocore.loaders.Loader()
    found: set[str] = set()
    for service in ("sagemaker", "sagemaker-runtime"):
        found |= set(loader.load_service_model(service, "service-2")["operations"])
    return found


def operations_here() -> set[str]:
    modules = api._load_modules().values()
    return {name for module in modules for name in getattr(module, "OPERATIONS", {})} | RUNTIME


@functools.cache
def functions_of(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


ROWS = [*table("Operations"), *table("Limits"), *table("What jobs and endpoints do")]


def test_every_operation_we_have_has_a_row_of_its_own() -> None:
    named = [name for row in table("Operations") if row.state != "absent" for name in row.names]
    assert sorted(named) == sorted(set(named)), "an operation has two rows"
    assert set(named) == operations_here()


def test_the_absent_rows_match_everything_else_and_nothing_we_have() -> None:
    patterns = [name for row in table("Operations") if row.state == "absent" for name in row.names]
    here, missing = operations_here(), operations_of_aws() - operations_here()
    for pattern in patterns:
        matched = fnmatch.filter(operations_of_aws(), pattern)
        assert matched, f"{pattern} matches no operation of AWS"
        assert not here & set(matched), f"{pattern} says absent of what is here: {here & set(matched)}"
    untold = {name for name in missing if not any(fnmatch.fnmatchcase(name, one) for one in patterns)}
    assert not untold, f"docs/local-aws.md says nothing of {sorted(untold)}"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: (row.names or [row.line.split("|")[1].strip()])[0])
def test_the_tests_a_row_names_exist(row: Row) -> None:
    assert row.tests or row.state == "absent", f"no test shows it: {row.line}"
    for test in row.tests:
        path, _, name = test.partition("::")
        assert (ROOT / path).is_file(), test
        if name:
            assert name in functions_of(path), test
