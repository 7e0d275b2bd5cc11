"""Who may import whom: import-linter's contracts, and the folders it does not see."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

OURS = {"app", "chalicelib", "loadtest", "penstock", "serving", "tests", "training"}
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def test_import_contracts_hold(root: Path) -> None:
    """`.importlinter`, as `make gate` runs it."""
    done = subprocess.run(
        [sys.executable, "-c", LINT, "--no-cache"], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("folder", ["training", "serving", "loadtest"])
def test_a_folder_that_runs_alone_imports_nothing_of_ours(root: Path, folder: str) -> None:
    """Its files are copied into containers and load generators where the rest of us is absent."""
    for file in (root / folder).rglob("*.py"):
        foreign = imports(file) & (OURS - {folder})
        assert not foreign, f"{file.relative_to(root)} imports {foreign}"


def test_training_does_not_import_itself_by_name(root: Path) -> None:
    """In a container the folder is the root of sys.path: `from training import …` works here and fails there."""
    for file in (root / "training").rglob("*.py"):
        assert "training" not in imports(file), file.relative_to(root)


def test_product_code_does_not_ask_where_it_runs(root: Path) -> None:
    """Only the endpoint URL differs between AWS and one machine, and boto3 reads that by itself."""
    files = [root / "app.py"]
    for folder in ("chalicelib", "training", "statemachine"):
        files += [file for file in (root / folder).rglob("*") if file.suffix in {".py", ".json", ".yaml"}]
    for file in files:
        text = file.read_text(encoding="utf-8")
        for sign in ("AWS_ENDPOINT_URL", "localhost", "ministack", "localaws", "4566"):
            assert sign not in text, f"{file.relative_to(root)} mentions {sign}"


def test_no_tracked_file_names_a_place_on_somebodys_machine(tracked: list[Path], root: Path) -> None:
    """Paths below a home or work folder work for one person only."""
    signs = [f"/{folder}/" for folder in ("home", "Users", "work", "root")]
    for file in tracked:
        for number, line in enumerate(
            file.read_text(encoding="utf-8", errors="replace").splitlines(), start=1
        ):
            for sign in signs:
                starts = [
                    line.find(sign + rest) for rest in ("main", "shared", ".library", "ubuntu", "runner")
                ]
                assert max(starts) < 0, f"{file.relative_to(root)}:{number}: {line.strip()}"


def imports(file: Path) -> set[str]:
    """The top-level packages a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            found.add(node.module.partition(".")[0])
    return found
