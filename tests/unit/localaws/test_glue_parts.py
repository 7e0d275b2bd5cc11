"""getResolvedOptions and the look for additional modules."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from penstock.localaws import glue
from penstock.localaws.glue.modules import missing_modules
from penstock.localaws.glue.runner import script_arguments


def shim() -> Any:
    path = Path(glue.__file__).with_name("shim") / "awsglue" / "utils.py"
    spec = importlib.util.spec_from_file_location("awsglue_utils", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_named_options_and_the_reserved_ones_that_are_there() -> None:
    argv = ["script.py", "--JOB_NAME", "j", "--extra", "1", "--run", "r-1", "--day=2026-01-01"]
    assert shim().getResolvedOptions(argv, ["run", "day"]) == {
        "JOB_NAME": "j",
        "run": "r-1",
        "day": "2026-01-01",
    }


def test_a_value_may_begin_with_dashes() -> None:
    assert shim().getResolvedOptions(["s", "--a", "--b", "--b", "2"], ["a", "b"]) == {"a": "--b", "b": "2"}


def test_a_missing_option_is_an_error() -> None:
    module = shim()
    with pytest.raises(module.GlueArgumentError, match="--run"):
        module.getResolvedOptions(["s"], ["run"])


def test_arguments_begin_with_the_job_and_the_run() -> None:
    given = script_arguments({"Id": "jr_1"}, {"Name": "j"}, {"--a": "x y", "--JOB_NAME": "k"})
    assert given == ["--JOB_NAME", "k", "--JOB_RUN_ID", "jr_1", "--a", "x y"]


def test_modules_that_are_here_are_not_missing() -> None:
    assert missing_modules("pandas, pyarrow>=1,no-such-thing,pytest==0.0.1") == [
        "no-such-thing",
        "pytest==0.0.1",
    ]
    assert missing_modules("") == []
