"""What AWS's inference toolkits do besides the four functions: hooks, code from archives, requirements, defaults."""

import importlib.util
import io
import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

SKLEARN = {"SERVING_DEFAULTS": "serving.sklearn_defaults"}
SUM = """
    class Sum:
        def predict(self, rows):
            assert str(rows.dtype) == "float32" and rows.ndim == 2, (rows.dtype, rows.ndim)
            return rows.sum(axis=1)

    def model_fn(model_dir):
        return Sum()
"""


def test_hooks_run_round_the_loading_and_may_take_the_context(serve):
    server = serve("""
        said = []

        def pre_model_fn(model_dir):
            said.append("before")

        def model_fn(model_dir, context):
            return said.append("model") or said

        def model_warmup_fn(model_dir, model, context):
            model.append("warm " + str(context.system_properties["model_dir"] == model_dir))

        def predict_fn(data, model):
            return model

        def execution_parameters_fn():
            return {"MaxConcurrentTransforms": 7}
    """).wait_until_healthy()
    assert server.invoke(b"[1]").json() == ["before", "model", "warm True"]
    assert server.call("GET", "/execution-parameters").json() == {"MaxConcurrentTransforms": 7}


def test_an_answer_with_a_status_of_its_own_and_one_without_a_body(serve):
    server = serve("""
        def model_fn(d):
            return 1

        def transform_fn(model, data, content_type, accept):
            return {"teapot": ("short", "text/plain", 418), "nothing": ("", "text/plain", 204)}[data.decode()]
    """).wait_until_healthy()
    refused, nothing = (server.invoke(body, content_type="text/plain") for body in (b"teapot", b"nothing"))
    assert (refused.status, refused.body, refused.content_type) == (418, b"short", "text/plain")
    assert (nothing.status, nothing.body) == (204, b"")
    assert server.lines("request")[0]["status"] == 418


def test_an_answer_in_pieces(serve):
    """Each piece is sent when it is made: the second waits until the client has the first."""
    server = serve("""
        import pathlib, time

        def model_fn(model_dir):
            return pathlib.Path(model_dir, "seen")

        def pieces(seen):
            yield "first "
            while not seen.exists():
                time.sleep(0.01)
            yield b"second"

        def transform_fn(model, data, content_type, accept):
            return pieces(model), "text/plain"
    """).wait_until_healthy()
    import http.client  # noqa: PLC0415

    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("POST", "/invocations", b"[1]")
    answer = connection.getresponse()
    assert answer.read(6) == b"first "
    (server.base / "model/seen").touch()
    assert answer.read() == b"second"
    connection.close()


def test_a_piece_that_fails_cuts_the_connection_and_the_server_lives_on(serve):
    server = serve("""
        def model_fn(d):
            return 1

        def pieces():
            yield "first"
            raise ValueError("half way")

        def transform_fn(model, data, content_type, accept):
            return pieces() if data == "break" else "whole"
    """).wait_until_healthy()
    with pytest.raises(Exception, match=r"IncompleteRead|Remote|reset"):
        server.invoke(b"break", content_type="text/csv")
    assert server.invoke(b"go on", content_type="text/csv").body == b"whole"
    assert "half way" in server.lines("request")[-2]["traceback"]


@pytest.mark.parametrize("name", ["sourcedir.tar.gz", "code.tar"])
def test_code_in_an_archive(serve, name):
    """SAGEMAKER_SUBMIT_DIRECTORY names a tar instead of a directory; SAGEMAKER_PROGRAM may lack its ending."""

    def pack(model: Path) -> None:
        source = b"def model_fn(d): return 'from the archive'\ndef predict_fn(d, m): return m"
        with tarfile.open(model / name, "w:gz" if name.endswith("gz") else "w") as archive:
            member = tarfile.TarInfo("serve.py")
            member.size = len(source)
            archive.addfile(member, io.BytesIO(source))

    settings = {"SAGEMAKER_PROGRAM": "serve", "SAGEMAKER_SUBMIT_DIRECTORY": f"/opt/ml/model/{name}"}
    assert serve(pack, **settings).wait_until_healthy().invoke(b"[1]").json() == "from the archive"


def test_code_that_reaches_out_of_its_archive_is_refused(serve):
    def pack(model: Path) -> None:
        with tarfile.open(model / "evil.tar.gz", "w:gz") as archive:
            archive.addfile(tarfile.TarInfo("../../outside"), io.BytesIO())

    server = serve(pack, SAGEMAKER_SUBMIT_DIRECTORY="/opt/ml/model/evil.tar.gz")
    assert server.exit_code() == 1
    assert "is not a usable tar.gz of the code" in server.errors()
    assert not list(server.base.parent.rglob("outside"))


