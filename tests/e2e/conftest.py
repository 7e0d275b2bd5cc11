"""One embedded AWS and one deployed stage for all end-to-end tests, from a copy of the checkout with a space in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from penstock import deploy
from penstock.localaws import control
from tests.e2e import moods
from tests.e2e.stage import Stage

ROOT = Path(__file__).parents[2]
PARTS = ("app.py", "chalicelib", ".chalice/config.json", "requirements.txt", "statemachine", "training")
DATA = ROOT.parent / "shared" / "data"


def copy_checkout(folder: Path) -> Path:
    """What a deployment reads, in a folder of its own, so that tests never touch the state of a real checkout."""
    for part in PARTS:
        source, target = ROOT / part, folder / part
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    for policy in (ROOT / ".chalice").glob("policy-*.json"):
        shutil.copy(policy, folder / ".chalice")
    wheels = ROOT / ".penstock" / "wheels"
    if wheels.is_dir():
        shutil.copytree(wheels, folder / ".penstock" / "wheels")
    return folder


@contextmanager
def environment(endpoint_url: str) -> Iterator[None]:
    """boto3's ordinary variables, pointing at an embedded AWS; as they were afterwards."""
    wanted = {
        "AWS_ENDPOINT_URL": endpoint_url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def deployed_stage(folder: Path) -> Iterator[Stage]:
    """An embedded AWS with stage local deployed on it, gone afterwards."""
    root = copy_checkout(folder)
    running = control.up(root, testing=True)
    try:
        with environment(running.endpoint_url):
            yield Stage(deploy.deploy("local", root, lambda name, state: None), root)
    finally:
        control.down(root)


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The stage most tests share; each uses projects of its own."""
    with deployed_stage(tmp_path_factory.mktemp("a checkout")) as deployed:
        yield deployed


@pytest.fixture(scope="session")
def door(stage: Stage) -> Stage:
    """The stage with a model that tells moods: one run for all tests of a process that ask it."""
    stage.put_project(moods.spec(moods.PROJECT))
    key = stage.drop(moods.PROJECT, "rows.csv", moods.as_csv(moods.moods(240)))
    runs = stage.settled(moods.PROJECT, {key})
    assert [run["state"] for run in runs] == ["SUCCEEDED"], runs
    return stage


@pytest.fixture
def own_stage(tmp_path: Path) -> Iterator[Stage]:
    """A stage of a test's own, for tests that kill or destroy it."""
    folder = tmp_path / "own checkout"
    folder.mkdir()
    with deployed_stage(folder) as deployed:
        yield deployed


@pytest.fixture(scope="session")
def data() -> Path:
    """Real data beside the checkout; skips where it is not there."""
    if not DATA.is_dir():
        pytest.skip(f"real data is not here: {DATA}")
    return DATA
