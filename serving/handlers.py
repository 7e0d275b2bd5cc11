"""A loaded model and how it answers: model_fn once, then input_fn, predict_fn and output_fn (or transform_fn)."""

import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral
from pathlib import Path
from types import ModuleType
from typing import Any

from serving import codec, functions, together
from serving.errors import Answer, RequestError, StartError, answer_for
from serving.functions import Context, Functions
from serving.settings import Settings

ImportFile = Callable[[Path], ModuleType]
_BARE = (204, 304)  # statuses of answers without a body
Outcome = tuple[Answer, BaseException | None]  # and what was raised, if it was


@dataclass(slots=True)  # not frozen: that makes one take a microsecond
class Request:
    """One invocation: raw body, its content type, the wanted answer type ("" if not sent), headers (lower case)."""

    body: bytes
    content_type: str
    accept: str
    headers: Mapping[str, str] = field(default_factory=dict)


class Handlers:
    """A loaded model and the functions around it. `respond` may run in several threads at once."""

    def __init__(self, chosen: Functions, model_dir: Path, accept: str) -> None:
        self._functions = chosen
        self.max_payload = chosen.max_payload
        self._accept = accept
        self._properties = {"model_dir": str(model_dir), "gpu_id": None}
        self._nothing = Context(self._properties)
        self._model = self._load(str(model_dir))
        self.quick = chosen.quick and getattr(self._model, "quick", True) is True
        predicts = callable(getattr(self._model, "predict", None))
        if not (chosen.predict or chosen.transform or predicts):
            raise StartError(f"{chosen.name} has no predict_fn and its model no predict(): write predict_fn.")

    def _load(self, model_dir: str) -> Any:
        chosen, context = self._functions, Context(self._properties)
        if chosen.before is not None:
            chosen.before(context, model_dir)
        model = chosen.model(context, model_dir)
        if chosen.adopt is not None:
            model = chosen.adopt(context, model, model_dir)
        if chosen.warmup is not None:
            chosen.warmup(context, model_dir, model)
        return model

    def respond_all(self, requests: Sequence[Request]) -> list[Outcome]:
        """Return an outcome for each request; never raises, whatever the user's functions do (SystemExit too).

        Rows of several requests go through predict_fn together where they can be joined; when that fails, one by one,
        so that nobody answers for another's row.
        """
        if len(requests) == 1 or self._functions.transform is not None or self._context_wanted():
            return [_outcome(self.respond, request) for request in requests]
        read = [_tried(self._read, request) for request in requests]
        rows = together.joined([features for features, error in read if error is None])
        if rows is None:
            return [_outcome(self.respond, request) for request in requests]
        parts, failed = _tried(lambda joined: joined.split(self._predict(joined.rows)), rows)
        if failed is not None:
            return [_outcome(self.respond, request) for request in requests]
        found = iter(parts)
        return [
            (answer_for(error), error) if error else _outcome(self._write, request, next(found))
            for request, (_, error) in zip(requests, read, strict=True)
        ]

    def respond(self, request: Request) -> Answer:
        """Return the model's answer; whatever the user's functions raise goes through."""
        transform = self._functions.transform
        if transform is None:
            return self._write(request, self._predict(self._read(request), request.headers))
        data, kind, accept = self._received(request)
        context = self._context(request.headers)
        return _answer(transform(context, self._model, data, kind, accept), accept, "transform_fn")

    def _received(self, request: Request) -> tuple[str | bytes, str, str]:
        """The body as handlers get it, its content type and the wanted type of the answer."""
        chosen = self._functions
        if chosen.raw:
            return request.body, request.content_type, request.accept
        if not request.body and chosen.bare:
            raise RequestError(400, "The body is empty. Send the features to predict from.")
        kind = request.content_type or codec.JSON
        return codec.as_text(request.body, kind), kind, self._wanted(request)

    def _wanted(self, request: Request) -> str:
        if self._functions.raw:
            return request.accept
        return self._accept if codec.base_type(request.accept) in codec.ANY else request.accept

    def _read(self, request: Request) -> Any:
        data, kind, _ = self._received(request)
        return self._functions.input(self._context(request.headers), data, kind)

    def _predict(self, features: Any, headers: Mapping[str, str] | None = None) -> Any:
        if self._functions.predict is None:
            return self._model.predict(features)
        return self._functions.predict(self._context(headers or {}), features, self._model)

    def _write(self, request: Request, prediction: Any) -> Answer:
        accept = self._wanted(request)
        made = self._functions.output(self._context(request.headers), prediction, accept)
        return _answer(made, accept, "output_fn")

    def _context(self, headers: Mapping[str, str]) -> Context:
        """The context of a request; the same for all when no function looks at it."""
        return Context(self._properties, headers) if self._functions.with_context else self._nothing

    def _context_wanted(self) -> bool:
        """Whether predict_fn looks at the request it answers: then it cannot answer several."""
        return self._functions.predict is not None and self._functions.predict.with_context

    def execution_parameters(self, ours: Mapping[str, Any]) -> Any:
        """What batch transform is told: the module's word, `ours` for our own image; None where AWS has no route."""
        if self._functions.execution_parameters is not None:
            return self._functions.execution_parameters()
        return ours if self._functions.bare and not self._functions.raw else None


