"""The container contract: routes, content types, statuses, the log."""

import io
import json

import numpy as np

ECHO = """
    import json

    def model_fn(model_dir):
        return {"dir": model_dir}

    def input_fn(body, content_type):
        return {"type": type(body).__name__, "content_type": content_type}

    def predict_fn(data, model):
        return data

    def output_fn(prediction, accept):
        return json.dumps(prediction | {"accept": accept}), "application/json"
"""


def test_ping_is_503_until_the_model_is_loaded(serve):
    """A model that loads when a file appears: 503 before, 200 after."""
    server = serve("""
        import pathlib, time

        def model_fn(model_dir):
            while not pathlib.Path(model_dir, "go").exists():
                time.sleep(0.01)
            return object()

        def predict_fn(data, model):
            return [1]
    """)
    server.wait_for(lambda: server.ping() == 503)
    assert server.invoke(b"[1]").status == 503

    (server.base / "model/go").touch()

    server.wait_until_healthy()
    assert server.invoke(b"[1]").json() == [1]


def test_json_and_csv_arrive_as_text_and_the_rest_as_bytes(serve):
    server = serve(ECHO).wait_until_healthy()
    sent = ["application/json", "text/csv; charset=utf-8", "application/x-npy", "image/png"]

    kinds = [server.invoke(b"1,2", content_type=kind).json()["type"] for kind in sent]

    assert kinds == ["str", "str", "bytes", "bytes"]


def test_content_type_and_accept_have_defaults(serve):
    server = serve(ECHO).wait_until_healthy()
    assert server.invoke(b"{}").json() == {
        "type": "str",
        "content_type": "application/json",
        "accept": "application/json",
    }


def test_accept_of_the_client_reaches_output_fn(serve):
    server = serve(ECHO).wait_until_healthy()
    assert server.invoke(b"{}", accept="text/csv").json()["accept"] == "text/csv"


def test_default_functions_read_and_write_arrays(serve):
    """A model with a predict method needs nothing but model_fn."""
    server = serve("""
        class Doubler:
            def predict(self, rows):
                return rows * 2

        def model_fn(model_dir):
            return Doubler()
    """).wait_until_healthy()

    assert server.invoke(b"[[1, 2]]").json() == [[2, 4]]
    assert (
        server.invoke(b"1,2\n3,4", content_type="text/csv", accept="text/csv").body == b"2.0,4.0\n6.0,8.0\n"
    )
    assert server.invoke(b"[1]", content_type="image/png").status == 415
    assert server.invoke(b"[1]", accept="image/png").status == 406
    assert server.invoke(b"[1", content_type="application/json").status == 400


def test_a_pickle_in_an_npy_body_is_refused(serve):
    """np.load would run what a client sent; ours never does."""
    server = serve(
        "def model_fn(d): return type('M', (), {'predict': lambda self, x: x})()"
    ).wait_until_healthy()
    out = io.BytesIO()
    np.save(out, np.array([{"a": 1}], dtype=object), allow_pickle=True)

    assert server.invoke(out.getvalue(), content_type="application/x-npy").status == 400


def test_transform_fn_alone_and_the_context(serve):
    server = serve("""
        def model_fn(model_dir, context):
            return context.system_properties["model_dir"]

        def transform_fn(model, data, content_type, accept, context):
            who = context.get_request_header(0, "X-Amzn-SageMaker-Custom-Attributes")
            return f"{model}|{data}|{who}".encode(), "text/plain"
    """).wait_until_healthy()

    reply = server.invoke(b"hello", content_type="text/csv", X_Amzn_SageMaker_Custom_Attributes="me")

    assert reply.body.decode() == f"{server.base}/model|hello|me"
    assert reply.content_type == "text/plain"


def test_a_users_4xx_keeps_its_status_and_detail(serve):
    server = serve("""
        class Bad(ValueError):
            status = 422
            detail = {"faults": [{"instance": 0}]}

        def model_fn(d):
            return 1

        def predict_fn(data, model):
            raise Bad("no such column")
    """).wait_until_healthy()

    reply = server.invoke(b"[1]")

    assert reply.status == 422
    assert reply.json() == {"error": "no such column", "faults": [{"instance": 0}]}


def test_any_other_error_is_500_with_the_traceback_in_the_log_only(serve):
    """StopIteration too: unhandled, it would leave an asyncio future for ever pending."""
    server = serve("""
        def model_fn(d):
            return 1

        def predict_fn(data, model):
            raise {"stop": StopIteration, "exit": SystemExit}.get(str(data), ZeroDivisionError)("ouch")
    """).wait_until_healthy()

    replies = [server.invoke(json.dumps(name).encode()) for name in ("x", "stop", "exit")]

    assert [r.status for r in replies] == [500, 500, 500]
    assert replies[0].json() == {"error": "ZeroDivisionError: ouch"}
    assert "Traceback" in server.lines("request")[0]["traceback"]


def test_one_log_line_for_each_invocation_without_its_body(serve):
    server = serve(ECHO).wait_until_healthy()
    server.invoke(b'{"secret": "hunter2"}')

    (line,) = server.lines("request")

    assert line["status"] == 200
    assert line["ms"] > 0
    assert "hunter2" not in (server.base / "stdout").read_text()


def test_too_large_empty_unknown_path_and_wrong_method(serve):
    server = serve(ECHO, SAGEMAKER_MAX_PAYLOAD_IN_MB="1").wait_until_healthy()

    assert server.invoke(b"x" * (1024 * 1024)).status == 200
    assert server.invoke(b"x" * (1024 * 1024 + 1)).status == 413
    assert server.invoke(b"").status == 400
    assert server.call("GET", "/elsewhere").status == 404
    assert server.call("GET", "/invocations").status == 405


def test_execution_parameters(serve):
    server = serve(ECHO, SAGEMAKER_MODEL_SERVER_THREADS="3").wait_until_healthy()
    assert server.call("GET", "/execution-parameters").json() == {
        "MaxConcurrentTransforms": 3,
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": 6,
    }


def test_code_elsewhere_below_opt_ml_is_found_below_the_base(serve):
    """SDKs write SAGEMAKER_SUBMIT_DIRECTORY=/opt/ml/model/code; without a container that is <base>/model/code."""
    server = serve(
        "def model_fn(d): return 1\ndef predict_fn(d, m): return m",
        SAGEMAKER_PROGRAM="other.py",
        SAGEMAKER_SUBMIT_DIRECTORY="/opt/ml/model/code",
    ).wait_until_healthy()
    assert server.invoke(b"[1]").json() == 1
