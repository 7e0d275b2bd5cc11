"""What the XGBoost image makes of channels and their files."""

import contextlib
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.localaws.containers.xgboost import channels, data, recordio
from penstock.localaws.containers.xgboost.errors import UserError

FILE = {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}


def rows(matrix):
    """A DMatrix as a dense array, missing cells as nan."""
    found = matrix.get_data().tocoo()
    dense = np.full((matrix.num_row(), matrix.num_col()), np.nan)
    dense[found.row, found.col] = found.data
    return dense


def write(directory: Path, **files: str) -> Path:
    for name, text in files.items():
        path = directory / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory


@pytest.mark.parametrize(
    ("content_type", "form"),
    [
        (None, "libsvm"),
        ("text/libsvm ;charset=utf8", "libsvm"),
        ("text/x-libsvm", "libsvm"),
        ("libsvm", "libsvm"),
        ("csv", "csv"),
        ("Text/CSV; label_size=1; charset=utf-8", "csv"),
        ("text/csv;label_size = 1", "csv"),
        ("application/x-parquet", "parquet"),
        ("application/x-recordio-protobuf", "recordio-protobuf"),
    ],
)
def test_content_types(content_type, form):
    assert channels.data_format(content_type) == form


@pytest.mark.parametrize(
    ("content_type", "said"),
    [
        ("application/json", "application/json is not an accepted ContentType: csv, libsvm, parquet,"),
        ("text/csv; label_size=5", "Optional parameter label_size must be equal to 1"),
        ("text/csv; label_size=1=1", "Optional parameter label_size must be equal to 1"),
        ("text/csv; label_size=1; label_size=2", "Optional parameter label_size must be equal to 1"),
        ("label_size=1; text/csv", "is not an accepted ContentType"),
    ],
)
def test_content_types_that_are_refused(content_type, said):
    with pytest.raises(UserError, match=said):
        channels.data_format(content_type)


def test_channels_get_their_default_content_type():
    assert channels.validate({"train": FILE})["train"]["ContentType"] == "text/libsvm"
    accepted = {"train": {**FILE, "ContentType": "text/csv;label_size=1", "TrainingInputMode": "FastFile"}}
    assert channels.validate(accepted) == accepted


@pytest.mark.parametrize(
    ("given_channels", "said"),
    [
        ({"validation": FILE}, "Missing required channel: train"),
        ({"train": FILE, "test": FILE}, "Extraneous channel found: test"),
        (
            {"train": {**FILE, "ContentType": "image/png"}},
            "Channel configuration for 'train' channel is not supported: {",
        ),
        (
            {"train": {**FILE, "TrainingInputMode": "Pipe"}},
            "Channel configuration for 'train' channel is not supported",
        ),
        (
            {"train": FILE, "code": FILE},
            "Channel configuration for 'code' channel is not supported",
        ),
    ],
)
def test_channels_that_are_refused(given_channels, said):
    with pytest.raises(UserError) as refused:
        channels.validate(given_channels)
    assert said in str(refused.value)


def test_csv_from_several_files_with_the_label_first(tmp_path):
    """Hidden files, markers and folders too deep are left out; an empty cell is a missing value."""
    write(
        tmp_path,
        **{
            "a.csv": "1,2,3\n",
            "b__c__d.csv": "0,,5\n",
            "b__c__d__too_deep.csv": "9,9,9\n",
            "_SUCCESS": "x",
            ".hidden": "8,8,8\n",
        },
    )
    matrix = data.matrix([tmp_path], "csv", csv_weights=False)
    assert matrix.get_label().tolist() == [1.0, 0.0]
    np.testing.assert_array_equal(rows(matrix), [[2, 3], [np.nan, 5]])


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_of_csv_is_found_out(tmp_path, delimiter):
    write(tmp_path, data="1,2,3\n0,4,5\n".replace(",", delimiter))
    assert rows(data.matrix([tmp_path], "csv", csv_weights=False)).tolist() == [[2, 3], [4, 5]]


