"""The docs speak of what is there: links lead somewhere, words and targets, errors and settings are all told."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from chalicelib.settings import NAMES
from penstock.cli.__main__ import WORDS
from tests.architecture.test_names_agree import error_classes

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("[a-z]*/README.md")})
LINK = re.compile(r"(?<!`)\[[^\]]*\]\(([^)\s]+)\)")


def prose(page: Path) -> str:
    """A page without its code blocks."""
    return re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_to_files(page: Path) -> None:
    """Relative links only; the web is not asked."""
    for link in LINK.findall(prose(page)):
        if "://" in link or link.startswith(("#", "mailto:")):
            continue
        target = (page.parent / link.partition("#")[0]).resolve()
        assert target.exists(), f"{page.relative_to(ROOT)} links to {link}"
        assert target.is_relative_to(ROOT), f"{page.relative_to(ROOT)} links out of the checkout: {link}"


@pytest.mark.parametrize("word", WORDS)
def test_every_word_of_the_command_line_is_told(word: str) -> None:
    """In the README or a page of docs/."""
    told = "".join(page.read_text(encoding="utf-8") for page in PAGES if page.name != "CHANGELOG.md")
    assert re.search(rf"penstock (?:--\S+ )*{word}\b|make {word}\b", told)


def test_every_word_has_its_module_and_no_module_is_left_over() -> None:
    """One word a file, of the same name."""
    modules = {file.stem for file in (ROOT / "penstock" / "cli").glob("*.py")}
    assert modules - {"__init__", "__main__", "session"} == set(WORDS)


def test_every_make_target_is_told() -> None:
    """In the README, and by `make` itself."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert phony
    for target in set(phony[1].split()) - {"help"}:
        assert f"make {target}" in readme, target
        assert re.search(rf"^{target}:.*## \S", makefile, re.MULTILINE), target


def test_every_error_is_told_with_its_status() -> None:
    """docs/errors.md is where a problem document's type leads."""
    from chalicelib import errors  # noqa: PLC0415

    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    for name in error_classes():
        row = re.search(rf"^\| {name} \| ([^|]*) \|", page, re.MULTILINE)
        assert row, name
        assert str(getattr(errors, name).status) in row[1], name


def test_every_setting_is_told() -> None:
    """Of a stage and of a project."""
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    schema = json.loads(
        (ROOT / "chalicelib" / "contracts" / "project.schema.json").read_text(encoding="utf-8")
    )
    for name in (*NAMES, *schema["properties"], *schema["$defs"]["column_type"]["enum"]):
        assert f"`{name}`" in page, name


def test_every_dependency_says_why_it_is_there() -> None:
    """One line each in docs/decisions/0002-dependencies.md."""
    page = (ROOT / "docs" / "decisions" / "0002-dependencies.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for line in (*project["dependencies"], *project["optional-dependencies"]["dev"]):
        name = re.split(r"[\[;<>= ]", line)[0]
        assert f"`{name}`" in page, name


def test_every_decision_is_listed() -> None:
    """docs/decisions/0000 is the way in."""
    folder = ROOT / "docs" / "decisions"
    listed = (folder / "0000-how-we-decide.md").read_text(encoding="utf-8")
    for page in folder.glob("[0-9]*.md"):
        assert page.name.startswith("0000") or f"({page.name})" in listed, page.name


@pytest.mark.parametrize("learner", ["gradient_boosting", "curve"])
def test_every_hyperparameter_is_told_with_its_default_and_range(learner: str, root: Path) -> None:
    """docs/learners.md, in its learner's section, as the module has it."""
    code = (
        "import json, learners\n"
        f"known = learners.get({learner!r}).HYPERPARAMETERS\n"
        "print(json.dumps({name: [str(one.default) if not isinstance(one.default, (int, float)) or "
        "isinstance(one.default, bool) else f'{one.default:g}', f'{one.low:g} to {one.high:g}' "
        "if hasattr(one, 'low') else ''] for name, one in known.items()}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root / "training", capture_output=True, text=True, check=True
    )
    page = (root / "docs" / "learners.md").read_text(encoding="utf-8")
    section = re.split(r"^## ", page.partition(f"\n## {learner}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]
    for name, (default, allowed) in json.loads(done.stdout).items():
        row = re.search(rf"^\| `{name}`[^|]*\|([^|]*)\|([^|]*)\|", section, re.MULTILINE)
        assert row, name
        assert row[1].strip().lower() == default.lower(), name
        assert row[2].strip() == allowed or not allowed, name


def test_the_machines_table_has_every_state_and_its_time() -> None:
    """statemachine/README.md says what waits how long: a table that lags behind misleads whoever looks at night."""
    folder = ROOT / "statemachine"
    states = json.loads((folder / "pipeline.asl.json").read_text(encoding="utf-8"))["States"]
    rows = [line.split("|")[1:5] for line in (folder / "README.md").read_text(encoding="utf-8").splitlines()
            if line.startswith("|")]  # fmt: skip
    told = {name.strip(): waits.strip() for names, _, _, waits in rows for name in names.split(",")}
    assert states.keys() <= told.keys()
    seconds = {"s": 1, "min": 60, "h": 3600}
    for name, state in states.items():
        if "TimeoutSeconds" in state:
            number, unit = told[name].split()[:2]
            assert int(number) * seconds[unit] == state["TimeoutSeconds"], name
