"""A model server without user code on the XGBoost image: types, statuses and texts of algorithm mode."""

import json
from pathlib import Path

import numpy as np
import pytest

ALGORITHM = {
    "SERVING_ALGORITHM": "penstock.localaws.containers.xgboost.inference",
    "SERVING_DEFAULTS": "penstock.localaws.containers.xgboost.script_serving",
}
ROWS = np.array([[0.0, 1.0], [1.0, 0.0], [0.2, 0.9], [0.9, 0.3]])


def model(objective: str = "binary:logistic", name: str = "xgboost-model", rounds: int = 2, **parameters):
    """A function that writes a small model into a model directory."""

    def write(directory: Path) -> None:
        import xgboost  # noqa: PLC0415 - a second, for this file only

        labels = [0, 1, 2, 1] if objective.startswith("multi:") else [0, 1, 0, 1]
        given = {"objective": objective, "min_child_weight": 0, **parameters}
        booster = xgboost.train(given, xgboost.DMatrix(ROWS, label=labels), rounds)
        (directory / name).write_bytes(booster.save_raw("ubj"))

    return write


@pytest.fixture(scope="module")
def server(serve_module):
    """One server for all that only ask."""
    return serve_module(model(), **ALGORITHM).wait_until_healthy()


def test_csv_by_default_one_line_a_row(server):
    reply = server.invoke(b"0,1\n1,0\n", content_type="text/csv")
    low, high = (float(line) for line in reply.body.decode().splitlines())
    assert (reply.status, reply.content_type) == (200, "text/csv")
    assert low < 0.5 < high


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/csv", b"1,0"),
        ("text/csv; charset=utf-8", b"1,0\n"),
        ("text/csv;label_size=1", b"1;0"),
        ("TEXT/CSV", b"1 0"),
        ("csv", b"1\t0\r"),
        ("text/csv", b"1.0,"),
        ("text/libsvm", b"0:1 1:0"),
        ("text/x-libsvm", b"1 1:1 2:0"),
        ("libsvm", b"1:1 2:0\n"),
        ("", b"0:1"),
    ],
)
def test_content_types(server, content_type, body):
    reply = server.invoke(body, **({"content_type": content_type} if content_type else {}))
    assert reply.status == 200
    assert float(reply.body) > 0.5


@pytest.mark.parametrize(
    ("accept", "answers"),
    [
        ("", "text/csv"),
        ("*/*", "text/csv"),
        ("text/csv; charset=utf-8", "text/csv"),
        ("application/json", "application/json"),
        ("Application/JSON", "application/json"),
        ("application/jsonlines", "application/jsonlines"),
        ("application/x-recordio-protobuf", "application/x-recordio-protobuf"),
    ],
)
def test_accept(server, accept, answers):
    reply = server.invoke(b"1,0", content_type="text/csv", accept=accept)
    assert (reply.status, reply.content_type) == (200, answers)


def test_json_and_jsonlines_answers(server):
    reply = server.invoke(b"0,1\n1,0", content_type="text/csv", accept="application/json")
    (low, high) = (one["score"] for one in reply.json()["predictions"])
    assert list(reply.json()) == ["predictions"]
    assert low < 0.5 < high
    lines = server.invoke(b"0,1\n1,0", content_type="text/csv", accept="application/jsonlines").body
    assert [json.loads(line) for line in lines.splitlines()] == [{"score": low}, {"score": high}]


@pytest.mark.parametrize(
    ("status", "said", "body", "headers"),
    [
        (204, "", b"", {"content_type": "text/csv"}),
        (415, "json is not an accepted ContentType: csv, libsvm,", b"[1]", {"content_type": "application/json"}),
        (415, "label_size must be equal to 1", b"1,0", {"content_type": "text/csv;label_size=2"}),
        (415, "Loading csv data failed with Exception, please ensure", b"1,what", {"content_type": "text/csv"}),
        (415, "Loading csv data failed with Exception, please ensure", b"1,0\n1", {"content_type": "text/csv"}),
        (415, "Loading csv data failed with Exception, please ensure", b"\xff,\xfe", {"content_type": "text/csv"}),
        (415, "Loading libsvm data failed with Exception", b"0:x", {"content_type": "text/libsvm"}),
        (415, "Content-type application/x-parquet is not supported", b"x", {"content_type": "application/x-parquet"}),
        (400, "Unable to evaluate payload provided: ", b"1,2,3", {"content_type": "text/csv"}),
        (406, "Accept type image/png is not supported.", b"1,0", {"content_type": "text/csv", "accept": "image/png"}),
    ],
)  # fmt: skip
def test_statuses(server, status, said, body, headers):
    reply = server.invoke(body, **headers)
    assert reply.status == status
    assert said in reply.body.decode()
    assert (reply.body == b"") == (status == 204)


