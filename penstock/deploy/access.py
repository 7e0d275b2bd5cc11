"""Who may call the API: nobody is asked, AWS signatures, or API keys with a usage plan; as the stage's setting says.

The setting is PENSTOCK_AUTHORISATION in .chalice/config.json. API Gateway itself checks signatures and keys.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from penstock.deploy.target import Deployed, DeployError, Target

SETTING = "PENSTOCK_AUTHORISATION"
NONE, IAM, KEY = "none", "iam", "key"
Authorise = Callable[[str, str, bytes | None, Mapping[str, str]], Mapping[str, str]]
_THROTTLE = {"rateLimit": 50.0, "burstLimit": 100}
_QUOTA = {"limit": 1_000_000, "period": "DAY"}


def setting(target: Target) -> str:
    """The stage's setting."""
    config = json.loads((target.root / ".chalice" / "config.json").read_text())
    variables = config["stages"][target.stage].get("environment_variables", {})
    return str(variables.get(SETTING) or NONE)


def protect(target: Target, api: str, api_stage: str) -> None:
    """Give the stage its usage plan and a first key, where keys are what is asked for; again changes nothing."""
    if setting(target) != KEY:
        return
    client = target.client("apigateway")
    plan = next(_plans(client, target.prefix), None)
    stages = [{"apiId": api, "stage": api_stage}]
    if plan is None:
        plan = client.create_usage_plan(
            name=target.prefix, apiStages=stages, throttle=_THROTTLE, quota=_QUOTA
        )
    elif stages[0] not in plan.get("apiStages", []):
        change = {"op": "add", "path": "/apiStages", "value": f"{api}:{api_stage}"}
        plan = client.update_usage_plan(usagePlanId=plan["id"], patchOperations=[change])
    if next(_keys(client, target.prefix), None) is None:
        key = client.create_api_key(name=target.prefix, enabled=True)
        client.create_usage_plan_key(usagePlanId=plan["id"], keyId=key["id"], keyType="API_KEY")


def authoriser(deployed: Deployed) -> Authorise | None:
    """What adds to a request's headers what the stage asks for; None where it asks for nothing."""
    if deployed.authorisation == KEY:
        client = boto3.client("apigateway")
        key = next(_keys(client, f"penstock-{deployed.stage}"), {}).get("value", "")
        return lambda *request: {**request[3], "x-api-key": str(key)}
    if deployed.authorisation == IAM:
        return partial(_signed, deployed.region)
    return None


def _signed(
    region: str, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
) -> Mapping[str, str]:
    credentials = boto3.Session().get_credentials()
    if credentials is None:
        raise DeployError("API", "there are no AWS credentials to sign with", "Set AWS_PROFILE, or log in.")
    request = AWSRequest(method, url, data=body or b"", headers=dict(headers))
    SigV4Auth(credentials, "execute-api", region).add_auth(request)
    return dict(request.headers.items())


def _plans(client: Any, name: str) -> Iterator[dict[str, Any]]:
    pages = client.get_paginator("get_usage_plans").paginate()
    return (one for page in pages for one in page.get("items", []) if one.get("name") == name)


def _keys(client: Any, name: str) -> Iterator[dict[str, Any]]:
    pages = client.get_paginator("get_api_keys").paginate(nameQuery=name, includeValues=True)
    return (one for page in pages for one in page.get("items", []) if one.get("name") == name)


def remove(target: Target, name: str) -> None:
    """Take a usage plan and its keys away; an API's stage has to leave the plan first."""
    client = target.client("apigateway")
    for plan in _plans(client, name):
        for stage in plan.get("apiStages", []):
            change = {"op": "remove", "path": "/apiStages", "value": f"{stage['apiId']}:{stage['stage']}"}
            client.update_usage_plan(usagePlanId=plan["id"], patchOperations=[change])
        client.delete_usage_plan(usagePlanId=plan["id"])
    for key in _keys(client, name):
        client.delete_api_key(apiKey=key["id"])


def named(target: Target) -> Iterator[str]:
    """The stage's usage plan, if there is one: it and its keys have the stage's name."""
    client = target.client("apigateway")
    found = [*_plans(client, target.prefix), *_keys(client, target.prefix)]
    return iter([target.prefix] if found else [])
