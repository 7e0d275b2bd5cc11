"""`POST /restapis?mode=import` and `PUT /restapis/{id}?mode=overwrite|merge`: an API from an OpenAPI document.

Touches `ministack.services.apigateway_v1.handle_request`. `chalice deploy` creates its API with ImportRestApi and
replaces it with PutRestApi (chalice/awsclient.py: import_rest_api, update_api_from_swagger); MiniStack routes neither,
though its CloudFormation already builds APIs with `_import_rest_api`, which we use. Checked on MiniStack 1.5.33.

Beyond MiniStack's importer we keep what the document says of the API itself: binary media types (without them an
image sent through the API arrives as text), minimum compression size, endpoint type, and methods of
`x-amazon-apigateway-any-method`.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from ministack.services import apigateway_v1

from penstock.localaws.extension import pin

Response = tuple[int, dict[str, Any], bytes]
_ANY = "x-amazon-apigateway-any-method"
Handler = Callable[[str, str, dict[str, str], bytes, dict[str, Any]], Awaitable[Response]]


def install() -> None:
    """Answer imports ourselves and leave every other request to MiniStack."""
    pin.require(__name__)
    original: Handler = apigateway_v1.handle_request
    apigateway_v1._OPENAPI_HTTP_METHODS = {*apigateway_v1._OPENAPI_HTTP_METHODS, "any"}

    async def handle_request(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Response:
        mode = _first(query, "mode")
        parts = [part for part in path.split("/") if part]
        if parts[:1] == ["restapis"]:
            if (method, len(parts), mode) == ("POST", 1, "import"):
                return _import(body, query)
            if (method, len(parts)) == ("PUT", 2):
                return _put(parts[1], body, mode or "merge")
        return await original(method, path, headers, body, query)

    apigateway_v1.handle_request = handle_request


def _import(body: bytes, query: dict[str, Any]) -> Response:
    """Create an API from the document in `body`."""
    document = _document(body)
    if document is None:
        return _bad_document()
    base = _settings(document)
    kind = _first(query, "endpointConfigurationTypes")
    if kind:
        base["endpointConfiguration"] = {"types": kind.split(",")}
    api_id = apigateway_v1._import_rest_api(document, base)
    return _answer(apigateway_v1._get_rest_api(api_id), 201)


def _put(api_id: str, body: bytes, mode: str) -> Response:
    """Replace (`overwrite`) or extend (`merge`) the definition of an API; its id, stages and tags stay."""
    document = _document(body)
    if document is None:
        return _bad_document()
    api = apigateway_v1._rest_apis.get(api_id)
    if api is None:
        missing: Response = apigateway_v1._v1_error(
            "NotFoundException", "Invalid API identifier specified", 404
        )
        return missing
    if mode == "overwrite":
        _clear(api_id)
    api.update(_settings(document))
    info = document.get("info") or {}
    api["name"], api["version"] = (
        str(info.get("title", api["name"])),
        str(info.get("version", api["version"])),
    )
    schemes = apigateway_v1._import_security_schemes(api_id, document)
    for path, item in (document.get("paths") or {}).items():
        apigateway_v1._import_path_item(api_id, path, item, schemes, document.get("security"))
    return _answer(apigateway_v1._get_rest_api(api_id), 200)


def _clear(api_id: str) -> None:
    """Forget what the API had: authorizers, and resources but for an empty root."""
    resources = apigateway_v1._resources[api_id]
    root_id, root = next((key, value) for key, value in resources.items() if value.get("path") == "/")
    apigateway_v1._resources[api_id] = {root_id: {**root, "resourceMethods": {}}}
    apigateway_v1._authorizers_v1[api_id] = {}


def _settings(document: dict[str, Any]) -> dict[str, Any]:
    """What the document says of the API as a whole, under MiniStack's names."""
    found: dict[str, Any] = {}
    if "x-amazon-apigateway-binary-media-types" in document:
        found["binaryMediaTypes"] = document["x-amazon-apigateway-binary-media-types"]
    if "x-amazon-apigateway-minimum-compression-size" in document:
        found["minimumCompressionSize"] = document["x-amazon-apigateway-minimum-compression-size"]
    if "x-amazon-apigateway-policy" in document:
        found["policy"] = json.dumps(document["x-amazon-apigateway-policy"])
    description = (document.get("info") or {}).get("description")
    if description:
        found["description"] = str(description)
    return found


def _document(body: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(body)
    except ValueError:
        return None
    if not isinstance(document, dict):
        return None
    for item in (document.get("paths") or {}).values():
        if _ANY in item:
            item["any"] = item.pop(_ANY)
    return document


def _bad_document() -> Response:
    refused: Response = apigateway_v1._v1_error(
        "BadRequestException",
        "Unable to parse the API document: only JSON OpenAPI documents are accepted here",
        400,
    )
    return refused


def _answer(response: Response, status: int) -> Response:
    return (status, *response[1:]) if response[0] < 400 else response


def _first(query: dict[str, Any], name: str) -> str:
    value = query.get(name, "")
    return str(value[0]) if isinstance(value, list) and value else str(value or "")
