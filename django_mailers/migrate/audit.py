"""Find what Django 6.1 deprecates, and what stops to work once MAILERS is defined.

The rules are in `calls` (whatever sends), `declarations` (classes, imports, LOGGING) and
`definitions` (the settings). Each looks at names through `Project`, so that it finds a thing under
whatever name it was imported, and nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from . import declarations, definitions, files
from .calls import CallRules
from .findings import Finding, Report
from .names import Names
from .project import Module, Project


def audit(
    paths: Iterable[Path],
    settings_module: str | None = None,
    defined: Collection[str] = (),
) -> Report:
    """Audit the Python files at `paths`.

    `settings_module` is the dotted name of the settings, which are judged as such if their file is
    among `paths`; `defined` are the settings that they are known to define, seen or not.
    """
    report = Report()
    modules = []
    for path in paths:
        try:
            file = files.read(path)
            modules.append(Module(file, Names(file)))
        except files.Unreadable as error:
            report.unreadable.append(str(error))
        except RecursionError:
            report.unreadable.append(f"{path}: it is nested too deeply")
    project = Project(modules, settings_module)
    for module in project.modules:
        report.findings += _audit_module(project, module)
    report.findings += definitions.unseen(project, defined)
    return report


def _audit_module(project: Project, module: Module) -> list[Finding]:
    found = [
        *CallRules(project, module).findings(),
        *declarations.findings(project, module),
        *definitions.findings(project, module),
    ]
    return sorted(found, key=lambda finding: (finding.line, finding.column, finding.code))
