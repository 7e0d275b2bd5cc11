"""Content types: bodies to arrays and arrays to bodies, as the toolkit's default input_fn and output_fn do.

Difference on purpose: .npy and .npz are read with allow_pickle=False, since a pickle from a client is code.
"""

import io
import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from serving.errors import RequestError

JSON, CSV, NPY, NPZ = "application/json", "text/csv", "application/x-npy", "application/x-npz"
ANY = {"", "*/*", "application/*"}


@lru_cache(256)
def base_type(content_type: str) -> str:
    """Return a content type without parameters, in lower case: 'Text/CSV; charset=utf-8' is 'text/csv'."""
    return content_type.partition(";")[0].strip().lower()


def as_text(body: bytes, content_type: str) -> str | bytes:
    """Return JSON and CSV bodies as str (the handlers' contract), any other as it came."""
    if base_type(content_type) not in (JSON, CSV):
        return body
    charset = _parameter(content_type, "charset") or "utf-8"
    try:
        return body.decode(charset)
    except LookupError:
        raise RequestError(415, f"Charset {charset!r} is not known. Send utf-8.") from None
    except UnicodeDecodeError as error:
        raise RequestError(400, f"The body is not {charset}: byte {error.start} cannot be read.") from None


def _parameter(content_type: str, name: str) -> str | None:
    for part in content_type.split(";")[1:]:
        key, _, value = part.partition("=")
        if key.strip().lower() == name:
            return value.strip().strip('"')
    return None


def decode(data: str | bytes, content_type: str) -> Any:
    """Return the body as an array; raise RequestError 415 for an unknown type, 400 for an unreadable body."""
    reader = _READERS.get(base_type(content_type))
    if reader is None:
        raise RequestError(
            415, f"Content type {content_type} is not supported. Send one of {', '.join(_READERS)}."
        )
    try:
        return reader(data)
    except (ValueError, TypeError, OSError, KeyError, EOFError) as error:
        raise RequestError(400, f"The body is not valid {base_type(content_type)}: {error}") from error


def encode(prediction: Any, accept: str) -> tuple[str | bytes, str]:
    """Return (body, content type) in the first type of `accept` we can write; raise RequestError 406."""
    for wanted in map(base_type, accept.split(",")):
        writer = _WRITERS.get(JSON if wanted in ANY else wanted)
        if writer is not None:
            return writer(prediction), JSON if wanted in ANY else wanted
    raise RequestError(406, f"Accept {accept} is not supported. Accept one of {', '.join(_WRITERS)}.")


def _read_json(data: str | bytes) -> Any:
    return np.array(json.loads(data))


def _read_csv(data: str | bytes) -> Any:
    text = data if isinstance(data, str) else data.decode()
    return np.genfromtxt(io.StringIO(text), delimiter=",")


def _read_npy(data: str | bytes) -> Any:
    return np.load(io.BytesIO(_raw(data)), allow_pickle=False)


def _read_npz(data: str | bytes) -> Any:
    with np.load(io.BytesIO(_raw(data)), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _raw(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data


def _write_json(prediction: Any) -> str:
    return json.dumps(prediction, default=_plain)


def _plain(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON; return lists, numbers and strings")


def _write_csv(prediction: Any) -> str:
    out = io.StringIO()
    np.savetxt(out, np.atleast_1d(np.asarray(prediction)), delimiter=",", fmt="%s")
    return out.getvalue()


def _write_npy(prediction: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, np.asarray(prediction), allow_pickle=False)
    return out.getvalue()


_READERS: dict[str, Callable[[str | bytes], Any]] = {
    JSON: _read_json,
    CSV: _read_csv,
    NPY: _read_npy,
    NPZ: _read_npz,
}
_WRITERS: dict[str, Callable[[Any], str | bytes]] = {JSON: _write_json, CSV: _write_csv, NPY: _write_npy}
