"""Several models in one server, which come and go: the multi-model contract over HTTP."""

import json
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest

MULTI = {"SAGEMAKER_MULTI_MODEL": "true"}
CODE = """
    import json
    import helpers
    from package import inner

    def model_fn(model_dir):
        from pathlib import Path
        return Path(model_dir, "weights").read_text()

    def predict_fn(data, model):
        import lazy
        return [model, helpers.NAME, inner.NAME, lazy.NAME, __name__]
"""


def archive(base: Path, name: str, code: str = CODE, **files: str) -> str:
    """An unpacked model below <base>/models, whose modules say its name; its url."""
    files = {"weights": f"weights of {name}", "code__inference.py": code, **files}
    for module in (
        "code__helpers.py",
        "code__lazy.py",
        "code__package____init__.py",
        "code__package__inner.py",
    ):
        files.setdefault(module, f"NAME = {name!r}" if "init" not in module else "from . import inner")
    for path, text in files.items():
        target = (
            base
            / "models"
            / name
            / path.replace("____", "/__").replace("code__", "code/").replace("package__i", "package/i")
        )
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(textwrap.dedent(text))
    return f"/opt/ml/models/{name}"


class Words:
    """What tests say to a multi-model server."""

    def __init__(self, server: Any) -> None:
        self.server = server

    def load(self, name: str, url: str) -> Any:
        return self.server.call("POST", "/models", json.dumps({"model_name": name, "url": url}).encode())

    def ask(self, name: str, body: bytes = b"[1]") -> Any:
        return self.server.call("POST", f"/models/{name}/invoke", body)

    def loaded(self) -> list[str]:
        return [one["modelName"] for one in self.server.call("GET", "/models").json()["models"]]


@pytest.fixture
def words(serve):
    return lambda **settings: Words(serve(**MULTI, **settings).wait_until_healthy())


def test_models_with_modules_of_the_same_names_keep_apart(words):
    """Two inference.py, two helpers.py, packages and imports inside functions: each model sees its own."""
    many = words()
    urls = {name: archive(many.server.base, name) for name in ("one", "two")}
    for name, url in urls.items():
        assert many.load(name, url).status == 200
    for name in ("two", "one", "two"):
        assert many.ask(name).json() == [f"weights of {name}", name, name, name, "inference"]
    assert many.loaded() == ["one", "two"]
    assert many.server.call("GET", "/models/one").json() == {"modelName": "one", "modelUrl": urls["one"]}


def test_a_models_own_limit_holds_and_only_its_own_address_asks_it(words):
    many = words()
    small = "MAX_PAYLOAD = 4\n\ndef model_fn(d): return d\n\ndef predict_fn(data, model): return 1\n"
    for name, code in (("small", small), ("any", small.replace("MAX_PAYLOAD", "LIMIT"))):
        assert many.load(name, archive(many.server.base, name, code)).status == 200
    assert [many.ask(name, b"[1,2]").status for name in ("small", "any", "absent")] == [413, 200, 404]
    refused = many.server.invoke(b"[1]")
    assert refused.status == 404
    assert "POST /models/<name>/invoke" in refused.json()["error"]


def test_a_model_pickled_with_its_own_class_is_found_while_loading(words):
    """Unpickling looks modules up by name in sys.modules: the model's own modules are there meanwhile."""
    many = words()
    code = """
        import pickle, shapes

        def model_fn(model_dir):
            return pickle.loads(pickle.dumps(shapes.Shape()))

        def predict_fn(data, model):
            return [type(model).__module__, model.corners()]
    """
    for name, corners in (("a", 3), ("b", 4)):
        shape = f"class Shape:\n    def corners(self): return {corners}"
        many.load(name, archive(many.server.base, name, code, **{"code__shapes.py": shape}))
    assert [many.ask(name).json() for name in ("a", "b")] == [["shapes", 3], ["shapes", 4]]


def test_statuses(words):
    many = words()
    url = archive(many.server.base, "one")
    broken = archive(many.server.base, "broken", "raise OSError('no weights')")

    assert many.server.ping() == 200
    assert many.ask("one").status == 404
    assert many.server.call("GET", "/models/one").status == 404
    assert many.server.call("DELETE", "/models/one").status == 404
    assert many.load("one", "/opt/ml/models/elsewhere").status == 400
    assert many.server.call("POST", "/models", b"[]").status == 400
    assert many.server.call("PUT", "/models").status == 405
    assert many.load("broken", broken).status == 500
    assert many.load("one", url).status == 200
    assert many.load("one", url).status == 409
    assert many.server.call("DELETE", "/models/one").status == 200
    assert many.ask("one").status == 404
    assert many.load("one", url).status == 200
    assert many.loaded() == ["one"]


def test_a_model_that_does_not_fit_into_memory_is_507(words):
    many = words(SERVING_MEMORY_LIMIT_MB="300")
    code = """
        def model_fn(model_dir):
            return b"x" * 400_000_000

        def predict_fn(data, model):
            return len(model)
    """
    assert many.load("large", archive(many.server.base, "large", code)).status == 507
    assert many.load("small", archive(many.server.base, "small")).status == 200
    assert many.loaded() == ["small"]


def test_requests_go_on_while_another_model_loads(words):
    many = words()
    slow = """
        import pathlib, time

        def model_fn(model_dir):
            pathlib.Path(model_dir, "started").touch()
            while not pathlib.Path(model_dir, "go").exists():
                time.sleep(0.01)
            return 1

        def predict_fn(data, model):
            return model
    """
    many.load("quick", archive(many.server.base, "quick"))
    url = archive(many.server.base, "slow", slow)
    loading = threading.Thread(target=many.load, args=("slow", url))
    loading.start()
    many.server.wait_for((many.server.base / "models/slow/started").exists)

    assert many.load("slow", url).status == 409
    assert many.ask("quick").status == 200
    assert many.ask("slow").status == 404
    assert many.loaded() == ["quick"]

    (many.server.base / "models/slow/go").touch()
    loading.join()
    assert many.ask("slow").json() == 1
