"""RecordIO-protobuf, SageMaker's own format for rows of numbers, read and written without the protobuf library.

file   = (magic, length, record, padding to 4 bytes)*
Record = {features: map<string, Value> = 1, label: map<string, Value> = 2}
Value  = {float32_tensor = 2 | float64_tensor = 3 | int32_tensor = 7}
tensor = {values = 1, keys: uint64* = 2, shape: uint64* = 3}, all packed; keys make it a sparse row
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

_MAGIC = 0xCED7230A
_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5
_FEATURES, _LABEL, _ENTRY_NAME, _ENTRY_VALUE = 1, 2, 1, 2
_NUMBERS: Mapping[int, Any] = {
    2: "<f4",
    3: "<f8",
}  # the field in Value → its values' type; 7 is whole numbers
_WHOLE = 7
_VALUES, _KEYS, _SHAPE = 1, 2, 3


@dataclass(frozen=True)
class _Tensor:
    values: Any
    keys: Any
    shape: Any


def read(content: bytes) -> tuple[Any, Any]:
    """The rows (a dense array, or a sparse matrix) and their labels, None without; raises ValueError."""
    records = [_record(body) for body in _frames(content)]
    tensors = [features for features, _ in records if features is not None]
    if not tensors:
        raise ValueError("No records found in RecordIO-Protobuf data")
    found = [label.values for features, label in records if features is not None and label is not None]
    labels = np.concatenate(found, axis=None) if found else None
    if any(len(one.keys) or not len(one.values) for one in tensors):
        return sparse.vstack([_sparse_row(one) for one in tensors]).tocsr(), labels
    return np.vstack([one.values for one in tensors]), labels


def write(rows: Sequence[Mapping[str, Sequence[float]]]) -> bytes:
    """One record a row, its members as float32 tensors below `label`."""
    out = bytearray()
    for row in rows:
        record = bytearray()
        for name, values in row.items():
            tensor = _field(_VALUES, np.asarray(values, dtype="<f4").tobytes())
            entry = _field(_ENTRY_NAME, name.encode()) + _field(_ENTRY_VALUE, _field(2, tensor))
            record += _field(_LABEL, entry)
        out += struct.pack("<II", _MAGIC, len(record)) + record + bytes(-len(record) % 4)
    return bytes(out)


def _frames(content: bytes) -> Iterator[bytes]:
    at = 0
    while at + 8 <= len(content):
        magic, length = struct.unpack_from("<II", content, at)
        if magic != _MAGIC:
            raise ValueError(f"Invalid RecordIO magic at offset {at}")
        at += 8
        if at + length > len(content):
            raise ValueError(f"Truncated record at offset {at}")
        yield content[at : at + length]
        at += length + -length % 4


def _record(body: bytes) -> tuple[_Tensor | None, _Tensor | None]:
    found: dict[int, _Tensor] = {}
    for number, kind, entry in _fields(body):
        if number in (_FEATURES, _LABEL) and kind == _LENGTH:
            pair = {key: value for key, _, value in _fields(entry)}
            if pair.get(_ENTRY_NAME) == b"values":
                found[number] = _value(pair.get(_ENTRY_VALUE, b""))
    return found.get(_FEATURES), found.get(_LABEL)


def _value(body: bytes) -> _Tensor:
    for number, kind, content in _fields(body):
        if kind == _LENGTH and (number in _NUMBERS or number == _WHOLE):
            return _tensor(content, number)
    raise ValueError("A record has no float32, float64 or int32 tensor")


def _tensor(body: bytes, value_field: int) -> _Tensor:
    parts: dict[int, list[Any]] = {_VALUES: [], _KEYS: [], _SHAPE: []}
    for number, kind, content in _fields(body):
        if number == _VALUES and value_field != _WHOLE:
            parts[number].extend(np.frombuffer(content, dtype=_NUMBERS[value_field]))
        elif number in parts:
            parts[number].extend(_varints(content) if kind == _LENGTH else [content])
    values = [_signed(value) for value in parts[_VALUES]] if value_field == _WHOLE else parts[_VALUES]
    return _Tensor(np.asarray(values), parts[_KEYS], parts[_SHAPE])


def _sparse_row(tensor: _Tensor) -> Any:
    columns = np.asarray(tensor.keys if len(tensor.keys) else range(len(tensor.values)), dtype=np.int64)
    width = int(tensor.shape[0]) if tensor.shape else int(max(columns, default=0)) + 1
    return sparse.csr_matrix((tensor.values, columns, [0, len(columns)]), shape=(1, width))


def _fields(body: bytes) -> Iterator[tuple[int, int, Any]]:
    """Field number, wire type and content of each field of a message."""
    at = 0
    while at < len(body):
        tag, at = _varint(body, at)
        kind = tag & 7
        if kind == _VARINT:
            content, at = _varint(body, at)
            yield tag >> 3, kind, content
            continue
        if kind == _LENGTH:
            length, at = _varint(body, at)
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            length = 8 if kind == _EIGHT_BYTES else 4
        else:
            raise ValueError(f"A record has a field of wire type {kind}")
        if at + length > len(body):
            raise ValueError("A record ends in the middle of a field")
        yield tag >> 3, kind, body[at : at + length]
        at += length


def _varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(body) and shift < 64:
        value |= (body[at] & 127) << shift
        at += 1
        if body[at - 1] < 128:
            return value, at
        shift += 7
    raise ValueError("A record ends in the middle of a number")


def _varints(body: bytes) -> list[int]:
    numbers, at = [], 0
    while at < len(body):
        number, at = _varint(body, at)
        numbers.append(number)
    return numbers


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _field(number: int, content: bytes) -> bytes:
    return _number(number << 3 | _LENGTH) + _number(len(content)) + content


def _number(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])