def wheel(directory: Path, name: str, version: str) -> None:
    """A wheel with one module that says its version."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = {version!r}",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": "",
    }
    with zipfile.ZipFile(directory / f"{name}-{version}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)


def test_requirements_are_installed_for_this_endpoint_only(serve):
    """What is missing goes below the base directory, before the model is loaded, with several workers too."""

    def pack(model: Path) -> None:
        wheel(model, "penstock_test_needs", "1.5")
        (model / "code").mkdir()
        (model / "code/requirements.txt").write_text(
            f"--no-index\n--find-links {model}\nnumpy>=1\npenstock_test_needs==1.5  # ours\n"
        )
        (model / "code/inference.py").write_text(
            "import penstock_test_needs\n"
            "def model_fn(d): return penstock_test_needs.VERSION\n"
            "def predict_fn(d, m): return m\n"
        )

    server = serve(pack, SAGEMAKER_MODEL_SERVER_WORKERS="2")
    server.wait_for(lambda: server.ping() == 200)
    assert server.invoke(b"[1]").json() == "1.5"
    assert (server.base / "packages/penstock_test_needs.py").is_file()
    assert importlib.util.find_spec("penstock_test_needs") is None
    assert len(server.lines("installing")) == 1


def test_requirements_that_cannot_be_installed_and_those_that_are_there(serve):
    code = "def model_fn(d): return 1\ndef predict_fn(d, m): return m"

    def needs(text: str):
        def write(model: Path) -> None:
            (model / "code/requirements.txt").write_text(text)

        return write

    failing = serve(code, needs("--no-index\npenstock_test_missing\n"))
    there = serve(code, needs("# nothing new\nnumpy>=1\n\n")).wait_until_healthy()
    assert failing.exit_code() == 1
    assert "pip could not install" in failing.errors()
    assert not there.lines("installing")


def test_scikit_learn_reads_to_float32_and_leaves_500_for_other_types(serve):
    server = serve(SUM, **SKLEARN).wait_until_healthy()
    array = io.BytesIO()
    np.save(array, np.array([[1, 2]], dtype=np.float32))

    assert server.invoke(b"[[1, 2], [3, 4]]").json() == [3.0, 7.0]
    assert server.invoke(b"1,2", content_type="text/csv").json() == [3.0]
    assert server.invoke(b"1,2\n3,4\n", content_type="text/csv", accept="text/csv").body == b"3.0\n7.0\n"
    reply = server.invoke(array.getvalue(), content_type="application/x-npy", accept="application/x-npy")
    assert np.load(io.BytesIO(reply.body)).tolist() == [3.0]
    for body, headers in (
        (b"x", {"content_type": "image/png"}),
        (b"[1", {}),
        (b"[[1, 2]]", {"accept": "image/png"}),
        (b"a,b", {"content_type": "text/csv"}),
        (b"", {}),
    ):
        assert server.invoke(body, **headers).status == 500
    assert server.call("GET", "/execution-parameters").status == 404


def test_scikit_learn_without_code_does_not_start(serve):
    server = serve(**SKLEARN)
    assert server.exit_code() == 1
    assert "pack it into model.tar.gz as code/inference.py" in server.errors()


TORCH = {"SERVING_DEFAULTS": "serving.pytorch_defaults"}
has_torch = importlib.util.find_spec("torch") is not None


@pytest.mark.skipif(has_torch, reason="torch is installed")
def test_pytorch_without_torch_says_what_is_missing(serve):
    server = serve(**TORCH)
    assert server.exit_code() == 1
    assert "This image needs torch, which is not installed here." in server.errors()


@pytest.mark.skipif(not has_torch, reason="torch is not installed: pip install penstock[pytorch]")
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_pytorch_loads_torchscript_and_turns_tensors_into_json(serve):
    def script(directory: Path) -> None:
        import torch  # noqa: PLC0415

        layer = torch.nn.Linear(2, 1)
        with torch.no_grad():
            layer.weight.fill_(2.0)
            layer.bias.fill_(1.0)
        torch.jit.script(layer).save(str(directory / "anything.pth"))

    server = serve(script, **TORCH).wait_until_healthy()
    array = io.BytesIO()
    np.save(array, np.array([[1, 2]], dtype=np.float32))
    assert server.invoke(b"[[1, 2]]").json() == [[7.0]]
    assert server.invoke(b"1,2\n0,0", content_type="text/csv", accept="text/csv").body == b"7.0\n1.0\n"
    assert json.loads(server.invoke(array.getvalue(), content_type="application/x-npy").body) == [[7.0]]
    assert server.invoke(b"x", content_type="image/png").status == 415

    two = serve(script, lambda directory: (directory / "other.pt").write_bytes(b""), **TORCH)
    assert two.exit_code() == 1
    assert "Exactly one .pth or .pt file is required for PyTorch models" in two.errors()


def test_defaults_are_not_imported_for_code_that_needs_none(serve):
    """XGBoost's take a second and 140 MB."""
    server = serve(
        """
        import sys

        def model_fn(d):
            return sorted(name for name in sys.modules if name.split(".")[0] in ("xgboost", "penstock"))

        def transform_fn(model, data, content_type, accept):
            return str(model)
        """,
        SERVING_DEFAULTS="penstock.localaws.containers.xgboost.script_serving",
    ).wait_until_healthy()
    assert server.invoke(b"[1]").body == b"[]"
