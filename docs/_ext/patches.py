"""The directive `patches`: what the app changes in Django, straight from `polyfill.PATCHES`.

The table is read when the documentation is built, so it cannot fall behind the code.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.rst import escape

from django_mailers.polyfill.patches import PATCHES, Patch


class Patches(SphinxDirective):
    def run(self) -> list[nodes.Node]:
        lines = [".. list-table::", "   :header-rows: 1", "   :widths: 45 30 25", ""]
        lines += _row("In Django", "In ``django_mailers.backport``", "Why")
        for patch in PATCHES:
            replacement = f"``{patch.replacement}``" if patch.replacement else "removed"
            lines += _row(f"``{patch.target}``", replacement, _reason(patch))
        return self.parse_text_to_nodes("\n".join(lines))


def _reason(patch: Patch) -> str:
    reason = escape(patch.reason)
    for word, path in [("with", patch.needs), ("without", patch.unless)]:
        if path:
            reason += f" ({word} ``{path.partition(':')[2]}``)"
    return reason


def _row(*cells: str) -> list[str]:
    return [f"   {mark} {cell}" for mark, cell in zip(("* -", "  -", "  -"), cells, strict=True)]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("patches", Patches)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
