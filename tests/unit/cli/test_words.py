"""The command line without an AWS: help, options, errors in one message, init."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from botocore.exceptions import ClientError, NoCredentialsError

from penstock.cli.__main__ import WORDS, explain
from penstock.cli.predict import question
from penstock.cli.why import key_of
from penstock.errors import PenstockError
from tests.unit.cli.conftest import Said

Call = Callable[..., Said]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A small table with a clear target."""
    path = tmp_path / "tumours.csv"
    rows = [f"{n * 7 % 31},{n * 13 % 37},{'malignant' if n % 3 else 'benign'}" for n in range(90)]
    path.write_text("\n".join(["size,age,label", *rows]) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("word", WORDS)
def test_every_word_explains_itself(penstock: Call, word: str) -> None:
    """With its options; nothing has to run for that."""
    said = penstock(word, "--help")
    assert said.code == 0
    assert "--stage" in said.out


def test_the_words_are_listed_in_order(penstock: Call) -> None:
    """As one needs them."""
    listed = penstock("--help").out
    places = [listed.index(f"\n  {word} ") for word in WORDS]
    assert places == sorted(places)


def test_an_unknown_word_is_a_usage_error(penstock: Call) -> None:
    """Code 2, as everywhere."""
    said = penstock("deplyo")
    assert (said.code, said.out) == (2, "")
    assert "No such command" in said.err


@pytest.mark.parametrize(
    "words", [["env"], ["runs"], ["deploy"], ["down"], ["why", "drop/a/b"], ["sweep"], ["sql"]]
)
def test_without_the_embedded_aws_one_is_told_to_start_it(
    penstock: Call, tmp_path: Path, words: list[str]
) -> None:
    """One message on stderr, nothing on stdout, code 1, no traceback."""
    said = penstock(*words, "--root", str(tmp_path))
    assert (said.code, said.out) == (1, "")
    assert "penstock up" in said.err
    assert "Traceback" not in said.err


def test_status_of_nothing_is_no_error(penstock: Call, tmp_path: Path) -> None:
    """For a person, and for a machine."""
    assert "not running" in penstock("status", "--root", str(tmp_path)).out
    said = penstock("--json", "status", "--root", str(tmp_path))
    assert said.document == {"stage": "local", "embedded_aws": None, "deployed": None}
    assert "not running" in said.err


def test_init_writes_a_spec_and_says_why(penstock: Call, table: Path, tmp_path: Path) -> None:
    """The file is YAML with comments; the answer for a machine is the same spec."""
    out = tmp_path / "project.yaml"
    said = penstock("--json", "init", str(table), "--out", str(out))
    assert said.code == 0, said.err
    assert said.document["spec"] == yaml.safe_load(out.read_text(encoding="utf-8"))
    assert said.document["spec"]["project"] == "tumours"
    assert "# " in out.read_text(encoding="utf-8")


def test_init_overwrites_only_when_told(penstock: Call, table: Path, tmp_path: Path) -> None:
    """A spec a person has corrected is worth more than a guess."""
    out = tmp_path / "project.yaml"
    out.write_text("mine\n")
    said = penstock("init", str(table), "--out", str(out))
    assert said.code == 1
    assert "--force" in said.err
    assert out.read_text() == "mine\n"
    assert penstock("init", str(table), "--out", str(out), "--force").code == 0
    assert out.read_text() != "mine\n"


def test_debug_adds_the_traceback(penstock: Call, tmp_path: Path) -> None:
    """Before or after the word."""
    for words in (["--debug", "init", "none.csv"], ["init", "none.csv", "--debug"]):
        said = penstock(*words, "--out", str(tmp_path / "p.yaml"))
        assert said.code == 1
        assert "Traceback" in said.err
        assert "no such file" in said.err


def test_it_runs_as_a_module() -> None:
    """`python -m penstock.cli`, as the Makefile calls it."""
    done = subprocess.run(
        [sys.executable, "-m", "penstock.cli", "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "Drop a file in S3" in done.stdout


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PenstockError("here", "that", "Do this."), ("here", "that", "Do this.")),
        (
            ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutObject"),
            ("PutObject", "AWS answers AccessDenied: no", "Check credentials and permissions."),
        ),
    ],
)
def test_errors_say_where_what_and_what_to_do(error: Exception, words: tuple[str, str, str]) -> None:
    """In three parts."""
    assert explain(error) == words


@pytest.mark.parametrize("error", [NoCredentialsError(), FileNotFoundError(2, "no such", "x"), KeyError("x")])
def test_any_error_has_a_next_step(error: Exception) -> None:
    """Foreseen or not."""
    assert all(explain(error))


def test_a_key_from_an_address() -> None:
    """An s3:// address of this stage's bucket, or the key itself."""
    assert key_of("s3://ours/drop/churn/a b#.csv", "ours") == "drop/churn/a b#.csv"
    assert key_of("drop/churn/x/y.csv", "ours") == "drop/churn/x/y.csv"


@pytest.mark.parametrize("upload", ["s3://theirs/drop/churn/a.csv", "runs/x/y", "dropped/a", "s3://ours"])
def test_what_can_be_no_upload_is_refused(upload: str) -> None:
    """Before anybody is asked."""
    with pytest.raises(PenstockError):
        key_of(upload, "ours")


def test_questions_by_their_kind(tmp_path: Path) -> None:
    """CSV and JSON files, JSON on the command line."""
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    (tmp_path / "rows.json").write_text('{"a": 1}')
    (tmp_path / "rows.txt").write_text(' [{"a": 1}]')
    assert question(str(tmp_path / "rows.csv"), None) == (b"a,b\n1,2\n", "text/csv")
    assert question(str(tmp_path / "rows.json"), None)[1] == "application/json"
    assert question(str(tmp_path / "rows.txt"), None)[1] == "application/json"
    assert question(None, '{"a": 1}') == (b'{"a": 1}', "application/json")


@pytest.mark.parametrize(("file", "record"), [(None, None), ("x.csv", "{}"), (None, "{a: 1}")])
def test_a_question_is_asked_once_and_well(file: str | None, record: str | None) -> None:
    """No rows, rows twice, broken JSON."""
    with pytest.raises(PenstockError):
        question(file, record)


def test_json_stands_before_or_after_the_word(penstock: Call, table: Path, tmp_path: Path) -> None:
    """Both are one option."""
    one = penstock("--json", "init", str(table), "--out", str(tmp_path / "1.yaml"))
    other = penstock("init", str(table), "--out", str(tmp_path / "2.yaml"), "--json")
    assert one.document["spec"] == other.document["spec"]
    assert json.loads(one.out)["spec"]["task"] == "classification"


def test_nobody_erases_unasked(penstock: Call) -> None:
    """What cannot be undone is confirmed by a person, or by --yes."""
    said = penstock("erase", "tweets", "uq_id_1")
    assert said.code == 1
    assert "--yes" in said.err
    assert "no key was given" in penstock("erase", "tweets", "--yes").err
