"""Several models in one process, which come and go: what stands behind /models of the multi-model contract."""

import gc
import json
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from serving import handlers, log
from serving.errors import Answer, RequestError, json_answer
from serving.handlers import Handlers
from serving.namespace import Namespace
from serving.settings import Settings, below

Resident = Callable[[], int]  # bytes of this process that are in memory


@dataclass(frozen=True)
class _Model:
    """A model that is loaded, or (without handlers) being loaded."""

    url: str
    handlers: Handlers | None = None


class Models:
    """The models of a process. Every method may be called from any thread."""

    def __init__(self, settings: Settings, resident: Resident) -> None:
        self._settings = settings
        self._resident = resident
        self._lock = threading.Lock()
        self._models: dict[str, _Model] = {}

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        """What POST and GET /models, GET and DELETE /models/<name> say; raise RequestError."""
        name = path.removeprefix("/models").strip("/")
        match method, bool(name):
            case "POST", False:
                return json_answer(200, self.load(*_wanted(body)))
            case "GET", False:
                return json_answer(200, self.all())
            case "GET", True:
                return json_answer(200, self.describe(name))
            case "DELETE", True:
                return json_answer(200, self.unload(name))
        raise RequestError(405, f"{path} does not take {method}.")

    def handlers_for(self, path: str) -> Handlers:
        """The model that /models/<name>/invoke names; raise RequestError 404."""
        return self.handlers(path.removeprefix("/models/").removesuffix("/invoke"))

    def load(self, name: str, url: str) -> dict[str, Any]:
        """Load a model from a directory; raise RequestError 409, 507 or 400, or what its code raised."""
        directory = below(self._settings.base, Path(url))
        if not directory.is_dir():
            raise RequestError(400, f"There is no directory {url} to load model {name} from.")
        with self._lock:
            if name in self._models:
                raise RequestError(409, f"Model {name} is already loaded. Unload it first.")
            self._models[name] = _Model(url)
        loaded: Handlers | None = None
        try:
            self._check_memory(name, _size(directory))
            loaded = self._load(directory)
            self._check_memory(name, 0)
        except BaseException as error:
            loaded = None  # the error's traceback would keep it
            with self._lock:
                del self._models[name]
            if isinstance(error, MemoryError):
                raise _no_memory(name) from error
            raise
        with self._lock:
            self._models[name] = _Model(url, loaded)
        log.line("loaded", model=name)
        return self._shown(name, url)

    def unload(self, name: str) -> dict[str, Any]:
        """Forget a model; requests under way end as they would have. Raise RequestError 404."""
        with self._lock:
            model = self._loaded(name)
            del self._models[name]
        log.line("unloaded", model=name)
        return self._shown(name, model.url)

    def describe(self, name: str) -> dict[str, Any]:
        """Name and url of a loaded model; raise RequestError 404."""
        with self._lock:
            return self._shown(name, self._loaded(name).url)

    def all(self) -> dict[str, Any]:
        """Every loaded model."""
        with self._lock:
            loaded = [self._shown(name, one.url) for name, one in self._models.items() if one.handlers]
        return {"models": loaded}

    def handlers(self, name: str) -> Handlers:
        """The handlers of a loaded model; raise RequestError 404."""
        with self._lock:
            found = self._loaded(name).handlers
        assert found is not None  # noqa: S101 - _loaded has seen to it
        return found

    def _loaded(self, name: str) -> _Model:
        model = self._models.get(name)
        if model is None or model.handlers is None:
            raise RequestError(404, f"Model {name} is not loaded.")
        return model

    def _load(self, directory: Path) -> Handlers:
        code = directory / "code"
        if not (code / self._settings.program).is_file() and self._settings.code_dir.is_dir():
            code = self._settings.code_dir  # one program for all models
        namespace = Namespace(code)

        def imported(path: Path) -> ModuleType:
            return namespace.module(path.stem)

        with namespace.loading():
            return handlers.load(self._settings, directory, code, imported)

    def _check_memory(self, name: str, more: int) -> None:
        limit = self._settings.memory_limit
        if limit is None or self._resident() + more <= limit:
            return
        gc.collect()  # modules of models that have gone refer to themselves
        if self._resident() + more > limit:
            raise _no_memory(name)

    @staticmethod
    def _shown(name: str, url: str) -> dict[str, Any]:
        return {"modelName": name, "modelUrl": url}


def _wanted(body: bytes) -> tuple[str, str]:
    try:
        document = json.loads(body)
        name, url = document["model_name"], document["url"]
    except (ValueError, TypeError, KeyError, RecursionError):
        name = url = None
    if not isinstance(name, str) or not isinstance(url, str) or not name:
        raise RequestError(400, 'Send {"model_name": "…", "url": "<directory of the model>"}.')
    return name, url


def resident() -> int:
    """Bytes of this process that are in memory now; where the system does not say (no /proc), 0: no limit holds."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _size(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def _no_memory(name: str) -> RequestError:
    return RequestError(507, f"There is not enough memory to load model {name}. Unload another one first.")
