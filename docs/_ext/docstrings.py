"""Docstrings as reStructuredText: they are written to be read as they are.

Names stand in single backquotes there, and what an argument or an attribute means stands in a
column of its own, after two blanks or more. Examples are indented.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sphinx.application import Sphinx

ROW = re.compile(r"(?P<term>\S(?:\S| (?! ))*) {2,}(?=\S)")
CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")


def converted(lines: Sequence[str]) -> list[str]:
    """Return `lines`, which begin at the same column, with their tables as definition lists."""
    done: list[str] = []
    rest = list(lines)
    while rest:
        line = rest.pop(0)
        if line.startswith(" ") and done and not done[-1]:
            # Not what a row of a table means: an example.
            done += [".. code-block:: python", "", line]
            while rest and (rest[0].startswith(" ") or not rest[0]):
                done.append(rest.pop(0))
            continue
        row = ROW.match(line)
        if row is None:
            done.append(CODE.sub(r"``\1``", line))
            continue
        body = [line[row.end() :]]
        while rest and re.match(rf" {{{row.end()}}}", rest[0]):
            body.append(rest.pop(0)[row.end() :])
        term = row["term"]
        done += [term if "`" in term else f"``{term}``"]
        done += [f"    {text}".rstrip() for text in converted(body)]
    return done


def process(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    lines[:] = converted(lines)


def setup(app: Sphinx) -> dict[str, Any]:
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
