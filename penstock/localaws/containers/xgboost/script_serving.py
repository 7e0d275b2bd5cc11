"""What the image does in script mode where the user's module has no function of its own: rows to a DMatrix and back.

As there, there is no default model_fn, and a type it cannot read or write ends as 500.
"""

import io
import json
from typing import Any

import numpy as np

from penstock.localaws.containers.xgboost import decoding

_READABLE = ("text/csv", "text/libsvm", "text/x-libsvm", "application/x-recordio-protobuf")


class UnsupportedFormatError(Exception):
    """A content type the image does not know here; the message is the image's own."""

    def __init__(self, content_type: str) -> None:
        super().__init__(
            f"Content type {content_type} is not supported by this framework. Please implement input_fn to "
            "deserialize the request data or an output_fn to serialize the response. For more information, see the "
            "SageMaker Python SDK README."
        )


def input_fn(body: str | bytes, content_type: str) -> Any:
    """The body as a DMatrix."""
    if content_type.partition(";")[0].strip().lower() not in _READABLE:
        raise UnsupportedFormatError(content_type)
    return decoding.matrix(body.encode() if isinstance(body, str) else body, content_type)


def predict_fn(data: Any, model: Any) -> Any:
    """The prediction of a Booster."""
    return model.predict(data, validate_features=False)


def output_fn(prediction: Any, accept: str) -> tuple[str | bytes, str]:
    """The prediction as JSON, CSV or NPY."""
    array = np.asarray(prediction)
    if accept == "application/json":
        return json.dumps(array.tolist()), accept
    out = io.BytesIO()
    if accept == "text/csv":
        np.savetxt(out, np.atleast_1d(array), delimiter=",", fmt="%s")
    elif accept == "application/x-npy":
        np.save(out, array, allow_pickle=False)
    else:
        raise UnsupportedFormatError(accept)
    return out.getvalue(), accept
