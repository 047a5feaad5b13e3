"""Which files are audited, and what is in them."""

from __future__ import annotations

import ast
import io
import os
import re
import site
import sys
import sysconfig
import tokenize
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import machinery, metadata, util
from pathlib import Path

SKIPPED_FOLDERS = {"__pycache__", "node_modules", "site-packages"}
# Line, column, last line, end column; columns count characters, from 0.
Span = tuple[int, int, int, int]


class Unreadable(Exception):
    """A file that is no Python source; says why."""


@dataclass(frozen=True)
class SourceFile:
    """A file, parsed. `module` is the dotted name that it is imported by."""

    path: Path
    module: str
    tree: ast.Module
    text: str

    @cached_property
    def lines(self) -> list[str]:
        return _lines(self.text)

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    def span(self, node: ast.AST) -> Span:
        """Return where `node` is; ast itself counts columns in bytes of UTF-8."""
        place: ast.expr = node  # type: ignore[assignment]  # or another node with a position
        end = place.end_lineno or place.lineno
        return (
            place.lineno,
            self._characters(place.lineno, place.col_offset),
            end,
            self._characters(end, place.end_col_offset or 0),
        )

    def _characters(self, line: int, column: int) -> int:
        return len(self.lines[line - 1].encode()[:column].decode())


def _lines(text: str) -> list[str]:
    # Not splitlines(), which takes a form feed for the end of a line.
    return re.split(r"\r\n|\r|\n", text)


def shown(path: Path) -> Path:
    """Return `path` as seen from here, which is shorter and says nothing about the machine."""
    try:
        return Path(os.path.relpath(path))
    except ValueError:
        return path  # on another drive of Windows


def shortened(text: str) -> str:
    """Return a message without the folder that this runs in."""
    return text.replace(f"{Path.cwd()}{os.sep}", "")


def read(path: Path, root: Path | None = None) -> SourceFile:
    """Parse `path`, whatever its encoding and its line ends. Raises `Unreadable`.

    `root` is as for module_name().
    """
    text = _text(path)
    try:
        with warnings.catch_warnings():
            # What Python has to say about somebody's string literals is not our business here.
            warnings.simplefilter("ignore")
            tree = ast.parse(text, str(path))
    except SyntaxError as error:
        place = f"{path}:{error.lineno}" if error.lineno else str(path)
        raise Unreadable(f"{place}: {_newer_python(text, error) or error.msg}") from error
    except ValueError as error:
        raise Unreadable(f"{path}: {error}") from error
    except (RecursionError, MemoryError) as error:
        raise Unreadable(f"{path}: the code is nested too deeply") from error
    return SourceFile(path, module_name(path, root), tree, text)


def _text(path: Path) -> str:
    encoding = ""
    try:
        # A pipe would be waited for, and a device may never end.
        if path.exists() and not path.is_file():
            raise Unreadable(f"{path}: it is not a regular file")
        content = path.read_bytes()
        encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        return content.decode(encoding)
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from error
    except SyntaxError as error:
        raise Unreadable(f"{path}: {error.msg}") from error
    except UnicodeError as error:
        raise Unreadable(f"{path}: {error}") from error
    except LookupError as error:
        # There is such a codec, but it makes something else of bytes. From Python 3.15 on
        # detect_encoding() finds that out, and only its error has the name.
        name = encoding or str(error).split("'")[1]
        raise Unreadable(f"{path}: {name} is not an encoding of text") from error


# Syntax that Python does not know before that version.
NEWER_SYNTAX = (
    ((3, 11), r"\s*except\s*\*"),
    ((3, 12), r"\s*type\s+\w+\s*(\[.*\])?\s*="),
    ((3, 12), r"\s*(async\s+)?(def|class)\s+\w+\s*\["),
    ((3, 12), r"f-string$"),
    ((3, 13), r"\s*(async\s+)?(def|class|type)\s+\w+\s*\[.*\w\s*="),
    ((3, 14), r"\s*except\s+[\w.]+\s*,\s*[\w.]+\s*(,\s*[\w.]+\s*)*:"),
    ((3, 14), r".*\b[rR]?[tT][rR]?[\"']"),
    ((3, 15), r"\s*lazy\s+(import|from)\b"),
)


