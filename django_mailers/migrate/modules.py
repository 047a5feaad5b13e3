"""Modules and their files, found without importing a module."""

from __future__ import annotations

import os
import sys
from importlib import machinery, util
from pathlib import Path


def module_name(path: Path, root: Path | None = None) -> str:
    """Return the name that `path` is imported by.

    It starts in the folder that contains its outermost package or, if that is not on sys.path
    (there are packages without `__init__.py`), in the nearest folder above that is. Below `root`,
    a folder that modules are known to be imported from, it starts there, even if `root` looks like
    a package.
    """
    path = path.resolve()
    folders = [path.parent]
    while folders[-1] != root and (folders[-1] / "__init__.py").exists():
        folders.append(folders[-1].parent)
    importable = {Path(entry or os.curdir).resolve() for entry in sys.path}
    outermost = folders[-1]
    candidates = [outermost, *outermost.parents, *reversed(folders)]
    if outermost == root:
        candidates = [root]
    start = next((folder for folder in candidates if folder in importable), outermost)
    parts = list(path.relative_to(start).with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts)


def locate(module: str) -> Path | None:
    """Return the file of a module, or None if it has none."""
    loaded = sys.modules.get(module)
    path = getattr(loaded, "__file__", None)
    # Settings that copy the names of another module have its __file__, too.
    if path is not None and getattr(loaded, "__name__", None) == module:
        return Path(path)
    owner, _, _ = module.rpartition(".")
    folders: list[str] | None = None
    try:
        if owner:
            parent = sys.modules.get(owner)
            folders = list(parent.__path__) if parent is not None else _package_folders(owner)
        spec = machinery.PathFinder.find_spec(module, folders)
        if spec is None and not owner:
            spec = util.find_spec(module)
    except (ImportError, AttributeError, ValueError):
        return None
    origin = spec.origin if spec is not None else None
    return Path(origin) if origin is not None and origin.endswith(".py") else None


def import_root(module: str) -> Path | None:
    """Return the folder on sys.path that contains a module, or None if it cannot be found."""
    path = locate(module)
    if path is None:
        return None
    path = path.resolve()
    depth = module.count(".") + (path.name == "__init__.py")
    return path.parents[depth]


def _package_folders(name: str) -> list[str]:
    """Return the folders with the modules of the package `name`, which is not imported yet."""
    folders: list[str] | None = None
    parts = name.split(".")
    for position in range(len(parts)):
        spec = machinery.PathFinder.find_spec(".".join(parts[: position + 1]), folders)
        if spec is None or spec.submodule_search_locations is None:
            return []
        folders = list(spec.submodule_search_locations)
    return folders or []
