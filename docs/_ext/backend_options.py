"""The directive `backend-options`: the options in the table of a backend's class.

Its argument is the path of the class; names, values, defaults and units are those of the table. Its
content says what each option means: the name on a line, and the text indented below it. A name that
is not in the table, or that is missing here, is an error.
"""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import django_mailers

# Django 6.0: backends import names that Django 6.1 has.
django_mailers.install()

from django.utils.module_loading import import_string  # noqa: E402

from django_mailers.options import Option  # noqa: E402

# Values among the words of Kind.expected.
CODE = re.compile(r"'[^']*'|False")


class BackendOptions(SphinxDirective):
    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        table = import_string(self.arguments[0]).all_options
        meanings = parse(list(self.content))
        if meanings.keys() != table.keys():
            different = ", ".join(sorted(meanings.keys() ^ table.keys()))
            raise self.error(f"Not both in the table and here: {different}")
        lines = [".. list-table::", "   :header-rows: 1", "   :widths: 18 22 14 46", ""]
        lines += row("Option", "Value", "Default", "Meaning")
        for name, option in table.items():
            value = CODE.sub(as_code, option.kind.expected)
            lines += row(f"``{name}``", value, default_of(option), *meanings[name])
        return self.parse_text_to_nodes("\n".join(lines))


def parse(content: list[str]) -> dict[str, list[str]]:
    """Return the lines of text below each name."""
    meanings: dict[str, list[str]] = {}
    for line in content:
        if line and not line[0].isspace():
            lines = meanings[line.strip("`")] = []
        elif line:
            lines.append(line.strip())
    return meanings


def as_code(value: re.Match[str]) -> str:
    return f"``{value[0]}``".replace("'", '"')


def default_of(option: Option) -> str:
    if option.is_required:
        return "required"
    if option.default is None or isinstance(option.default, str | bool):
        return f"``{option.default!r}``".replace("'", '"')
    unit = option.unit.removesuffix("s") if option.default == 1 else option.unit
    return f"{option.default} {unit}".strip()


def row(name: str, value: str, default: str, *meaning: str) -> list[str]:
    first, *others = meaning
    return [
        f"   * - {name}",
        f"     - {value}",
        f"     - {default}",
        f"     - {first}",
        *(f"       {line}" for line in others),
    ]


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("backend-options", BackendOptions)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
