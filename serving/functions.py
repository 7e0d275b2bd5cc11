"""Which functions answer requests: the user's own, those of the image's algorithm, and defaults for what is missing."""

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType
from typing import Any

from serving import codec
from serving.errors import StartError

FOUR = ("model_fn", "input_fn", "predict_fn", "output_fn")
_KINDS = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
# How many arguments each takes; one more means that it wants the context as its last.
_ARGUMENTS = {
    "pre_model_fn": 1,
    "model_fn": 1,
    "adopt_fn": 2,
    "model_warmup_fn": 2,
    "input_fn": 2,
    "predict_fn": 2,
    "output_fn": 2,
    "transform_fn": 4,
}


@dataclass(frozen=True)
class Context:
    """The optional last argument of a handler, as in the toolkit: where the model is, what was sent."""

    system_properties: Mapping[str, Any]
    request_headers: Mapping[str, str] = field(default_factory=dict)

    def get_request_header(self, index: int, name: str) -> str | None:
        """Return a header of the request; `index` is its place in a batch, of which there is one."""
        return self.request_headers.get(name.lower()) if index == 0 else None


class Function:
    """A handler that is called with the context last if it takes one argument more than it must."""

    def __init__(self, function: Callable[..., Any], arguments: int) -> None:
        self._function = function
        self.with_context = _positional(function) > arguments

    def __call__(self, context: Context, *arguments: Any) -> Any:
        """Call it; whatever it raises goes through."""
        return self._function(*arguments, context) if self.with_context else self._function(*arguments)


@dataclass(frozen=True)
class Functions:
    """What a model is served with.

    Attributes:
        adopt: makes of what model_fn returned what predict_fn takes.
        transform: does a whole request by itself; the other three are not used then.
        execution_parameters: what batch transform is told, None: not asked for by the module.
        raw: requests are handed over as they came: bytes, and headers that may be missing.
        max_payload: largest body in bytes by the module's own MAX_PAYLOAD, None: as the environment says.
        bare: nothing but our own defaults stand behind the user's functions.
        quick: QUICK in the module: the functions neither wait nor take long (well under a millisecond for a row), and
            predict_fn answers every row by itself, so that rows of several requests may go through it together.
    """

    name: str
    model: Function
    before: Function | None
    adopt: Function | None
    warmup: Function | None
    transform: Function | None
    input: Function
    predict: Function | None
    output: Function
    execution_parameters: Callable[[], Any] | None
    raw: bool
    max_payload: int | None
    bare: bool
    quick: bool

    @cached_property
    def with_context(self) -> bool:
        """Whether any function of a request takes the context."""
        four = (self.transform, self.input, self.predict, self.output)
        return any(one is not None and one.with_context for one in four)


def of_modules(name: str, module: ModuleType | None, defaults_name: str) -> Functions:
    """The functions of the user's module, of the defaults for what it lacks; raises StartError if they do not add up.

    The defaults are imported only when something is missing: they may be heavy.
    """
    complete = hasattr(module, "transform_fn") or all(hasattr(module, one) for one in FOUR)
    defaults = None if complete else module_of(defaults_name)
    found = {
        one: getattr(module, one, None) or getattr(defaults, one, None)
        for one in (*_ARGUMENTS, "execution_parameters_fn")
    }
    if hasattr(module, "predict_fn") and not hasattr(module, "adopt_fn"):
        found["adopt_fn"] = None  # the user's function takes what the user's model_fn returns
    _check(name, module, found)
    made = {
        one: Function(function, n) for one, n in _ARGUMENTS.items() if (function := found[one]) is not None
    }
    return Functions(
        name,
        model=made["model_fn"],
        before=made.get("pre_model_fn"),
        adopt=made.get("adopt_fn"),
        warmup=made.get("model_warmup_fn"),
        transform=made.get("transform_fn"),
        input=made.get("input_fn") or Function(codec.decode, 2),
        predict=made.get("predict_fn"),
        output=made.get("output_fn") or Function(codec.encode, 2),
        execution_parameters=found["execution_parameters_fn"],
        raw=getattr(module, "RAW_REQUESTS", False) is True,
        max_payload=getattr(module, "MAX_PAYLOAD", None),
        bare=not defaults_name,
        quick=_quick(module, defaults),
    )


def _quick(module: ModuleType | None, defaults: ModuleType | None) -> bool:
    """Whoever has the functions says so; a user's own function among an image's quick ones may be slow."""
    own = [one for one in (*FOUR[1:], "transform_fn") if hasattr(module, one)]
    return getattr(module if own else defaults, "QUICK", False) is True


def module_of(name: str) -> ModuleType | None:
    """An importable module by its dotted name, None for ""; raises StartError when something it needs is missing."""
    if not name:
        return None
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise StartError(
            f"This image needs {error.name}, which is not installed here. Install it and start again."
        ) from error


def _check(name: str, module: ModuleType | None, found: Mapping[str, Any]) -> None:
    if found["model_fn"] is None:
        raise StartError(f"{name} has no model_fn(model_dir): write one that returns the loaded model.")
    both = [one for one in FOUR[1:] if hasattr(module, one)]
    if hasattr(module, "transform_fn") and both:
        raise StartError(f"{name} has transform_fn and {', '.join(both)}: keep one or the other.")


def _positional(function: Callable[..., Any]) -> int:
    return sum(one.kind in _KINDS for one in inspect.signature(function).parameters.values())
