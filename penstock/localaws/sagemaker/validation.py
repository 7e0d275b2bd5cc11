"""Requests checked against botocore's own SageMaker model, refused in AWS's words.

The model (2 MB of JSON; 70 ms and 14 MB to load) is read at the first request, not when imported; what is kept of an
operation is compiled once. A constraint AWS states as a pattern that Python's `re` does not know is translated
(`\\p{L}` and friends) or, when that fails, not checked.
"""

import functools
import math
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import botocore.loaders

from penstock.localaws.errors import ServiceError

Params = dict[str, Any]
# Yields one text a violated constraint; arguments: the value and its path as AWS writes it.
Check = Callable[[Any, str], Iterator[str]]

_LONGEST_MATCHED = 20_000  # a longer value has broken its length already; do not let a pattern chew on it
_FIRST_MOMENT, _LAST_MOMENT = -62_135_596_800, 253_402_300_799  # epoch seconds: the years 1 and 9999
_CLASSES = {
    r"\p{L}": r"\w",
    r"\p{N}": r"\w",
    r"\p{M}": r"\w",
    r"\p{Z}": r"\s",
    r"\p{S}": r"$+<=>^`|~",
    r"\p{P}": r"\x21-\x2f\x3a-\x40\x5b-\x60\x7b-\x7e",
    r"\p{Alnum}": "a-zA-Z0-9",
}


_loading = threading.Lock()


def service() -> dict[str, Any]:
    """SageMaker's service model as botocore has it, loaded once; not to be changed."""
    with _loading:
        return _loaded()


@functools.cache
def _loaded() -> dict[str, Any]:
    model: dict[str, Any] = botocore.loaders.Loader().load_service_model("sagemaker", "service-2")
    return model


class Model:
    """The service model: which operations there are and what their input must look like."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._checks: dict[str, Check] = {}

    @property
    def _service(self) -> dict[str, Any]:
        return service()

    def operations(self) -> set[str]:
        """Every operation AWS has."""
        with self._lock:
            return set(self._service["operations"])

    def check(self, operation: str, params: Any) -> Params:
        """`params` if `operation` takes them; else raises ServiceError with AWS's code and text."""
        with self._lock:
            shape = self._service["operations"][operation]["input"]["shape"]
            check = self._check_of(shape)
        if not isinstance(params, dict):
            raise ServiceError("SerializationException", "The request body must be a JSON object.")
        faults = list(check(params, ""))
        if faults:
            noun = "validation error" if len(faults) == 1 else "validation errors"
            raise ServiceError("ValidationException", f"{len(faults)} {noun} detected: {'; '.join(faults)}")
        return params

    def _check_of(self, name: str) -> Check:
        """The check of a shape, compiled once; shapes may contain themselves, hence the indirection."""
        if name not in self._checks:
            self._checks[name] = self._later(name)
            self._checks[name] = self._compile(self._service["shapes"][name])
        return self._checks[name]

    def _later(self, name: str) -> Check:
        def check(value: Any, path: str) -> Iterator[str]:
            return self._checks[name](value, path)

        return check

    def _compile(self, shape: dict[str, Any]) -> Check:
        kind = shape["type"]
        if kind == "structure":
            return self._structure(shape)
        if kind == "list":
            return self._list(shape)
        if kind == "map":
            return self._map(shape)
        return _scalar(kind, list(_constraints(shape)))

    def _structure(self, shape: dict[str, Any]) -> Check:
        members = {name: self._check_of(member["shape"]) for name, member in shape["members"].items()}
        required = shape.get("required", [])

        def check(value: Any, path: str) -> Iterator[str]:
            _expect(value, dict, "Structure", path)
            for name in required:
                if value.get(name) is None:
                    yield f"Value null at '{_join(path, name)}' failed to satisfy constraint: Member must not be null"
            for name, item in value.items():
                if name not in members:
                    yield _unknown(path, name, members)
                elif item is not None:
                    yield from members[name](item, _join(path, name))

        return check

    def _list(self, shape: dict[str, Any]) -> Check:
        member, constraints = self._check_of(shape["member"]["shape"]), list(_constraints(shape))

        def check(value: Any, path: str) -> Iterator[str]:
            _expect(value, list, "List", path)
            yield from _faults(value, path, constraints)
            for index, item in enumerate(value, start=1):
                yield from member(item, f"{path}.{index}.member")

        return check

    def _map(self, shape: dict[str, Any]) -> Check:
        key, item_check = self._check_of(shape["key"]["shape"]), self._check_of(shape["value"]["shape"])
        constraints = list(_constraints(shape))

        def check(value: Any, path: str) -> Iterator[str]:
            _expect(value, dict, "Map", path)
            yield from _faults(value, path, constraints)
            for part, pairs in (("keys", [(k, k) for k in value]), ("value", list(value.items()))):
                inner = key if part == "keys" else item_check
                texts = [text for name, item in pairs for text in inner(item, f"{path}.{name}.member")]
                if texts:
                    yield _map_fault(value, path, part, texts)

        return check


