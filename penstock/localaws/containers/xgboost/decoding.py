"""Bodies of requests as a DMatrix, as the image reads them."""

import csv
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xgboost

from penstock.localaws.containers.xgboost.channels import CSV, LIBSVM, RECORDIO, data_format

_SNIFFED = 512  # characters of the first line from which the delimiter is guessed


class Unreadable(Exception):
    """The body, or its content type, cannot be read: status 415; the message is the image's own."""


def matrix(body: bytes, content_type: str | None) -> Any:
    """The rows of a body; raises Unreadable or, for an unknown content type, errors.UserError."""
    form = data_format(content_type)
    reader = _READERS.get(form)
    if reader is None:
        raise Unreadable(f"Content-type {content_type} is not supported.")
    try:
        return xgboost.DMatrix(reader(body), nthread=1)
    except Exception as error:
        raise Unreadable(
            f"Loading {form} data failed with Exception, please ensure data is in {form} format:\n "
            f"{type(error)}\n {error}"
        ) from error


def csv_rows(body: bytes) -> Any:
    """Rows of numbers, with whatever delimiter the first one has; an empty cell is a missing value."""
    lines = body.strip().decode("utf-8").split("\n")
    delimiter = csv.Sniffer().sniff(lines[0][:_SNIFFED]).delimiter
    if delimiter.isalnum():
        delimiter = ","
    return np.array(
        [["nan" if cell == "" else cell for cell in line.split(delimiter)] for line in lines], float
    )


def libsvm_rows(body: bytes) -> Any:
    """Rows of `<index>:<value>`, with a label or without; indices that begin at 1 are moved to 0."""
    from scipy.sparse import csr_matrix  # noqa: PLC0415 - most requests are CSV

    rows: list[int] = []
    columns: list[int] = []
    values: list[float] = []
    for number, line in enumerate(body.strip().decode("utf-8").split("\n")):
        for item in line.split(" "):
            if ":" in item:
                index, value = item.split(":")[:2]
                rows.append(number)
                columns.append(int(index))
                values.append(float(value))
    shift = 1 if columns and min(columns) >= 1 else 0
    return csr_matrix((values, (rows, np.array(columns, dtype=int) - shift)))


def recordio_rows(body: bytes) -> Any:
    """Rows of RecordIO-protobuf; labels are not needed."""
    from penstock.localaws.containers.xgboost import recordio  # noqa: PLC0415 - rarely wanted

    return recordio.read(body)[0]


_READERS: Mapping[str, Callable[[bytes], Any]] = {
    CSV: csv_rows,
    LIBSVM: libsvm_rows,
    RECORDIO: recordio_rows,
}
