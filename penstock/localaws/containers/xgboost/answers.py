"""Predictions as bodies of answers: text/csv (the default), application/json, jsonlines and RecordIO-protobuf."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.localaws.containers.xgboost.channels import parse_header

CSV, JSON, JSONLINES = "text/csv", "application/json", "application/jsonlines"
RECORDIO = "application/x-recordio-protobuf"
ACCEPTS = [JSON, JSONLINES, RECORDIO, CSV]


class Unacceptable(Exception):
    """The wanted type of the answer is none of ours: status 406; the message is the image's own."""


def accepted(header: str, default: str) -> str:
    """The type to answer in; raises Unacceptable."""
    wanted = parse_header(header)[0]
    if not wanted or wanted == "*/*":
        return default
    if wanted.lower() not in ACCEPTS:
        raise Unacceptable(
            f"Accept type {wanted} is not supported. Please use supported accept types: {ACCEPTS}."
        )
    return wanted.lower()


def on_one_line(image: str) -> bool:
    """Whether an image, by its address, answers CSV with commas and no line ends: those before 1.5-1 do."""
    repository, _, tag = image.rpartition("/")[2].partition(":")
    version = re.match(r"([0-9]+)\.([0-9]+)", tag)
    old = version is not None and (int(version[1]), int(version[2])) < (1, 5)
    return repository == "xgboost" or (repository == "sagemaker-xgboost" and old)


def plain(predictions: Sequence[Any], accept: str, *, one_line: bool = False) -> str | bytes:
    """What a model says when nothing is selected: scores, or a list of them for each row."""
    if accept == CSV and one_line:
        return ",".join(map(str, predictions))
    if accept == CSV:
        rows = (one if isinstance(one, list) else [one] for one in predictions)
        return "".join(",".join(map(str, row)) + "\n" for row in rows)
    return _objects([{"score": one} for one in predictions], accept)


def batch(predictions: Sequence[Any]) -> str:
    """What batch transform gets, whatever it accepts: one prediction a line, lists as Python writes them."""
    return "\n".join(map(str, predictions)) + "\n"


def selected(
    objects: Sequence[Mapping[str, Any]], keys: Sequence[str], accept: str, in_batch: bool
) -> str | bytes:
    """Selected sides of each prediction; CSV has them in the order of the keys, lists in quotes."""
    if accept != CSV:
        return _objects(objects, accept)
    lines = [",".join(_cell(one[key]) for key in keys) for one in objects]
    return "\n".join(lines) + ("\n" if in_batch else "")


def _objects(objects: Sequence[Mapping[str, Any]], accept: str) -> str | bytes:
    if accept == JSON:
        return json.dumps({"predictions": objects})
    if accept == JSONLINES:
        return "".join(json.dumps(one) + "\n" for one in objects)
    from penstock.localaws.containers.xgboost import recordio  # noqa: PLC0415 - rarely wanted

    return recordio.write([{k: v if isinstance(v, list) else [v] for k, v in one.items()} for one in objects])


def _cell(value: Any) -> str:
    return f'"{value}"' if isinstance(value, list) else str(value)
