"""API Gateway's own refusals as problem documents: those no function of ours ever sees."""

from __future__ import annotations

import json
from typing import Any

from penstock.deploy import access
from penstock.deploy.target import Target

_TITLES = {
    "MISSING_AUTHENTICATION_TOKEN": ("404", "There is no such address"),
    "REQUEST_TOO_LARGE": (
        "413",
        "Larger than API Gateway takes (10 MB): POST /projects/{project}/uploads and …/batch take it as a file",
    ),
    "THROTTLED": ("429", "Too many requests"),
    "QUOTA_EXCEEDED": ("429", "The quota of this API key is used up"),
    "INVALID_API_KEY": ("403", "The API key is missing or not known"),
    "ACCESS_DENIED": ("403", "Not allowed"),
    "UNAUTHORIZED": ("401", "Not signed"),
    "INTEGRATION_TIMEOUT": ("504", "No answer in time"),
    "INTEGRATION_FAILURE": ("504", "No answer"),
}
_DEFAULTS = {
    "DEFAULT_4XX": "The request could not be answered",
    "DEFAULT_5XX": "The request could not be answered",
}
_RETRY = {"THROTTLED": "1", "QUOTA_EXCEEDED": "3600", "INTEGRATION_TIMEOUT": "5", "INTEGRATION_FAILURE": "5"}


def responses(authorisation: str) -> dict[str, dict[str, Any]]:
    """Response type → statusCode (where it is ours to say), responseParameters, responseTemplates.

    Where callers have to sign, API Gateway says MISSING_AUTHENTICATION_TOKEN of those who do not, too: a 403.
    """
    titles = dict(_TITLES)
    if authorisation == access.IAM:
        titles["MISSING_AUTHENTICATION_TOKEN"] = ("403", "Not signed, or there is no such address")
    told = {name: _response(name, title, status) for name, (status, title) in titles.items()}
    return told | {name: _response(name, title, None) for name, title in _DEFAULTS.items()}


def _response(name: str, title: str, status: str | None) -> dict[str, Any]:
    headers = {"Content-Type": "'application/problem+json'", "X-Request-Id": "context.requestId"}
    if name in _RETRY:
        headers["Retry-After"] = f"'{_RETRY[name]}'"
    document = {"type": f"urn:penstock:problem:gateway-{name.lower().replace('_', '-')}", "title": title}
    status_member = f', "status": {status}' if status else ""
    template = (
        json.dumps(document)[:-1]
        + status_member
        + (', "detail": $context.error.messageString, "request_id": "$context.requestId", "errors": []}')
    )
    found: dict[str, Any] = {
        "responseParameters": {f"gatewayresponse.header.{one}": value for one, value in headers.items()},
        "responseTemplates": {"application/json": template},
    }
    return found | ({"statusCode": status} if status else {})


def sam(authorisation: str) -> dict[str, Any]:
    """The same for a SAM template: the property GatewayResponses of AWS::Serverless::Api."""
    return {
        name: {
            **({"StatusCode": int(one["statusCode"])} if "statusCode" in one else {}),
            "ResponseTemplates": one["responseTemplates"],
            "ResponseParameters": {
                "Headers": {key.rpartition(".")[2]: value for key, value in one["responseParameters"].items()}
            },
        }
        for name, one in responses(authorisation).items()
    }


def put(target: Target, api: str, stage: str) -> None:
    """Say them to the API, and deploy it with them: `chalice deploy` replaces the API's definition each time."""
    client = target.client("apigateway")
    for name, one in responses(access.setting(target)).items():
        client.put_gateway_response(restApiId=api, responseType=name, **one)
    client.create_deployment(restApiId=api, stageName=stage, description="with problem documents")
