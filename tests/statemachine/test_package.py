"""What `chalice package --merge-template` makes of our foundation is a template that lints, and a light package."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import boto3
import pytest

from penstock.deploy.package import package
from penstock.deploy.target import Target
from tests.e2e.conftest import copy_checkout
from tests.statemachine.test_template import _findings


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of stage dev, made without an account."""
    root = copy_checkout(tmp_path_factory.mktemp("a checkout"))
    out = root / "out"
    package(Target("dev", root, boto3.Session(region_name="us-east-1")), out)
    return out


@pytest.fixture(scope="module")
def merged(packed: Path) -> dict[str, Any]:
    """The merged template."""
    document: dict[str, Any] = json.loads((packed / "sam.json").read_text())
    return document


def test_merged_template_is_clean(merged: dict[str, Any]) -> None:
    """cfn-lint translates the SAM half and has nothing to say about either."""
    assert _findings(merged) == []


def test_machine_calls_functions_by_the_names_they_have(merged: dict[str, Any]) -> None:
    """In one stack the functions would be named by CloudFormation, and the machine would call nobody."""
    substitutions = merged["Resources"]["Pipeline"]["Properties"]["DefinitionSubstitutions"]
    for arn in substitutions.values():
        name = arn["Fn::Sub"].rpartition(":")[2]
        logical = name.rpartition("-")[2].capitalize()
        assert merged["Resources"][logical]["Properties"]["FunctionName"] == {"Fn::Sub": name}


def test_job_code_lies_beside_it_where_the_template_looks(packed: Path, merged: dict[str, Any]) -> None:
    """CodePrefix names a folder that is there."""
    prefix = merged["Parameters"]["CodePrefix"]["Default"]
    assert (packed / prefix / "prepare.py").is_file()
    assert (packed / prefix / "training.tar.gz").is_file()


def test_lambda_package_is_light(packed: Path) -> None:
    """No pandas, no SDK for notebooks: under 20 MB unpacked, and only what requirements.txt asks for."""
    with zipfile.ZipFile(packed / "deployment.zip") as archive:
        size = sum(entry.file_size for entry in archive.infolist())
        tops = {name.partition("/")[0] for name in archive.namelist()}
    assert size < 20 * 1024 * 1024
    assert {"app.py", "chalicelib", "aws_lambda_powertools", "jsonschema"} <= tops
    assert not {"pandas", "numpy", "sagemaker", "boto3", "botocore", "penstock"} & tops
