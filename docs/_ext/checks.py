"""The directive `system-checks`: the errors or the warnings in `checks.table.PROBLEMS`.

`.. system-checks:: errors` makes a section of each id of an error, `warnings` of a warning. The
table is read when the documentation is built, so it cannot fall behind the code.
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.parsers.rst.directives import choice
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import django_mailers

# Django 6.0: the checks import names that Django 6.1 has.
django_mailers.install()

from django_mailers.checks.table import PROBLEMS, Problem  # noqa: E402

LETTERS = {"errors": "E", "warnings": "W"}


class SystemChecks(SphinxDirective):
    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        letter = LETTERS[choice(self.arguments[0], tuple(LETTERS))]
        text = "\n".join(
            source(problem) for problem in PROBLEMS if problem.id.startswith(f"mailers.{letter}")
        )
        return self.parse_text_to_nodes(text, allow_section_headings=True)


def source(problem: Problem) -> str:
    """Return the section about `problem` in reStructuredText."""
    title = f"``{problem.id}``"
    return (
        f"{title}\n{'~' * len(title)}\n\n{problem.summary}\n\n"
        f"*Cause*: {problem.cause}\n\n*Cure*: {problem.cure}\n"
    )


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("system-checks", SystemChecks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
