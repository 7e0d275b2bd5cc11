"""Arguments, texts and requirements of the script-mode runner."""

from pathlib import Path

import pytest

from penstock.localaws.sagemaker.jobs import script_mode


def test_arguments_are_written_as_sagemaker_training_does() -> None:
    values = {"d": {"a": 1}, "flag": True, "lst": [1, 2], "x": 1.5, "epochs": "10", "none": None}
    assert (
        " ".join(script_mode.arguments(values))
        == "-d a=1 --epochs 10 --flag True --lst [1, 2] --none  -x 1.5"
    )


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1), ('"a"', "a"), ("a", "a"), ("true", True), ("1e-3", 0.001)]
)
def test_hyperparameters_are_json_where_they_can_be(text: str, value: object) -> None:
    assert script_mode.decoded(text) == value


def test_environment_values() -> None:
    assert [script_mode.as_text(v) for v in ("a", None, True, {"b": 1, "a": [1]})] == [
        "a",
        "",
        "true",
        '{"a":[1],"b":1}',
    ]


def test_the_error_message_is_the_last_traceback_and_keeps_its_end() -> None:
    stderr = "noise\n" * 50 + "Traceback (most recent call last):\n" + "  frame\n" * 200 + "ValueError: why\n"
    message = script_mode.error_message(stderr)
    assert message.endswith("ValueError: why")
    assert len(message) <= 701


@pytest.mark.parametrize(
    ("text", "missing"),
    [
        ("", False),
        ("# a comment\npytest  # why\n", False),
        ("pytest>=1\n", False),
        ("pytest<1\n", True),
        ("no-such-package-at-all\n", True),
        ("no-such-package; python_version < '3'\n", False),
        ("-r other.txt\n", True),
        ("pandas[", True),
    ],
)
def test_requirements_are_looked_up_not_installed(tmp_path: Path, text: str, missing: bool) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text(text)
    assert script_mode.missing_requirements(path) is missing


GROUPS = [
    {"instance_group_name": "a", "instance_type": "ml.m5.large", "hosts": ["algo-1"]},
    {"instance_group_name": "b", "instance_type": "ml.m5.large", "hosts": ["algo-2", "algo-3"]},
]
RESOURCES = {
    "current_host": "algo-3",
    "current_group_name": "b",
    "hosts": ["algo-1", "algo-2", "algo-3"],
    "instance_groups": GROUPS,
}


def test_a_script_is_told_of_its_group() -> None:
    told = script_mode.cluster(RESOURCES, {})
    assert (told["instance_groups"], told["is_hetero"]) == (["a", "b"], True)
    assert told["current_instance_group_hosts"] == ["algo-2", "algo-3"]
    assert script_mode.leader({**RESOURCES, **told}) == {
        "distribution_hosts": [],
        "master_hostname": "algo-1",
        "is_master": False,
    }


def test_the_first_host_of_those_that_share_the_work_leads() -> None:
    told = script_mode.cluster(RESOURCES, {"sagemaker_torch_distributed_enabled": True})
    assert script_mode.leader({**RESOURCES, **told})["master_hostname"] == "algo-2"


def test_torchrun_is_told_where_the_hosts_meet() -> None:
    assert " ".join(script_mode.torchrun(RESOURCES)) == (
        "--nnodes 3 --nproc_per_node 1 --master_addr algo-1 --master_port 7777 --node_rank 2"
    )
    assert script_mode.torchrun({**RESOURCES, "hosts": ["algo-3"]}) == [
        "--nnodes",
        "1",
        "--nproc_per_node",
        "1",
    ]


def test_a_program_is_a_script_a_module_or_a_command(tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    assert script_mode.command_of("train.py", tmp_path, {}, ["--a", "b c"])[1:] == [
        "--",
        "train.py",
        "--a",
        "b c",
    ]
    assert script_mode.command_of("go", tmp_path, {}, ["--a", "b c"]) == ["/bin/sh", "-c", "./go --a 'b c'"]
    (tmp_path / "setup.py").touch()
    assert script_mode.command_of("train.py", tmp_path, {}, [])[1:] == ["-m", "train"]
