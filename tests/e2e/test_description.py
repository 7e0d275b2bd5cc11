"""What the API says of itself is true: Schemathesis asks a deployed stage everything its description allows, and more.

It lives in a virtualenv of its own (`make test-all` makes it); PENSTOCK_SCHEMATHESIS may name another program.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.e2e.moods import PROJECT
from tests.e2e.stage import Stage

ROOT = Path(__file__).parents[2]
PROGRAM = os.environ.get("PENSTOCK_SCHEMATHESIS") or str(ROOT / ".venv-schemathesis" / "bin" / "schemathesis")
CONFIG = """
[parameters]
project = "{project}"

# What is right beyond the shape is the model's own matter (GET /projects/{{project}}/schema): a 422 says what is not;
# any text may be sent as CSV, and not all of it is.
[checks.positive_data_acceptance]
expected-statuses = ["2xx", 400, 404, 409, 422]
"""


@pytest.mark.slow
def test_schemathesis_finds_nothing(door: Stage, tmp_path: Path) -> None:
    """Every check; the endpoint's own doors are left alone, since taking the endpoint away would end the test."""
    if not Path(PROGRAM).is_file():
        pytest.skip(f"Schemathesis is not here: {PROGRAM}; make test-all installs it")
    (tmp_path / "schemathesis.toml").write_text(CONFIG.format(project=PROJECT))
    url = door.deployed.api_url
    command = [PROGRAM, "run", f"{url}/openapi.json", "--url", url, "--max-examples", "25", "--seed", "1",
               "--request-timeout", "30", "--phases", "examples,coverage,fuzzing", "--no-color",
               "--exclude-operation-id", "share_endpoint", "--exclude-operation-id", "remove_endpoint",
               "--exclude-operation-id", "start_run", "--exclude-operation-id", "define_project"]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=550, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-1000:]
