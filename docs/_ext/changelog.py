"""The directive `changelog`: the entries of CHANGELOG.md, which is the one place for them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

FILE = Path(__file__).resolve().parents[2] / "CHANGELOG.md"


class Changelog(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(str(FILE))
        text = source(FILE.read_text(encoding="utf-8"))
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def source(markdown: str) -> str:
    """Return the text in reStructuredText. It has headings, lists, links and code, no more."""
    text = markdown.partition("\n## ")[2]
    lines = []
    for line in f"## {text}".splitlines():
        heading = re.fullmatch(r"(##+) (.+)", line)
        if heading:
            title = heading[2].strip("[]")
            lines += [title, ("-" if heading[1] == "##" else "~") * len(title)]
        else:
            lines.append(re.sub(r"`", "``", re.sub(r"\[([^]]+)\]\((\S+?)\)", r"`\1 <\2>`__", line)))
    return "\n".join(lines)


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("changelog", Changelog)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
