"""Reading a Python file: its text, its syntax tree, and the places of the nodes in it."""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from .modules import module_name

# Line, column, last line, end column; columns count characters, from 0.
Span = tuple[int, int, int, int]


class Unreadable(Exception):
    """A file cannot be read as Python source. The message has the reason."""


@dataclass(frozen=True)
class SourceFile:
    """A parsed file. `module` is the dotted name that it is imported by."""

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
        """Return the place of `node`. (ast counts columns in bytes of UTF-8.)"""
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


def read(path: Path, root: Path | None = None) -> SourceFile:
    """Parse `path`, with any encoding and line ends. Raises `Unreadable`.

    `root` is the argument of module_name().
    """
    text = _text(path)
    try:
        with warnings.catch_warnings():
            # Python warns of invalid escapes in string literals, which are not the subject here.
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
        # Reading a pipe would wait, and reading a device may never end.
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
        # The codec does not decode to text. Since Python 3.15 detect_encoding() raises this, and
        # only its error has the name.
        name = encoding or str(error).split("'")[1]
        raise Unreadable(f"{path}: {name} is not a text encoding") from error


def _lines(text: str) -> list[str]:
    # Not splitlines(), which ends a line at a form feed.
    return re.split(r"\r\n|\r|\n", text)


# Lines that are syntax errors before a version of Python.
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
    """Return the message if a newer Python may accept the line of the error, or None."""
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
