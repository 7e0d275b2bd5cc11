"""The channels of a training job: which there may be, and how their ContentType is read."""

from collections.abc import Mapping
from typing import Any

from penstock.localaws.containers.xgboost.errors import UserError

CSV, LIBSVM, PARQUET, RECORDIO = "csv", "libsvm", "parquet", "recordio-protobuf"
_FORMATS = {
    CSV: CSV,
    LIBSVM: LIBSVM,
    PARQUET: PARQUET,
    RECORDIO: RECORDIO,
    "text/csv": CSV,
    "text/libsvm": LIBSVM,
    "text/x-libsvm": LIBSVM,
    "application/x-parquet": PARQUET,
    "application/x-recordio-protobuf": RECORDIO,
}
_DEFAULT = "text/libsvm"
_MODES = ("File", "FastFile", "Pipe")
_DISTRIBUTIONS = ("FullyReplicated", "ShardedByS3Key")
_REQUIRED, _OPTIONAL, _CODE = "train", "validation", "code"


def data_format(content_type: str | None) -> str:
    """`csv`, `libsvm`, `parquet` or `recordio-protobuf` (libsvm for None); raises UserError for any other type."""
    if content_type is None:
        return LIBSVM
    base, parameters = parse_header(content_type.lower())
    if base not in _FORMATS:
        accepted = ", ".join(_FORMATS)
        raise UserError(f"{content_type} is not an accepted ContentType: {accepted}.")
    if _FORMATS[base] == CSV and parameters.get("label_size", "1") != "1":
        raise UserError(
            f"{content_type} is not an accepted csv ContentType. "
            "Optional parameter label_size must be equal to 1"
        )
    return _FORMATS[base]


def parse_header(text: str) -> tuple[str, dict[str, str]]:
    """A header's value and its parameters (names in lower case): 'text/csv; label_size=1'."""
    first, *rest = text.split(";")
    pairs = (part.partition("=") for part in rest if "=" in part)
    return first.strip(), {name.strip().lower(): value.strip().strip('"') for name, _, value in pairs}


def validate(given: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The channels of inputdataconfig.json with their ContentType filled in; raises UserError."""
    if _REQUIRED not in given:
        raise UserError(f"Missing required channel: {_REQUIRED}")
    validated = {}
    for name, config in given.items():
        if name not in (_REQUIRED, _OPTIONAL, _CODE):
            raise UserError(f"Extraneous channel found: {name}")
        filled = {"ContentType": _DEFAULT, **config}
        if not (_code_is_supported(filled) if name == _CODE else _data_is_supported(filled)):
            raise UserError(f"Channel configuration for '{name}' channel is not supported: {filled}")
        validated[name] = filled
    return validated


def _data_is_supported(config: Mapping[str, Any]) -> bool:
    form = _FORMATS.get(parse_header(config["ContentType"].lower())[0])
    if form is None or (form == LIBSVM and config.get("TrainingInputMode") == "Pipe"):
        return False
    return config.get("TrainingInputMode") in _MODES and _distributed(config) in _DISTRIBUTIONS


def _code_is_supported(config: Mapping[str, Any]) -> bool:
    wanted = (config["ContentType"], config.get("TrainingInputMode"), _distributed(config))
    return wanted == ("text/python", "File", "FullyReplicated")


def _distributed(config: Mapping[str, Any]) -> str:
    return str(config.get("S3DistributionType", "FullyReplicated"))
