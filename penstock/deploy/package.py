"""One stack for those whose CI deploys templates: foundation and functions merged by `chalice package`."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from penstock.deploy import access, code, foundation, functions, gateway
from penstock.deploy.target import APP, Target

# Chalice's logical names → the functions' own; the state machine knows them by these (docs/decisions/0007).
_FUNCTIONS = {
    name.capitalize(): f"-{name}"
    for name in (
        "ingest",
        "score",
        "claim",
        "rank",
        "gate",
        "register",
        "release",
        "report",
        "sweep",
        "recur",
        "notice",
    )
}
_HANDLER = "APIHandler"


def package(target: Target, out: Path) -> list[Path]:
    """Write OUT/sam.json with OUT/deployment.zip beside it, and OUT/code/ to be copied to the stack's bucket.

    Returns what was written. Raises DeployError with Chalice's own words when it fails.
    """
    bundle = code.Bundle(target.root / "training")
    with tempfile.TemporaryDirectory() as scratch:
        merge = Path(scratch) / "foundation.json"
        merge.write_text(json.dumps(mergeable(target, bundle.prefix)))
        functions.package(target, merge, out)
    shutil.rmtree(out / "code", ignore_errors=True)
    for key, content in bundle.objects().items():
        path = out / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return [out / "sam.json", out / "deployment.zip", out / "code"]


def mergeable(target: Target, code_prefix: str) -> dict[str, Any]:
    """The foundation with the stage's parameters as defaults, and what it needs of Chalice's half of the template."""
    template = foundation.render(target.root)
    values = target.parameters() | {"Stage": target.stage, "CodePrefix": code_prefix}
    for name, value in values.items():
        template["Parameters"][name]["Default"] = value
    for logical, name in (_FUNCTIONS | {_HANDLER: ""}).items():
        function = {"Properties": {"FunctionName": {"Fn::Sub": f"{APP}-${{Stage}}{name}"}}}
        template["Resources"][logical] = function
    # Chalice 1.34 names the handler's log group after a function `ApiHandler`, which is called APIHandler.
    template["Resources"]["ApiHandlerLogGroup"] = {
        "Properties": {"LogGroupName": {"Fn::Sub": f"/aws/lambda/${{{_HANDLER}}}"}}
    }
    template["Resources"]["RestAPI"] = {
        "Properties": {"GatewayResponses": gateway.sam(access.setting(target))}
    }
    return template
