"""A channel's files as a DMatrix, read by XGBoost itself as in AWS's image: what it makes of odd cells is the same."""

import csv
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import xgboost

from penstock.localaws.containers.xgboost.channels import CSV, LIBSVM, PARQUET
from penstock.localaws.containers.xgboost.errors import UserError

log = logging.getLogger(__name__)

MOST_FOLDERS = 3  # files deeper than that are not read
_SHOWN = 50  # characters of a line in an error
_NO_LABELS = (
    "Got input data without labels. Please check the input data set. "
    "If training job is running on multiple instances, please switch "
    "to using single instance if number of records in the data set "
    "is less than number of workers (16 * number of instance) in the cluster."
)


def matrix(channels: Sequence[Path], form: str, csv_weights: bool) -> Any:
    """The rows of all files of the channels' directories; None when there is nothing in them; raises UserError."""
    files = [file for channel in channels for file in data_files(channel)]
    if not any(file.stat().st_size for file in files):
        return None
    for file in files:
        _CHECKS.get(form, lambda _: None)(file)
    try:
        made = _read(files, form, csv_weights)
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"Failed to load {form} data with exception:\n{_brief(error)}") from error
    if made.get_label().size == 0:
        raise UserError(_NO_LABELS)
    return made


def data_files(channel: Path) -> list[Path]:
    """The files of a channel that are data, sorted by path: not hidden, no markers like _SUCCESS, not too deep."""
    if channel.is_file():
        return [channel]
    return sorted(_files_below(channel, 1))


def _files_below(directory: Path, depth: int) -> Iterator[Path]:
    if not directory.is_dir():
        return
    if depth > MOST_FOLDERS:
        log.warning("The files of %s are not read: more than %d folders deep", directory, MOST_FOLDERS)
        return
    for entry in directory.iterdir():
        if entry.name.startswith((".", "_")):
            log.warning("%s is not read: its name begins with . or _", entry)
        elif entry.is_dir():
            yield from _files_below(entry, depth + 1)
        elif entry.is_file():
            yield entry


def _read(files: Sequence[Path], form: str, csv_weights: bool) -> Any:
    if form == PARQUET:
        return _from_parquet(files)
    if form in (CSV, LIBSVM):
        return _from_text(files, form, csv_weights)
    from penstock.localaws.containers.xgboost import recordio  # noqa: PLC0415 - scipy, and rarely wanted

    features, labels = recordio.read(b"".join(file.read_bytes() for file in files))
    return xgboost.DMatrix(features, label=labels)


def _from_text(files: Sequence[Path], form: str, csv_weights: bool) -> Any:
    """XGBoost reads one directory: links to all files, by a relative path, since its addresses know no escapes.

    It lists the directory's parent as well and fails if a neighbour goes away meanwhile, so the parent is ours, too.
    """
    with tempfile.TemporaryDirectory() as parent, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # text input is deprecated in XGBoost, but it is what the image uses
        scratch = Path(parent) / "files"
        scratch.mkdir()
        for number, file in enumerate(files):
            (scratch / f"{number:06d}").symlink_to(file.resolve())
        before = Path.cwd()
        os.chdir(scratch)
        try:
            return xgboost.DMatrix(
                f".?format={form}{_csv_options(files[0], csv_weights) if form == CSV else ''}"
            )
        finally:
            os.chdir(before)


def _csv_options(file: Path, csv_weights: bool) -> str:
    weights = "&weight_column=1" if csv_weights else ""
    return f"&label_column=0&delimiter={_delimiter(_first_line(file))}{weights}"


def _from_parquet(files: Sequence[Path]) -> Any:
    import pyarrow.parquet  # noqa: PLC0415 - heavy, and rarely wanted

    table = pyarrow.concat_tables([pyarrow.parquet.read_table(file) for file in files])
    rows = table.to_pandas().to_numpy()
    return xgboost.DMatrix(rows[:, 1:], label=rows[:, 0])


def _first_line(file: Path) -> str:
    with file.open(encoding="utf-8", errors="ignore") as opened:
        return opened.readline()


def _delimiter(line: str) -> str:
    try:
        return csv.Sniffer().sniff(line).delimiter
    except csv.Error as error:
        raise UserError(f"Could not determine delimiter on line {line[:_SHOWN]}:\n{error}") from None


def _check_csv(file: Path) -> None:
    _delimiter(_first_line(file))


def _check_libsvm(file: Path) -> None:
    """The image looks at the first line that has features; XGBoost would crash on a feature without a value."""
    seen = False
    with file.open(encoding="utf-8", errors="ignore") as opened:
        for line in opened:
            if not seen:
                features = libsvm_features(line)
                if features < 0:
                    raise UserError(
                        f"First line '{line[:_SHOWN]}...' of file '{file.name}' is not 'LIBSVM' format. "
                        "Please ensure the file is in 'LIBSVM' format."
                    )
                seen = features > 1
            elif _lacks_a_value(line):
                raise UserError(
                    f"Line '{line[:_SHOWN]}...' of file '{file.name}' has a feature without a value."
                )


def _lacks_a_value(line: str) -> bool:
    features = line.partition("#")[0].partition(" ")[2]
    if features.count(":") == len(features.split()):  # nearly always, and quickly said
        return False
    return any(":" not in feature for feature in features.split())


def libsvm_features(line: str) -> int:
    """How many features a line `<label>[:<weight>] <index>:<value> …` has; -1 when it is none."""
    label, *features = line.split(" ")
    if not _is_label(label):
        return -1
    if any(":" not in feature for feature in features):
        return -1
    return -1 if features and features[0].count(":") != 1 else len(features)


def _is_label(text: str) -> bool:
    parts = text.split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        return False
    return len(numbers) <= 2


def _brief(error: Exception) -> str:
    return str(error).partition("\nStack trace:")[0].strip()


_CHECKS = {CSV: _check_csv, LIBSVM: _check_libsvm}
