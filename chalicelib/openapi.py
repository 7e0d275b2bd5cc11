"""The API described in OpenAPI 3.1, made from the app's own routes: a route that is not told of here is a bug."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib import resources
from typing import Any, NamedTuple

from chalicelib.domain import limits
from chalicelib.domain.project import NAME

Schema = Mapping[str, Any]
JSON, CSV, PROBLEM = "application/json", "text/csv", "application/problem+json"
_METHODS = ("GET", "PUT", "POST", "DELETE")
_RECORD: Schema = {
    "type": "object",
    "description": "A flat object, column: value. GET /projects/{project}/schema says what a model takes.",
}
_WEIGHT: Schema = {"type": "number", "minimum": 0, "maximum": 1000}


class Told(NamedTuple):
    """What a route's code does not say of itself: the body's schema, other types it takes, its query, its success."""

    body: Schema | None = None
    also: tuple[str, ...] = ()
    query: Mapping[str, Schema] = {}
    status: int = 200


_ROWS: Schema = {
    "description": '{"instances": [record, …]}, {"text": "…"} or one record.',
    "oneOf": [
        {
            "type": "object",
            "required": ["instances"],
            "properties": {
                "instances": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": limits.INSTANCES,
                    "items": {"$ref": "#/components/schemas/Record"},
                }
            },
        },
        {"allOf": [{"$ref": "#/components/schemas/Record"}, {"not": {"required": ["instances"]}}]},
    ],
}
_KEY: Schema = {"type": "object", "required": ["key"], "additionalProperties": False,
                "properties": {"key": {"type": "string", "minLength": 1}}}  # fmt: skip
_MANY: Schema = {  # of a batch each row is judged by itself
    "type": "object",
    "required": ["instances"],
    "properties": {"instances": {"type": "array", "minItems": 1, "maxItems": limits.INSTANCES}},
}
_LONE: Schema = {"type": "object", "not": {"required": ["instances"]}}
_UPLOAD: Schema = {
    "type": "object",
    "required": ["name", "size"],
    "additionalProperties": False,
    "properties": {
        "name": {
            "type": "string",
            "minLength": 1,
            "maxLength": 700,
            "pattern": r"^[A-Za-z0-9][A-Za-z0-9 ._-]*(/[A-Za-z0-9][A-Za-z0-9 ._-]*)*$",
        },
        "size": {"type": "integer", "minimum": 1, "maximum": 5 * 1024**3},
        "content_type": {"type": ["string", "null"], "maxLength": 127, "pattern": "^[a-z]+/[a-z0-9.+-]+$"},
        "folder": {"enum": ["", "score", None]},
    },
}
_SHARE: Schema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "variants": {"type": "object", "maxProperties": 10, "additionalProperties": _WEIGHT},
        "shadow": {
            "type": ["object", "null"],
            "required": ["model"],
            "properties": {
                "model": {"type": "string"},
                "sample": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
            },
        },
    },
}
_FEEDBACK: Schema = {
    "type": "object",
    "required": ["inference_id", "truth"],
    "additionalProperties": False,
    "properties": {
        "inference_id": {"type": "string", "minLength": 1, "maxLength": 64},
        "truth": {"type": ["string", "number"]},
        "model": {"type": ["string", "null"], "minLength": 1, "maxLength": 63},
    },
}
_ERASE: Schema = {
    "type": "object",
    "required": ["keys"],
    "additionalProperties": False,
    "properties": {
        "keys": {"type": "array", "minItems": 1, "maxItems": 1000},
        "dry_run": {"type": "boolean"},
    },
}
_ASK: Mapping[str, Schema] = {
    "probabilities": {"type": "boolean"},
    "caller": {"type": "string", "maxLength": 256},
}
_PREDICT = Told(_ROWS, (CSV,), _ASK)
TOLD: Mapping[str, Told] = {
    "healthz": Told(),
    "describe_api": Told(),
    "list_projects": Told(),
    "show_project": Told(),
    "define_project": Told({"$ref": "#/components/schemas/Project"}),
    "link_upload": Told(_UPLOAD, status=201),
    "list_objects": Told(
        query={
            "key": {"type": "string"},
            "limit": {"type": "integer", "minimum": 1, "maximum": 500},
            "after": {"type": "string", "maxLength": 1000},
            "counts": {"type": "boolean"},
        }
    ),
    "list_runs": Told(query={"after": {"type": "string", "maxLength": 250}}),
    "start_run": Told(status=202),
    "show_run": Told(),
    "list_models": Told(),
    "show_endpoint": Told(),
    "share_endpoint": Told(_SHARE, status=202),
    "remove_endpoint": Told(),
    "show_schema": Told(),
    "list_erasures": Told(),
    "erase_records": Told(_ERASE, status=202),
    "show_erasure": Told(),
    "erase_record": Told(status=202),
    "predict_with": _PREDICT,
    "predict_with_only": _PREDICT,
    "tell_truth": Told(_FEEDBACK, status=201),
    "accept_batch": Told({"anyOf": [_KEY, _MANY, _LONE]}, (CSV,), status=202),
    "list_batches": Told(query={"after": {"type": "string", "maxLength": 250}}),
    "show_batch": Told(),
}
_HEADERS: Mapping[str, Schema] = {
    "X-Penstock-Caller": {"type": "string", "pattern": "^[!-~]{1,256}$"},
    "X-Penstock-Variant": {"type": "string", "maxLength": 63},
}


def described(app: Any) -> dict[str, Any]:
    """The whole document. `app` is the Chalice app; its routes, their words and types are read from it."""
    project, definitions = _project_schema()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Penstock",
            "version": "1",
            "description": "Every error is a problem document (RFC 9457).",
        },
        "servers": [{"url": "."}],
        "paths": {path: _path(path, methods) for path, methods in app.routes.items()},
        "components": {
            "schemas": {"Record": _RECORD, "Problem": _PROBLEM, "Project": project, **definitions},
            "responses": {
                "Problem": {"description": "A problem", "content": {PROBLEM: {"schema": _ref("Problem")}}}
            },
        },
    }


_PROBLEM: Schema = {
    "type": "object",
    "required": ["type", "title"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "instance": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["where", "problem"],
                "properties": {"where": {"type": "string"}, "problem": {"type": "string"}},
            },
        },
    },
}


def _path(path: str, methods: Mapping[str, Any]) -> dict[str, Any]:
    told = {method: methods[method] for method in _METHODS if method in methods}
    item: dict[str, Any] = {method.lower(): _operation(route) for method, route in told.items()}
    names = re.findall(r"{(\w+)}", path)
    if names:
        item["parameters"] = [_parameter(name, "path", _named(name), required=True) for name in names]
    return item


def _named(name: str) -> Schema:
    return (
        {"type": "string", "pattern": NAME.pattern}
        if name == "project"
        else {"type": "string", "minLength": 1}
    )


def _operation(route: Any) -> dict[str, Any]:
    name = route.view_name
    told = TOLD[name]
    parameters = [_parameter(one, "query", schema) for one, schema in told.query.items()]
    if told is _PREDICT:
        parameters += [_parameter(one, "header", schema) for one, schema in _HEADERS.items()]
    operation: dict[str, Any] = {
        "operationId": name,
        "summary": (route.view_function.__doc__ or "").strip(),
        "parameters": parameters,
        "responses": {
            str(told.status): {
                "description": "Done",
                "content": _content({}, told.also if told is _PREDICT else ()),
            },
            "4XX": {"$ref": "#/components/responses/Problem"},
            "5XX": {"$ref": "#/components/responses/Problem"},
        },
    }
    if told.body is not None:
        operation["requestBody"] = {"required": True, "content": _content(told.body, told.also)}
    return operation


def _content(schema: Schema, also: tuple[str, ...]) -> dict[str, Any]:
    return {JSON: {"schema": schema}} | {kind: {"schema": {"minLength": 1}} for kind in also}


def _parameter(name: str, where: str, schema: Schema, *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": where, "required": required, "schema": schema}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _project_schema() -> tuple[Schema, dict[str, Schema]]:
    """The contract of a project's spec, its definitions beside it."""
    text = resources.files("chalicelib").joinpath("contracts/project.schema.json").read_text("utf-8")
    schema = json.loads(text.replace("#/$defs/", "#/components/schemas/"))
    definitions = schema.pop("$defs", {})
    return {name: value for name, value in schema.items() if not name.startswith("$")}, definitions
