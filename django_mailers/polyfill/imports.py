"""Calling a function as soon as a module has been imported."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any


class AfterImport(importlib.abc.MetaPathFinder):
    """Calls `then(name)` each time one of `modules` has been executed, before the importer
    goes on: when it is imported, and again when `importlib.reload()` is called.

    It finds modules as the finders after it do. Python's lock on a module that is being imported
    keeps other threads waiting until `then` is done.
    """

    def __init__(self, modules: Iterable[str], then: Callable[[str], None]) -> None:
        self.modules = frozenset(modules)
        self.then = then

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in self.modules:
            return None
        # Only those after it: there may be several of its kind, which would ask each other.
        for finder in sys.meta_path[sys.meta_path.index(self) + 1 :]:
            # Python before 3.12 still allows for finders without find_spec().
            if not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader = _Loader(spec.loader, self)
                return spec
        return None


class _Loader(importlib.abc.Loader):
    """Loads a module with `loader`, leaves that as the loader of the module, and tells `finder`."""

    def __init__(self, loader: Any, finder: AfterImport) -> None:
        self.loader = loader
        self.finder = finder

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self.loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self.loader
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        self.loader.exec_module(module)
        self.finder.then(module.__name__)