def _unknown(path: str, name: str, members: dict[str, Check]) -> str:
    return f"Unknown parameter at '{_join(path, name)}': \"{name}\", must be one of: {', '.join(sorted(members))}"


def _map_fault(value: Any, path: str, part: str, texts: list[str]) -> str:
    """AWS shows the whole map and only what its keys or values must be."""
    wanted = list(
        dict.fromkeys(text.partition("failed to satisfy constraint: ")[2] or text for text in texts)
    )
    return (
        f"Value '{_shown(value)}' at '{path}' failed to satisfy constraint: "
        f"Map {part} must satisfy constraint: [{', '.join(wanted)}]"
    )


def _join(path: str, name: str) -> str:
    lowered = name[:1].lower() + name[1:]
    return f"{path}.{lowered}" if path else lowered


def _shown(value: Any) -> str:
    """A value as AWS prints it (Java's toString), cut where it only fills the screen."""
    return _printed(value)[:1024]


def _printed(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}={_printed(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_printed(item) for item in value) + "]"
    return str(value)


def _faults(value: Any, path: str, constraints: list[tuple[Callable[[Any], bool], str]]) -> Iterator[str]:
    for holds, text in constraints:
        if not holds(value):
            yield f"Value '{_shown(value)}' at '{path}' failed to satisfy constraint: Member must {text}"


def _constraints(shape: dict[str, Any]) -> Iterator[tuple[Callable[[Any], bool], str]]:
    """What a value of the shape must satisfy, with the words after "Member must"."""
    measure: Callable[[Any], Any] = len if shape["type"] in ("string", "list", "map", "blob") else lambda v: v
    noun = "length" if measure is len else "value"
    low, high = shape.get("min"), shape.get("max")
    if high is not None:
        yield (lambda v: measure(v) <= high), f"have {noun} less than or equal to {high}"
    if low is not None:
        yield (lambda v: measure(v) >= low), f"have {noun} greater than or equal to {low}"
    if "pattern" in shape:
        matches = _pattern(shape["pattern"])
        yield matches, f"satisfy regular expression pattern: {shape['pattern']}"
    if "enum" in shape:
        allowed = set(shape["enum"])
        yield (lambda v: v in allowed), f"satisfy enum value set: [{', '.join(shape['enum'])}]"


@functools.cache
def _pattern(pattern: str) -> Callable[[Any], bool]:
    translated = pattern
    for java, python in _CLASSES.items():
        translated = translated.replace(java, python)
    try:
        compiled = re.compile(translated)
    except re.error:
        return lambda _value: True
    return lambda value: len(value) > _LONGEST_MATCHED or compiled.fullmatch(value) is not None


def _scalar(kind: str, constraints: list[tuple[Callable[[Any], bool], str]]) -> Check:
    types, named = _TYPES[kind]

    def check(value: Any, path: str) -> Iterator[str]:
        _expect(value, types, named, path)
        yield from _faults(value, path, constraints)

    return check


_TYPES: dict[str, tuple[Any, str]] = {
    "string": (str, "String"),
    "integer": (int, "Integer"),
    "long": (int, "Long"),
    "float": ((int, float), "Float"),
    "double": ((int, float), "Double"),
    "boolean": (bool, "Boolean"),
    "timestamp": ((int, float), "Timestamp"),
    "blob": (str, "Blob"),
}


def _is_moment(value: Any, named: str) -> bool:
    return named != "Timestamp" or _FIRST_MOMENT <= value <= _LAST_MOMENT


_JSON_TYPES: dict[type, str] = {
    str: "STRING_VALUE",
    bool: "TRUE_VALUE",
    int: "NUMBER_VALUE",
    float: "DECIMAL_VALUE",
    list: "START_ARRAY",
    dict: "START_OBJECT",
}


def _expect(value: Any, types: Any, named: str, path: str) -> None:
    """Refuse a value of another JSON type, as the service's parser does before it validates.

    So is a number that is none (NaN, 1e999), and a time outside the years 1 to 9999.
    """
    right = isinstance(value, types) and (named == "Boolean" or not isinstance(value, bool))
    if right and (not isinstance(value, float) or math.isfinite(value)) and _is_moment(value, named):
        return
    given = _JSON_TYPES.get(type(value), "NULL_VALUE")
    where = f" (at '{path}')" if path else ""
    raise ServiceError("SerializationException", f"{given} can not be converted to {named}{where}")
