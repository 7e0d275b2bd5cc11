"""Bodies to rows and predictions to bodies, as the XGBoost image reads and writes them."""

import contextlib
import json
import math
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.localaws.containers.xgboost import answers, decoding, recordio, selectable
from penstock.localaws.containers.xgboost.errors import UserError

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 3))


@given(st.lists(st.lists(NUMBERS | st.none(), min_size=3, max_size=3), min_size=1), st.sampled_from(",;"))
def test_csv_with_any_delimiter_and_empty_cells(table, delimiter):
    """The first row decides the delimiter; what is empty is missing."""
    lines = [["1.5", "2.5", "3.5"]] + [["" if cell is None else str(cell) for cell in row] for row in table]
    body = "\n".join(delimiter.join(line) for line in lines)
    expected = [[1.5, 2.5, 3.5]] + [[math.nan if cell is None else cell for cell in row] for row in table]
    np.testing.assert_allclose(decoding.csv_rows(body.encode()), expected)


@pytest.mark.parametrize("text", ["5", "1.5", "12\n13", "1 2\n3 4", "1,2\n3,4\n\n"])
def test_csv_that_looks_odd(text):
    rows = text.strip().split("\n")
    assert decoding.csv_rows(text.encode()).tolist() == [
        [float(cell) for cell in row.replace(",", " ").split()] for row in rows
    ]


def test_libsvm_with_and_without_labels_counted_from_one_or_zero():
    from_zero = decoding.libsvm_rows(b"1 0:2 2:4\n0:3").toarray()
    from_one = decoding.libsvm_rows(b"0 1:2 3:4\n1:3\n").toarray()
    assert from_zero.tolist() == from_one.tolist() == [[2, 0, 4], [3, 0, 0]]


@given(
    st.binary(max_size=80), st.sampled_from(["text/csv", "text/libsvm", "application/x-recordio-protobuf"])
)
def test_whatever_is_sent_is_read_or_unreadable(body, content_type):
    """A hostile body is the client's fault, never an exception of another kind."""
    with contextlib.suppress(decoding.Unreadable):
        assert decoding.matrix(body, content_type).num_row() >= 0


def test_content_types_of_requests():
    with pytest.raises(decoding.Unreadable, match="Content-type parquet is not supported"):
        decoding.matrix(b"x", "parquet")
    with pytest.raises(UserError, match="not an accepted ContentType"):
        decoding.matrix(b"x", "application/json")


def test_scores_in_each_type():
    assert answers.plain([0.5, 1.0], "text/csv") == "0.5\n1.0\n"
    assert answers.plain([[0.25, 0.75]], "text/csv") == "0.25,0.75\n"
    assert json.loads(answers.plain([[0.25, 0.75]], "application/json")) == {
        "predictions": [{"score": [0.25, 0.75]}]
    }
    assert answers.plain([0.5], "application/jsonlines") == '{"score": 0.5}\n'
    written = answers.plain([0.5], "application/x-recordio-protobuf")
    assert written == recordio.write([{"score": [0.5]}])
    assert answers.batch([0.5, [1, 2]]) == "0.5\n[1, 2]\n"


@pytest.mark.parametrize(
    ("objective", "prediction", "classes", "shown"),
    [
        (
            "binary:logistic",
            np.float32(0.75),
            0,
            {
                "predicted_label": 1,
                "labels": [0, 1],
                "probability": 0.75,
                "probabilities": [0.25, 0.75],
                "raw_score": 0.75,
                "raw_scores": [0.25, 0.75],
            },
        ),
        (
            "multi:softprob",
            np.array([0.25, 0.5, 0.25], dtype=np.float32),
            3,
            {
                "predicted_label": 1,
                "labels": [0, 1, 2],
                "probability": 0.5,
                "probabilities": [0.25, 0.5, 0.25],
                "raw_score": 0.5,
                "raw_scores": [0.25, 0.5, 0.25],
            },
        ),
        (
            "binary:logitraw",
            np.float32(-1),
            0,
            {"predicted_label": 0, "labels": [0, 1], "raw_score": -1.0, "raw_scores": [2.0, -1.0]},
        ),
        (
            "binary:hinge",
            np.float32(1),
            0,
            {"predicted_label": 1.0, "labels": [0, 1], "raw_score": 1.0, "raw_scores": [0.0, 1.0]},
        ),
        (
            "multi:softmax",
            np.float32(2),
            3,
            {"predicted_label": 2.0, "labels": [0, 1, 2], "raw_score": 2.0, "raw_scores": [-1.0, 2.0]},
        ),
        ("reg:squarederror", np.float32(5.5), 0, {"predicted_score": 5.5}),
    ],
)
def test_what_can_be_selected(objective, prediction, classes, shown):
    assert selectable.select([prediction], list(shown), objective, classes) == [shown]
    assert set(shown) == set(selectable.VALID[objective])


def test_a_key_the_objective_has_not_is_nan_and_an_objective_without_any_is_refused():
    ((key, value),) = selectable.select([np.float32(1)], ["probability"], "reg:gamma", 0)[0].items()
    assert (key, math.isnan(value)) == ("probability", True)
    with pytest.raises(ValueError, match="Objective `rank:ndcg` unsupported"):
        selectable.select([], ["probability"], "rank:ndcg", 0)


def test_selected_in_csv_and_jsonlines():
    objects = [{"predicted_label": 1, "probabilities": [0.25, 0.75]}]
    keys = ["probabilities", "predicted_label"]
    assert answers.selected(objects, keys, "text/csv", in_batch=False) == '"[0.25, 0.75]",1'
    assert answers.selected(objects, keys, "text/csv", in_batch=True) == '"[0.25, 0.75]",1\n'
    assert (
        answers.selected(objects, keys, "application/jsonlines", in_batch=False)
        == json.dumps(objects[0]) + "\n"
    )


@given(st.text(string.printable, max_size=30))
def test_an_accept_is_one_of_ours_or_refused(header):
    with contextlib.suppress(answers.Unacceptable):
        assert answers.accepted(header, "text/csv") in answers.ACCEPTS


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("811284229777.dkr.ecr.us-east-1.amazonaws.com/xgboost:latest", True),
        ("683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.3-1", True),
        ("683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:0.90-2-cpu-py3", True),
        ("683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.5-1", False),
        ("683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0", False),
        ("sagemaker-xgboost", False),
        ("", False),
    ],
)
def test_images_that_answer_csv_on_one_line(image, expected):
    assert answers.on_one_line(image) is expected
