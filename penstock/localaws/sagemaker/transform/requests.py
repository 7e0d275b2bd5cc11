"""What the service model does not say about CreateTransformJob: what AWS refuses besides."""

from collections.abc import Callable, Mapping
from typing import Any

from penstock.localaws.errors import ServiceError
from penstock.localaws.sagemaker.hosting import models
from penstock.localaws.sagemaker.names import split_s3
from penstock.localaws.sagemaker.plane import Plane
from penstock.localaws.sagemaker.transform import inputs
from penstock.localaws.sagemaker.transform.association import CSV, FORMATS, media_type
from penstock.localaws.sagemaker.transform.jsonpath import Invalid, parse
from penstock.localaws.sagemaker.transform.parameters import MOST_MB

Params = Mapping[str, Any]
FILTERS = ("InputFilter", "OutputFilter")
_OPERATORS = ("$", "[", "]", "*", ".", " ", ",", ":", "-", "'")
_NAMING = (".", "'")  # what names a member: a CSV row has none


def check(plane: Plane, params: Params) -> None:
    """Raise ServiceError for a job AWS would refuse at once."""
    _check_model(models.container_of(plane, params["ModelName"]))
    _check_sizes(params)
    _check_processing(params)
    _check_capture(params)
    _check_source(plane, params["TransformInput"]["DataSource"]["S3DataSource"])
    _s3(params["TransformOutput"]["S3OutputPath"])


def processing(params: Params) -> dict[str, str]:
    """DataProcessing with its defaults."""
    return {"InputFilter": "$", "OutputFilter": "$", "JoinSource": "None", **params.get("DataProcessing", {})}


def _check_model(container: Params) -> None:
    if "ModelDataSource" in container:
        raise _invalid(
            "SageMaker Batch currently doesn't support Model entity with container definitions which use "
            "ModelDataSource attribute"
        )
    if container.get("Mode", "SingleModel") != "SingleModel":
        raise _invalid("Batch transform does not support models with a container in MultiModel mode.")


def _check_sizes(params: Params) -> None:
    payload, concurrency = params.get("MaxPayloadInMB", 0), params.get("MaxConcurrentTransforms", 0)
    if payload > MOST_MB:
        raise _invalid(
            f"1 validation error detected: Value '{payload}' at 'maxPayloadInMB' failed to satisfy constraint: "
            f"Member must have value less than or equal to {MOST_MB}"
        )
    if payload * concurrency > MOST_MB:
        raise _invalid(
            f"MaxConcurrentTransforms * MaxPayloadInMB cannot exceed {MOST_MB} MB: "
            f"{concurrency} * {payload} is {concurrency * payload}."
        )


def _check_processing(params: Params) -> None:
    """Filters and join look into records: both sides must be of one format, split and assembled alike."""
    wanted = processing(params)
    source, target = params["TransformInput"], params["TransformOutput"]
    kind = media_type(source.get("ContentType", ""))
    looked_into = [name for name in FILTERS if wanted[name].strip() not in ("", "$")]
    if wanted["JoinSource"] == "Input":
        looked_into.append("JoinSource")
    for name in looked_into:
        _format(name, "ContentType", kind)
        if name in FILTERS:
            _filter(name, wanted[name], kind)
        _split(name, source.get("SplitType", "None"), kind)
    if set(looked_into) - {"InputFilter"}:
        _check_sides(looked_into[-1], kind, source, target)


def _split(name: str, split: str, kind: str) -> None:
    allowed = ("Line",) if kind == CSV else ("Line", "None")
    _must(split in allowed, name, f"SplitType {' or '.join(allowed)} for {kind}, and it is {split}")


def _check_sides(name: str, kind: str, source: Params, target: Params) -> None:
    accept = media_type(target.get("Accept", ""))
    _format(name, "Accept", accept)
    _must(accept == kind, name, f"the same ContentType and Accept, and they are {kind} and {accept}")
    split, assembled = source.get("SplitType", "None"), target.get("AssembleWith", "None")
    _must(
        split == assembled, name, f"the same SplitType and AssembleWith, and they are {split} and {assembled}"
    )


def _check_capture(params: Params) -> None:
    capture = params.get("DataCaptureConfig")
    if capture is None:
        return
    _s3(capture["DestinationS3Uri"])
    if capture.get("GenerateInferenceId"):
        _format("GenerateInferenceId", "Accept", media_type(params["TransformOutput"].get("Accept", "")))


def _check_source(plane: Plane, source: Params) -> None:
    if source["S3DataType"] not in ("S3Prefix", "ManifestFile"):
        raise _invalid(f"S3DataType {source['S3DataType']} is not compatible with transform jobs.")
    bucket = _s3(source["S3Uri"])
    if not inputs.exist(plane.client("s3"), dict(source)):
        raise _invalid(
            f'No S3 objects found under S3 URL "{source["S3Uri"]}" given in input data source. Please ensure that '
            f"the bucket exists in the selected region ({plane.place.region}), that objects exist under that S3 "
            f'prefix, and that the role has "s3:ListBucket" permissions on bucket "{bucket}".'
        )


def _filter(name: str, expression: str, kind: str) -> None:
    """Refuse what AWS's parser refuses; an underscore is not among its letters."""
    operators = [one for one in _OPERATORS if kind != CSV or one not in _NAMING]
    plain: Callable[[str], bool] = str.isdigit if kind == CSV else str.isalnum
    strange = next((c for c in expression if not (c in operators or (c.isascii() and plain(c)))), None)
    if strange is not None:
        listed = ", ".join(f"'{one}'" for one in operators)
        raise _invalid(
            f'Invalid {name}: "{expression}". Unexpected "{strange}" in JsonPath. '
            f'Supported operators for "{kind}" are [{listed}]'
        )
    try:
        parse(expression)
    except Invalid as error:
        raise _invalid(f'Invalid {name}: "{expression}". {error}') from error


def _format(name: str, member: str, given: str) -> None:
    _must(
        given in FORMATS, name, f"{member} to be one of {', '.join(FORMATS)}, and it is {given or 'not set'}"
    )


def _must(holds: bool, name: str, what: str) -> None:
    if not holds:
        raise _invalid(f"{name} requires {what}.")


def _s3(uri: str) -> str:
    """The bucket of an S3 address; raises ServiceError for anything else."""
    if not uri.startswith("s3://"):
        raise _invalid(f"{uri} is not an S3 URI such as s3://bucket/prefix.")
    return split_s3(uri)[0]


def _invalid(text: str) -> ServiceError:
    return ServiceError("ValidationException", text)
