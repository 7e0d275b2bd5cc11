"""How Step Functions' optimised integrations show AWS answers: field check on the way in, epoch milliseconds out."""

import functools
from datetime import datetime
from typing import Any

import botocore.session
from botocore.model import ListShape, MapShape, Shape, StructureShape


class UnsupportedField(Exception):
    """A parameter that the API does not have; `field` is its path."""

    def __init__(self, field: str) -> None:
        super().__init__(f'The field "{field}" is not supported by Step Functions')
        self.field = field


@functools.cache
def _service(name: str) -> Any:
    return botocore.session.get_session().get_service_model(name)


def check_fields(service: str, operation: str, parameters: Any) -> None:
    """Raise UnsupportedField for the first parameter that `operation` does not know."""
    _check(_service(service).operation_model(operation).input_shape, parameters, "")


def _check(shape: Shape, value: Any, path: str) -> None:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        for name, item in value.items():
            if name not in shape.members:
                raise UnsupportedField(path + name)
            _check(shape.members[name], item, f"{path}{name}.")
    elif isinstance(shape, ListShape) and isinstance(value, list):
        for item in value:
            _check(shape.member, item, path)
    elif isinstance(shape, MapShape) and isinstance(value, dict):
        for item in value.values():
            _check(shape.value, item, path)


def in_epoch_milliseconds(service: str, shape_name: str, answer: Any) -> Any:
    """`answer` (shaped as `shape_name`) with its timestamps (datetimes or epoch seconds) as epoch milliseconds."""
    return _convert(_service(service).shape_for(shape_name), answer)


def output_shape(service: str, operation: str) -> str:
    """The name of an operation's output shape."""
    return str(_service(service).operation_model(operation).output_shape.name)


def _convert(shape: Shape | None, value: Any) -> Any:
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        return {
            name: _convert(shape.members.get(name), item) for name, item in value.items() if item is not None
        }
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_convert(shape.member, item) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _convert(shape.value, item) for key, item in value.items()}
    if shape is not None and shape.type_name == "timestamp":
        return _milliseconds(value)
    return value


def _milliseconds(value: Any) -> Any:
    if isinstance(value, datetime):
        return int(value.timestamp() * 1000)
    if isinstance(value, str):
        return int(datetime.fromisoformat(value).timestamp() * 1000)
    return int(value * 1000)
