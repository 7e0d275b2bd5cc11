"""A stage that asks its callers who they are: what is refused, in which words, and that the command line comes in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from penstock import deploy
from penstock.client.api import Api
from penstock.deploy.access import authoriser
from penstock.localaws import control
from tests.e2e.conftest import copy_checkout, environment
from tests.e2e.stage import Stage


@pytest.fixture(params=["key", "iam"])
def guarded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """A stage whose setting asks for API keys, or for signatures."""
    root = copy_checkout(tmp_path / request.param)
    path = root / ".chalice" / "config.json"
    config = json.loads(path.read_text())
    config["stages"]["local"]["environment_variables"]["PENSTOCK_AUTHORISATION"] = request.param
    path.write_text(json.dumps(config))
    running = control.up(root)
    try:
        with environment(running.endpoint_url):
            yield Stage(deploy.deploy("local", root, lambda name, state: None), root)
    finally:
        control.down(root)


@pytest.mark.slow
def test_who_says_nothing_stays_out_and_who_is_known_comes_in(guarded: Stage) -> None:
    for method, path in (("GET", "/projects"), ("POST", "/predict"), ("DELETE", "/projects")):
        answer = guarded.ask(method, path)
        assert answer.status in (401, 403), answer.body
        assert answer.headers["content-type"] == "application/problem+json"
    assert guarded.ask("GET", "/healthz").status == 200
    assert guarded.ask("GET", "/projects", x_api_key="x" * 20).status in (401, 403)
    known = Api(guarded.deployed.api_url, authoriser(guarded.deployed))
    assert known.get("/projects") == {"projects": []}
    deploy.destroy("local", guarded.root, lambda name, state: None)
    client = guarded.client("apigateway")
    assert client.get_usage_plans()["items"] == client.get_api_keys()["items"] == []
