"""The Chalice half of a stage: `chalice deploy` and `chalice delete`, run as a person would run them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from penstock.deploy import access, gateway
from penstock.deploy.target import APP, DeployError, Target

_CHALICE = [sys.executable, "-c", "import sys; from chalice.cli import main; sys.exit(main())"]
API_STAGE = "api"


def deploy(target: Target) -> None:
    """Run `chalice deploy`, then let the API refuse in our words; raises DeployError with Chalice's own words."""
    _chalice(target, "deploy")
    api = api_id(target)
    gateway.put(target, api, API_STAGE)
    access.protect(target, api, API_STAGE)


def delete(target: Target) -> bool:
    """Run `chalice delete` when Chalice has a record of the stage; returns whether it had."""
    if not _record(target.root, target.stage).get("resources"):
        return False
    _chalice(target, "delete")
    return True


def package(target: Target, merge: Path, out: Path) -> None:
    """Run `chalice package` with a template to merge in; raises DeployError with Chalice's own words."""
    _chalice(target, "package", "--merge-template", str(merge), str(out))


def api_id(target: Target) -> str:
    """The stage's REST API: from Chalice's record, else the API whose deployment calls the stage's function."""
    for resource in _record(target.root, target.stage).get("resources", []):
        if resource.get("resource_type") == "rest_api":
            return str(resource["rest_api_id"])
    return next(iter(_apis(target)), "")


def api_url(target: Target, rest_api_id: str) -> str:
    """The API's address: execute-api on AWS; the same API by path where the endpoint is one of our own.

    A host like <id>.execute-api.localhost works there too, but only where *.localhost resolves.
    """
    endpoint = target.client("apigateway").meta.endpoint_url
    if endpoint.rstrip("/").endswith(".amazonaws.com"):
        return f"https://{rest_api_id}.execute-api.{target.region}.amazonaws.com/{API_STAGE}"
    return f"{endpoint.rstrip('/')}/restapis/{rest_api_id}/{API_STAGE}/_user_request_"


def _apis(target: Target) -> list[str]:
    """APIs named penstock that integrate with this stage's handler (every stage's API has the app's name)."""
    client = target.client("apigateway")
    found = []
    for page in client.get_paginator("get_rest_apis").paginate():
        for api in page["items"]:
            if api["name"] == APP and _calls(client, api["id"], f":function:{target.prefix}/"):
                found.append(str(api["id"]))
    return found


def _calls(client: Any, api: str, function: str) -> bool:
    for page in client.get_paginator("get_resources").paginate(restApiId=api, embed=["methods"]):
        for resource in page["items"]:
            for method in resource.get("resourceMethods", {}).values():
                if function in method.get("methodIntegration", {}).get("uri", ""):
                    return True
    return False


def _record(root: Path, stage: str) -> dict[str, Any]:
    path = root / ".chalice" / "deployed" / f"{stage}.json"
    return json.loads(path.read_text()) if path.is_file() else {}


def _chalice(target: Target, word: str, *arguments: str) -> None:
    wheels = target.root / ".penstock" / "wheels"
    environment = os.environ | {"AWS_DEFAULT_REGION": target.region}
    if wheels.is_dir() and any(wheels.iterdir()):  # `make` put them there, so that this works offline too
        environment |= {"PIP_FIND_LINKS": wheels.as_uri(), "PIP_NO_INDEX": "1"}
    done = subprocess.run(
        [*_CHALICE, "--project-dir", str(target.root), word, "--stage", target.stage, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        what = (done.stderr.strip() or done.stdout.strip()).splitlines()
        advice = f"Run `chalice {word} --stage {target.stage}` by itself to see it whole."
        raise DeployError(f"chalice {word}", "; ".join(what[-3:]), advice)
