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
