"""What the scikit-learn image does where the user's module has no function of its own: CSV, JSON, NPY to float32.

As there, a type it cannot read or write ends as 500: it asks for an input_fn or output_fn. NPY is read without pickle.
"""

import csv
import io
from typing import Any

import numpy as np

from serving import codec
from serving.errors import RequestError

READABLE = (codec.JSON, codec.CSV, codec.NPY)


class UnsupportedFormatError(Exception):
    """A content type the image's defaults do not know; the message is the image's own."""

    def __init__(self, content_type: str) -> None:
        super().__init__(
            f"Content type {content_type} is not supported by this framework. Please implement input_fn to "
            "deserialize the request data or an output_fn to serialize the response. For more information, see the "
            "SageMaker Python SDK README."
        )


def input_fn(body: str | bytes, content_type: str) -> Any:
    """The body as an array of rows, float32 unless it is NPY."""
    base = codec.base_type(content_type)
    if base not in READABLE:
        raise UnsupportedFormatError(content_type)
    array = from_csv(body) if base == codec.CSV else _decoded(body, content_type)
    if array.ndim == 1:
        array = array.reshape(1, -1)
    return array if base == codec.NPY else array.astype(np.float32)


def output_fn(prediction: Any, accept: str) -> tuple[str | bytes, str]:
    """The prediction as JSON, CSV or NPY: the first of these in `accept`."""
    try:
        return codec.encode(prediction, accept)
    except RequestError:
        raise UnsupportedFormatError(accept) from None


def from_csv(body: str | bytes) -> Any:
    """Rows of numbers; every one must be one."""
    text = body if isinstance(body, str) else body.decode()
    return np.array(list(csv.reader(io.StringIO(text), strict=True))).astype(float)


def _decoded(body: str | bytes, content_type: str) -> Any:
    try:
        return np.asarray(codec.decode(body, content_type))
    except RequestError as error:
        raise ValueError(str(error)) from error  # 500, as in the image