def test_six_megabytes_and_not_a_byte_more(server):
    body = b"1,0".ljust(6 * 1024 * 1024, b"\n")
    assert server.invoke(body, content_type="text/csv").status == 200
    assert server.invoke(body + b"\n", content_type="text/csv").status == 413


def test_execution_parameters_are_the_images(server):
    said = server.call("GET", "/execution-parameters").json()
    assert said["BatchStrategy"] == "MULTI_RECORD"
    assert said["MaxPayloadInMB"] == 6
    assert said["MaxConcurrentTransforms"] >= 1


def test_batch_transform_gets_a_list_a_line(serve):
    server = serve(
        model("multi:softprob", num_class=3), SAGEMAKER_BATCH="true", **ALGORITHM
    ).wait_until_healthy()
    lines = server.invoke(b"1,0\n0,1", content_type="text/csv", accept="application/json").body.splitlines()
    assert [len(json.loads(line)) for line in lines] == [3, 3]


def test_selected_outputs(serve):
    """Keys in any case and with spaces; NaN for what the objective does not have; CSV in the order asked for."""
    keys = "predicted_label, Probabilities,raw_score,predicted_score"
    server = serve(model(), SAGEMAKER_INFERENCE_OUTPUT=keys, **ALGORITHM).wait_until_healthy()
    (one,) = server.invoke(b"1,0", content_type="text/csv", accept="application/json").json()["predictions"]
    assert one["predicted_label"] == 1
    assert one["probabilities"] == [1 - one["raw_score"], one["raw_score"]]
    assert one["predicted_score"] != one["predicted_score"]
    line = server.invoke(b"1,0", content_type="text/csv").body.decode()
    assert line.startswith('1,"[')
    assert line.endswith(f"{one['raw_score']},nan")


def test_models_of_a_cross_validation_are_averaged_and_the_first_may_serve_alone(serve):
    def several(directory: Path) -> None:
        model(name="xgboost-model-0", rounds=1)(directory)
        model(name="xgboost-model-1", rounds=9)(directory)
        (directory / ".DS_Store").write_bytes(b"never read")

    both = serve(several, **ALGORITHM)
    first = serve(several, SAGEMAKER_INFERENCE_ENSEMBLE="false", **ALGORITHM)
    last = serve(model(rounds=9), **ALGORITHM)
    scores = [
        float(one.wait_until_healthy().invoke(b"1,0", content_type="text/csv").body)
        for one in (both, first, last)
    ]
    assert scores[0] == pytest.approx((scores[1] + scores[2]) / 2, abs=1e-6)
    assert scores[1] != scores[2]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"\x80\x04K\x01.",
            "xgboost-model is a pickle, which would run code when it is read. Save the model with",
        ),
        (b"binf\x00\x00", "Model xgboost-model cannot be loaded"),
        (None, "The model archive has no file"),
    ],
)
def test_models_that_are_refused(serve, content, said):
    def write(directory: Path) -> None:
        if content is not None:
            (directory / "xgboost-model").write_bytes(content)

    server = serve(write, **ALGORITHM)
    assert server.exit_code() == 1
    assert said in server.errors()


def test_script_mode_reads_rows_into_a_matrix_and_leaves_500_for_other_types(serve):
    """The image has defaults for all but model_fn."""
    code = """
        import xgboost

        def model_fn(model_dir):
            return xgboost.Booster(model_file=bytearray(open(model_dir + "/xgboost-model", "rb").read()))
    """
    server = serve(code, model(), **ALGORITHM).wait_until_healthy()
    assert server.invoke(b"1,0", content_type="text/csv").json()[0] > 0.5
    assert float(server.invoke(b"0:1", content_type="text/libsvm", accept="text/csv").body) > 0.5
    assert server.invoke(b"[[1,0]]", content_type="application/json").status == 500
    assert server.invoke(b"1,0", content_type="text/csv", accept="image/png").status == 500
    assert server.call("GET", "/execution-parameters").status == 404


def test_images_before_1_5_answer_on_one_line(serve):
    """As notebooks of that time expect: response.split(',')."""
    server = serve(
        model(), SERVING_IMAGE="1.dkr.ecr.r.amazonaws.com/xgboost:latest", **ALGORITHM
    ).wait_until_healthy()
    low, high = server.invoke(b"0,1\n1,0", content_type="text/csv").body.decode().split(",")
    assert float(low) < 0.5 < float(high)