def test_csv_weights_are_the_second_column(tmp_path):
    write(tmp_path, data="1,0.5,3\n0,2,5\n")
    matrix = data.matrix([tmp_path], "csv", csv_weights=True)
    assert matrix.get_weight().tolist() == [0.5, 2.0]
    assert rows(matrix).tolist() == [[3], [5]]


def test_libsvm_and_both_channels_together(tmp_path):
    one, two = write(tmp_path / "1", a="1 0:2 2:4\n0:3 1:5\n"), write(tmp_path / "2", a="1 1:7\n")
    matrix = data.matrix([one, two], "libsvm", csv_weights=False)
    assert matrix.get_label().tolist() == [1.0, 0.0, 1.0]
    np.testing.assert_array_equal(rows(matrix)[2], [np.nan, 7, np.nan])


def test_parquet_of_several_files(tmp_path):
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    for name, label in (("a", 1.0), ("b", 0.0)):
        parquet.write_table(pyarrow.table({"y": [label], "x": [label + 5]}), tmp_path / f"{name}.parquet")
    matrix = data.matrix([tmp_path], "parquet", csv_weights=False)
    assert (matrix.get_label().tolist(), rows(matrix).tolist()) == ([1.0, 0.0], [[6.0], [5.0]])


@pytest.mark.parametrize("files", [{}, {"_SUCCESS": "x"}, {"empty": ""}])
def test_no_data_is_none(tmp_path, files):
    assert data.matrix([write(tmp_path, **files)], "csv", csv_weights=False) is None
    assert data.matrix([tmp_path / "missing"], "csv", csv_weights=False) is None


@pytest.mark.parametrize(
    ("form", "text", "said"),
    [
        ("libsvm", "1,2,3\n", "First line '1,2,3\n...' of file 'f' is not 'LIBSVM' format. Please ensure"),
        ("libsvm", "1 2 3\n", "is not 'LIBSVM' format"),
        ("libsvm", "1 1:2:3\n", "is not 'LIBSVM' format"),
        ("libsvm", "1:2:3 1:2\n", "is not 'LIBSVM' format"),
        ("libsvm", "1 1:2 2:3\n0 4\n", "Line '0 4\n...' of file 'f' has a feature without a value."),
        ("csv", "\n1,2\n", "Could not determine delimiter on line"),
        ("parquet", "no parquet", "Failed to load parquet data with exception:"),
        ("recordio-protobuf", "no recordio", "Failed to load recordio-protobuf data with exception:"),
    ],
)
def test_data_that_is_refused(tmp_path, form, text, said):
    with pytest.raises(UserError) as refused:
        data.matrix([write(tmp_path, f=text)], form, csv_weights=False)
    assert said in str(refused.value)


def test_recordio_dense_and_sparse():
    """Written by hand after the format: a label of 1, features 2 and 3; then a sparse row with column 2 of 4."""

    def field(number: int, content: bytes) -> bytes:
        return bytes([number << 3 | 2, len(content)]) + content

    def entry(number: int, tensor: bytes) -> bytes:
        return field(number, field(1, b"values") + field(2, field(2, tensor)))

    def frame(record: bytes) -> bytes:
        return struct.pack("<II", 0xCED7230A, len(record)) + record + bytes(-len(record) % 4)

    label = entry(2, field(1, struct.pack("<f", 1)))
    dense = frame(entry(1, field(1, struct.pack("<2f", 2, 3))) + label)
    sparse_row = frame(
        entry(1, field(1, struct.pack("<f", 7)) + field(2, b"\x02") + field(3, b"\x04")) + label
    )

    features, labels = recordio.read(dense)
    assert (features.tolist(), labels.tolist()) == ([[2, 3]], [1])
    features, labels = recordio.read(sparse_row * 2)
    assert (features.toarray().tolist(), labels.tolist()) == ([[0, 0, 7, 0]] * 2, [1, 1])


@given(st.binary(max_size=60))
def test_recordio_that_is_broken_is_a_value_error(content):
    """Whatever a client sends: an answer or ValueError, never another exception."""
    framed = struct.pack("<II", 0xCED7230A, len(content)) + content + bytes(-len(content) % 4)
    with contextlib.suppress(ValueError):
        features, _ = recordio.read(framed)
        assert features.shape[0] == 1
