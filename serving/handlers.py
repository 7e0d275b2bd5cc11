"""The user's module: model_fn once, then input_fn, predict_fn and output_fn (or transform_fn) a request."""

import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from serving import codec
from serving.errors import Answer, RequestError, StartError
from serving.settings import Settings

FOUR = ("model_fn", "input_fn", "predict_fn", "output_fn")


@dataclass(frozen=True)
class Request:
    """One invocation: raw body, its content type, the wanted answer type, and headers (lower case)."""

    body: bytes
    content_type: str
    accept: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """The optional last argument of a handler, as in the toolkit: where the model is, what was sent."""

    system_properties: Mapping[str, Any]
    request_headers: Mapping[str, str] = field(default_factory=dict)

    def get_request_header(self, index: int, name: str) -> str | None:
        """Return a header of the request; `index` is its place in a batch, of which there is one."""
        return self.request_headers.get(name.lower()) if index == 0 else None


class Handlers:
    """A loaded model and the functions around it. `respond` may run in several threads at once."""

    def __init__(self, module: ModuleType, settings: Settings) -> None:
        self._properties = {"model_dir": str(settings.model_dir), "gpu_id": None}
        functions = {name: getattr(module, name, None) for name in (*FOUR, "transform_fn")}
        _check(functions, settings)
        self._transform = functions["transform_fn"]
        self._input = functions["input_fn"] or codec.decode
        self._output = functions["output_fn"] or codec.encode
        self._predict = functions["predict_fn"] or _predict
        self._model = _call(functions["model_fn"], Context(self._properties), str(settings.model_dir))
        if not (
            functions["predict_fn"] or self._transform or callable(getattr(self._model, "predict", None))
        ):
            raise StartError(
                f"{settings.program} has no predict_fn and its model no predict(): write predict_fn."
            )

    def respond(self, request: Request) -> Answer:
        """Return the model's answer; whatever the user's functions raise goes through."""
        if not request.body:
            raise RequestError(400, "The body is empty. Send the features to predict from.")
        context = Context(self._properties, request.headers)
        data = codec.as_text(request.body, request.content_type)
        if self._transform is not None:
            made = _call(self._transform, context, self._model, data, request.content_type, request.accept)
            return _answer(made, request.accept, "transform_fn")
        features = _call(self._input, context, data, request.content_type)
        prediction = _call(self._predict, context, features, self._model)
        return _answer(_call(self._output, context, prediction, request.accept), request.accept, "output_fn")


def load(settings: Settings) -> Handlers:
    """Import the user's module and load its model; raise StartError, or what the user's code raised."""
    path = settings.code_dir / settings.program
    if not path.is_file():
        raise StartError(f"There is no {path}: pack it into model.tar.gz as code/{settings.program}.")
    sys.path.insert(0, str(settings.code_dir))
    name = path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise StartError(f"{path} is not a Python module: SAGEMAKER_PROGRAM must name a .py file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that what it pickled as <name>.Class is found again
    spec.loader.exec_module(module)
    return Handlers(module, settings)


def _check(functions: Mapping[str, Callable[..., Any] | None], settings: Settings) -> None:
    if functions["model_fn"] is None:
        raise StartError(
            f"{settings.program} has no model_fn(model_dir): write one that returns the loaded model."
        )
    both = [name for name in FOUR[1:] if functions[name]]
    if functions["transform_fn"] and both:
        raise StartError(f"{settings.program} has transform_fn and {', '.join(both)}: keep one or the other.")


def _predict(data: Any, model: Any) -> Any:
    return model.predict(data)


def _call(function: Callable[..., Any] | None, context: Context, *arguments: Any) -> Any:
    """Call a handler, with the context last if it takes one argument more."""
    if function is None:  # pragma: no cover - _check has seen to it
        raise StartError("a handler is missing")
    if _positional(function) > len(arguments):
        return function(*arguments, context)
    return function(*arguments)


def _positional(function: Callable[..., Any]) -> int:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(parameter.kind in kinds for parameter in inspect.signature(function).parameters.values())


def _answer(made: Any, accept: str, maker: str) -> Answer:
    body, content_type = made if isinstance(made, tuple) and len(made) == 2 else (made, accept)
    if isinstance(body, str):
        body = body.encode()
    if not isinstance(body, bytes | bytearray | memoryview):
        raise TypeError(f"{maker} returned {type(body).__name__}; return str, bytes or (body, content type)")
    return Answer(200, bytes(body), str(content_type))