def load(
    settings: Settings, model_dir: Path, code_dir: Path, import_file: ImportFile | None = None
) -> Handlers:
    """Import what serves the model and load it; raise StartError, or what the user's code raised."""
    chosen = _chosen(settings, code_dir, import_file or _import)
    return Handlers(chosen, model_dir, settings.accept)


def _chosen(settings: Settings, code_dir: Path, import_file: ImportFile) -> Functions:
    path = code_dir / settings.program
    if path.is_file():
        return functions.of_modules(settings.program, import_file(path), settings.defaults)
    if not settings.program_given:
        if settings.algorithm:
            return functions.of_modules(settings.algorithm, functions.module_of(settings.algorithm), "")
        if hasattr(functions.module_of(settings.defaults), "model_fn"):
            return functions.of_modules("The image", None, settings.defaults)
    raise StartError(f"There is no {path}: pack it into model.tar.gz as code/{settings.program}.")


def _import(path: Path) -> ModuleType:
    """The module of a process with one model: importable by its name, like those beside it."""
    sys.path.insert(0, str(path.parent))
    name = path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise StartError(f"{path} is not a Python module: SAGEMAKER_PROGRAM must name a .py file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # so that what it pickled as <name>.Class is found again
    spec.loader.exec_module(module)
    return module


def _outcome(work: Callable[..., Answer], *arguments: Any) -> Outcome:
    answer, error = _tried(work, *arguments)
    return (answer, None) if error is None else (answer_for(error), error)


def _tried(work: Callable[..., Any], *arguments: Any) -> tuple[Any, BaseException | None]:
    try:
        return work(*arguments), None
    except BaseException as error:  # noqa: BLE001 - it is reported, and the process lives on
        return None, error


def _answer(made: Any, accept: str, maker: str) -> Answer:
    """What a handler returned as an answer: body, (body, content type) or (body, content type, status)."""
    status, content_type = 200, accept
    if isinstance(made, tuple) and 2 <= len(made) <= 3:
        body, content_type, status = (*made, 200)[:3]
        if not isinstance(status, Integral) or not 200 <= int(status) <= 599:
            raise TypeError(
                f"{maker} returned {status!r} as the status; return a whole number from 200 to 599"
            )
    else:
        body = made
    if isinstance(body, str):
        body = body.encode()
    if status in _BARE:
        body = b""  # a caller would take it for the beginning of the next answer
    if isinstance(body, Iterator):
        return Answer(status, _chunks(body, maker), str(content_type))
    if not isinstance(body, bytes | bytearray | memoryview):
        raise TypeError(
            f"{maker} returned {type(body).__name__}; return str, bytes, an iterator of them, or (body, content type)"
        )
    return Answer(status, bytes(body), str(content_type))


def _chunks(parts: Iterator[Any], maker: str) -> Iterator[bytes]:
    for part in parts:
        if not isinstance(part, str | bytes | bytearray):
            raise TypeError(f"the iterator of {maker} gave {type(part).__name__}; give str or bytes")
        yield part.encode() if isinstance(part, str) else bytes(part)
