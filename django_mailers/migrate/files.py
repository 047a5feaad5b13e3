"""Which files are audited: those of the project, or of the installed packages."""

from __future__ import annotations

import os
import re
import site
import sysconfig
from collections.abc import Iterable, Iterator
from importlib import metadata, util
from pathlib import Path

SKIPPED_FOLDERS = {"__pycache__", "node_modules", "site-packages"}


def shown(path: Path) -> Path:
    """Return `path` from the current folder, which is shorter and hides the folders above."""
    try:
        return Path(os.path.relpath(path))
    except ValueError:
        return path  # on another drive, on Windows


def shortened(text: str) -> str:
    """Return a message without the path of the current folder."""
    return text.replace(f"{Path.cwd()}{os.sep}", "")


def python_files(paths: Iterable[Path]) -> list[Path]:
    """Return the Python files among `paths` and below them, each once and in order.

    Virtual environments, hidden files and folders, SKIPPED_FOLDERS and links that lead elsewhere
    are skipped below a path, unless they are in `paths` themselves.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            found.update(dict.fromkeys(_below(path)))
        else:
            found[path] = None
    return list(found)


def _below(folder: Path) -> Iterator[Path]:
    top = folder.resolve()
    for current, folders, names in os.walk(folder):
        here = Path(current)
        folders[:] = sorted(
            name
            for name in folders
            if name not in SKIPPED_FOLDERS
            and not name.startswith(".")
            and not (here / name / "pyvenv.cfg").exists()
        )
        for name in sorted(names):
            path = here / name
            if (
                name.endswith(".py")
                and not name.startswith(".")
                and not _is_skipped_link(path, top)
            ):
                yield path


def _is_skipped_link(path: Path, top: Path) -> bool:
    """Whether `path` is a link that leads out of `top`, or to a file found in `top` anyway."""
    if not path.is_symlink():
        return False
    target = path.resolve()
    if top not in target.parents:
        return True
    hidden = any(
        part.startswith(".") or part in SKIPPED_FOLDERS for part in target.relative_to(top).parts
    )
    return target.suffix == ".py" and target.exists() and not hidden


def is_installed(path: Path) -> bool:
    """Whether `path` belongs to an installed package or to Python, not to the project."""
    path = path.resolve()
    folders = {sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib")}
    folders |= {*site.getsitepackages(), site.getusersitepackages()}
    return any(Path(folder).resolve() in path.parents for folder in folders)


def own_paths(settings_module: str | None, apps: Iterable[Path]) -> list[Path]:
    """Return the folders of a project: its apps, and the package of its settings.

    Arguments: `settings_module`, its dotted name; `apps`, the folders of all installed apps.
    """
    frameworks = _frameworks()
    paths = [
        path
        for path in apps
        if not is_installed(path) and not _is_below(path.resolve(), frameworks)
    ]
    if settings_module is not None:
        # The package, if there is one: a lone settings.py may be in any folder.
        spec = util.find_spec(settings_module.partition(".")[0])
        if spec is not None and spec.submodule_search_locations:
            paths += [Path(location) for location in spec.submodule_search_locations]
        elif spec is not None and spec.origin is not None:
            paths.append(Path(spec.origin))
    return _outermost(paths)


def app_folders(installed_apps: Iterable[str]) -> list[Path]:
    """Return the folders of the apps in INSTALLED_APPS, without importing any app.

    For settings that Django cannot load. An entry may name an AppConfig instead of a package.
    """
    folders = []
    for entry in installed_apps:
        parts = entry.split(".")
        while parts:
            try:
                spec = util.find_spec(".".join(parts))
            except ImportError:
                spec = None
            if spec is not None and spec.submodule_search_locations:
                folders += [Path(location) for location in spec.submodule_search_locations]
                break
            parts.pop()
    return folders


def installed_paths(apps: Iterable[Path]) -> list[Path]:
    """Return the files of the installed packages that may send mail through Django.

    These are the installed apps and all distributions that require Django, except Django itself
    and this package.
    """
    paths = [path for path in apps if is_installed(path)]
    for distribution in metadata.distributions():
        requirements = [
            re.split(r"[^\w.-]", text)[0].lower() for text in distribution.requires or ()
        ]
        if "django" in requirements:
            files = distribution.files or ()
            paths += [Path(str(file.locate())) for file in files if file.suffix == ".py"]
    frameworks = _frameworks()
    return [
        path
        for path in python_files(_outermost(paths))
        if path.exists() and not _is_below(path.resolve(), frameworks)
    ]


def is_own(path: Path) -> bool:
    """Whether the file at `path` seems to belong to the project."""
    path = path.resolve()
    return path.exists() and not is_installed(path) and not _is_below(path, _frameworks())


def _frameworks() -> list[Path]:
    """Return the folders of Django and of this package, wherever they are installed."""
    spec = util.find_spec("django")
    folders = (spec.submodule_search_locations or ()) if spec is not None else ()
    return [Path(__file__).resolve().parent.parent, *(Path(entry).resolve() for entry in folders)]


def _is_below(path: Path, folders: Iterable[Path]) -> bool:
    return any(folder == path or folder in path.parents for folder in folders)


def _outermost(paths: Iterable[Path]) -> list[Path]:
    unique = list(dict.fromkeys(path.resolve() for path in paths))
    given = set(unique)
    return [path for path in unique if given.isdisjoint(path.parents)]