def _newer_python(text: str, error: SyntaxError) -> str | None:
    """Return what to say if the error is in a line that a newer Python understands."""
    lines = _lines(text)
    line = lines[error.lineno - 1] if error.lineno and error.lineno <= len(lines) else ""
    if (error.msg or "").startswith("f-string"):
        line = "f-string"
    for version, pattern in NEWER_SYNTAX:
        if sys.version_info < version and re.match(pattern, line):
            newer, this = (".".join(map(str, found[:2])) for found in (version, sys.version_info))
            return (
                f"{error.msg}; it looks like Python {newer}, and this is {this}: run the command "
                "with the Python of the project"
            )
    return None


def module_name(path: Path, root: Path | None = None) -> str:
    """Return the name that `path` is imported by.

    It begins where the packages that it lies in begin or, if that folder is not on sys.path (there
    are packages without `__init__.py`), at the nearest one above that is. It begins at `root`, a
    folder that is known to be imported from, if `path` is below that, even if `root` looks like a
    package itself.
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
    """Return the file of a module, None if it has none; nothing is imported to find it."""
    loaded = sys.modules.get(module)
    path = getattr(loaded, "__file__", None)
    # Settings that copy another module have its __file__, too.
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
    """Return the folder that a module is imported from, None if it cannot be found."""
    path = locate(module)
    if path is None:
        return None
    path = path.resolve()
    depth = module.count(".") + (path.name == "__init__.py")
    return path.parents[depth]


def _package_folders(name: str) -> list[str]:
    """Return where the modules of the package `name`, which is not imported, are."""
    folders: list[str] | None = None
    parts = name.split(".")
    for position in range(len(parts)):
        spec = machinery.PathFinder.find_spec(".".join(parts[: position + 1]), folders)
        if spec is None or spec.submodule_search_locations is None:
            return []
        folders = list(spec.submodule_search_locations)
    return folders or []


def python_files(paths: Iterable[Path]) -> list[Path]:
    """Return the Python files among `paths` and below them, each once and in order.

    Virtual environments, hidden files and folders, SKIPPED_FOLDERS and links that lead elsewhere
    are passed over below a path, not if they are named themselves.
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
            if name.endswith(".py") and not name.startswith(".") and not _is_passed(path, top):
                yield path


def _is_passed(path: Path, top: Path) -> bool:
    """Whether `path` is a link out of the folder `top`, or to a file that is found there anyway."""
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
    """Return what a project consists of: its apps, and its settings with what is beside them.

    Arguments: `settings_module`, its dotted name; `apps`, the folders of all installed apps.
    """
    frameworks = _frameworks()
    paths = [
        path
        for path in apps
        if not is_installed(path) and not _is_below(path.resolve(), frameworks)
    ]
    if settings_module is not None:
        # The package that they are in; the folder of a lone settings.py might be anything.
        spec = util.find_spec(settings_module.partition(".")[0])
        if spec is not None and spec.submodule_search_locations:
            paths += [Path(location) for location in spec.submodule_search_locations]
        elif spec is not None and spec.origin is not None:
            paths.append(Path(spec.origin))
    return _outermost(paths)


def app_folders(installed_apps: Iterable[str]) -> list[Path]:
    """Return the folders of the apps that INSTALLED_APPS names, without importing any app.

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

    That is every installed app and every distribution that requires Django, but neither Django
    itself nor this package.
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
    """Whether the file at `path` belongs to the project, as far as one can say."""
    path = path.resolve()
    return path.exists() and not is_installed(path) and not _is_below(path, _frameworks())


def _frameworks() -> list[Path]:
    """Return the folders of Django and of this package, wherever they are installed from."""
    spec = util.find_spec("django")
    folders = (spec.submodule_search_locations or ()) if spec is not None else ()
    return [Path(__file__).resolve().parent.parent, *(Path(entry).resolve() for entry in folders)]


def _is_below(path: Path, folders: Iterable[Path]) -> bool:
    return any(folder == path or folder in path.parents for folder in folders)


def _outermost(paths: Iterable[Path]) -> list[Path]:
    unique = list(dict.fromkeys(path.resolve() for path in paths))
    given = set(unique)
    return [path for path in unique if given.isdisjoint(path.parents)]
