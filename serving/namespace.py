"""Modules of one model apart from those of any other: two archives may both have code/inference.py and code/util.py.

The modules of a model are not in `sys.modules` but in its namespace, and they find each other there, since their
`import` statements call the `__import__` of their own builtins. Only while the model is being loaded are they in
`sys.modules` too, so that what looks modules up by name (unpickling, dataclasses) finds them; loads are one at a time.
"""

import builtins
import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

_LOADING = threading.RLock()


class Namespace:
    """The modules below one directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = str(directory)
        self._modules: dict[str, ModuleType] = {}
        self._lock = threading.RLock()
        self._visible = False  # in sys.modules
        self._builtins = {**vars(builtins), "__import__": self._import}

    def module(self, name: str) -> ModuleType:
        """The module of that dotted name, executed the first time it is asked for; raises ModuleNotFoundError."""
        with self._lock:
            if name not in self._modules:
                self._execute(name)
            return self._modules[name]

    @contextlib.contextmanager
    def loading(self) -> Iterator[None]:
        """For the block, the modules of this namespace are those everybody sees."""
        with _LOADING:
            finder, self._visible = _Finder(self), True
            hidden = {name: sys.modules.pop(name) for name in list(sys.modules) if self.has(name)}
            sys.modules.update(self._modules)
            sys.meta_path.insert(0, finder)
            try:
                yield
            finally:
                self._visible = False
                sys.meta_path.remove(finder)
                for name in self._modules:
                    sys.modules.pop(name, None)
                sys.modules.update(hidden)

    def has(self, name: str) -> bool:
        """Whether the top of a dotted name is a module or package of this directory; Python's own cannot be."""
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names:
            return False
        return top in self._modules or _spec(top, [self._directory]) is not None

    def _execute(self, name: str) -> None:
        parent, _, last = name.rpartition(".")
        package = self.module(parent) if parent else None
        path = [self._directory] if package is None else list(getattr(package, "__path__", []))
        spec = _spec(name, path)
        if spec is None or spec.loader is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        module = importlib.util.module_from_spec(spec)
        module.__dict__["__builtins__"] = self._builtins
        self._modules[name] = module
        if self._visible:
            sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del self._modules[name]
            sys.modules.pop(name, None)
            raise
        if package is not None:
            setattr(package, last, module)

    def _import(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - the names of builtins.__import__
        locals: Mapping[str, Any] | None = None,  # noqa: A002
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """What `import` does in a module of this namespace."""
        absolute = name
        if level:
            package = (globals or {}).get("__package__") or ""
            absolute = importlib.util.resolve_name("." * level + name, package)
        if not self.has(absolute):
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        module = self.module(absolute)
        if not fromlist:
            return self.module(absolute.partition(".")[0])
        for item in fromlist:
            if item != "*" and hasattr(module, "__path__") and not hasattr(module, item):
                with contextlib.suppress(ModuleNotFoundError):
                    self.module(f"{absolute}.{item}")
        return module


class _Finder:
    """Lets others (unpickling) import the namespace's modules while it is being loaded."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace

    def find_spec(self, name: str, _path: Any = None, _target: Any = None) -> Any:
        """The spec of a module of the namespace, loaded there."""
        if not self._namespace.has(name):
            return None
        return importlib.machinery.ModuleSpec(name, _Loader(self._namespace))


class _Loader(importlib.abc.Loader):
    """Hands over a module of a namespace as it is."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """The namespace's module."""
        return self._namespace.module(spec.name)

    def exec_module(self, _module: ModuleType) -> None:
        """Nothing: it has been executed."""


def _spec(name: str, path: Sequence[str]) -> importlib.machinery.ModuleSpec | None:
    """The spec of a file or package in `path`; directories without __init__.py do not count at the top."""
    spec = importlib.machinery.PathFinder.find_spec(name, path)
    return spec if spec is not None and (spec.origin or "." in name) else None
